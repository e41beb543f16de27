package conn

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"sync"

	govmomi "github.com/vmware/govmomi/session"
	"github.com/vmware/govmomi/vim25/soap"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// cache keeps a session in a file for later runs. The file is as secret as the password while the
// session lasts, so nobody else may read it.
type cache struct {
	path string
	rest string // id of the REST session that was found

	mu     sync.Mutex
	cookie *http.Cookie // that was found
}

// cached is the file's content.
type cached struct {
	Cookie string `json:"cookie"`
	Quoted bool   `json:"quoted,omitempty"`
	REST   string `json:"rest,omitempty"`
}

// openCache finds the file of endpoint and user, which need not exist yet.
func openCache(cfg Config, at *url.URL) (*cache, error) {
	if err := os.MkdirAll(cfg.SessionCache, 0o700); err != nil {
		return nil, backends.Errorf(backends.Invalid, "", "", "the session cache cannot be used: %w", err).
			Advise("Name a directory that can be written to.")
	}
	sum := sha256.Sum256([]byte(at.String() + "\n" + cfg.Username))
	c := &cache{path: filepath.Join(cfg.SessionCache, hex.EncodeToString(sum[:16])+".json")}
	var found cached
	text, err := os.ReadFile(c.path)
	if err == nil && json.Unmarshal(text, &found) == nil && found.Cookie != "" {
		c.cookie = &http.Cookie{Name: soap.SessionCookieName, Value: found.Cookie, Quoted: found.Quoted, Secure: true, HttpOnly: true, SameSite: http.SameSiteStrictMode}
		c.rest = found.REST
	}
	return c, nil
}

// save stores the session. What cannot be stored costs a login next time, and nothing else.
func (c *cache) save(cookie *http.Cookie, rest string) {
	if cookie == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	text, err := json.Marshal(cached{Cookie: cookie.Value, Quoted: cookie.Quoted, REST: rest})
	if err != nil {
		return
	}
	f, err := os.CreateTemp(filepath.Dir(c.path), ".session-*") // mode 0600
	if err != nil {
		return
	}
	_, err = f.Write(text)
	if e := f.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = os.Rename(f.Name(), c.path)
	}
	if err != nil {
		_ = os.Remove(f.Name())
	}
}

// resume continues the session that the cache has, if it is the user's and has not ended.
func (c *Conn) resume(ctx context.Context) bool {
	if c.cache == nil || c.cache.cookie == nil {
		return false
	}
	c.session.adopt(c.cache.cookie)
	client := *c.vim
	client.RoundTripper = c.soap // no login here
	user, err := govmomi.NewManager(&client).UserSession(ctx)
	if err != nil || user == nil {
		c.session.adopt(nil)
		c.cache.rest = ""
		return false
	}
	return true
}
