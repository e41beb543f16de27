package conn

import (
	"context"
	"errors"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"sync"
	"time"

	govmomi "github.com/vmware/govmomi/fault"
	"github.com/vmware/govmomi/vim25"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/vsphere/fault"
)

// session is the session of the SOAP API, and the jar that holds its cookie.
//
// Only a login changes the cookie. vCenter hands one for a session without a user to whoever comes with one that
// ended; late answers to calls side by side would put it in the place of the new session's.
type session struct {
	conn *Conn

	mu      sync.Mutex
	cookie  *http.Cookie
	epoch   int // grows with each login
	flight  *flight
	proven  bool  // whether the password made a session; that of a cache may be older than it
	refused error // why no login is tried any more
}

// flight is a login that calls wait for.
type flight struct {
	done chan struct{}
	err  error
}

var errClosed = errors.New("the connection to vSphere is closed")

func newSession(c *Conn) *session { return &session{conn: c} }

// Cookies returns the session's cookie for requests to the endpoint, and none for other hosts.
func (s *session) Cookies(u *url.URL) []*http.Cookie {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cookie == nil || u.Hostname() != s.conn.at.Hostname() {
		return nil
	}
	c := *s.cookie
	return []*http.Cookie{&c}
}

// SetCookies does nothing: see session.
func (s *session) SetCookies(*url.URL, []*http.Cookie) {}

// current returns the number of the session that a call is made in, or why there is none.
func (s *session) current() (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.epoch, s.refused
}

// adopt makes a cookie the session's.
func (s *session) adopt(c *http.Cookie) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cookie, s.epoch = c, s.epoch+1
}

// begin logs in for the first time.
func (s *session) begin(ctx context.Context) error {
	cookie, err := s.login(ctx)
	if err != nil {
		return err
	}
	s.adopt(cookie)
	s.mu.Lock()
	s.proven = true
	s.mu.Unlock()
	s.keep(cookie)
	return nil
}

// doubt is told why the REST API refused name or password. Where they made no session yet, nothing goes on in the cache's: the user is to
// hear of it now, not when runs after runs have locked the account.
func (s *session) doubt(why error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.proven && s.refused == nil {
		s.refused = why
	}
}

// renew logs in again, unless somebody has done so since the session of that epoch. Calls
// that meet the end of a session at the same time wait for one login.
func (s *session) renew(ctx context.Context, epoch int) error {
	s.mu.Lock()
	if s.refused != nil || s.epoch != epoch {
		defer s.mu.Unlock()
		return s.refused
	}
	f := s.flight
	if f == nil {
		f = &flight{done: make(chan struct{})}
		s.flight = f
		s.conn.work.Go(func() { s.fly(f) }) //nolint:contextcheck // one login for all that wait outlives the call that met the end first
	}
	s.mu.Unlock()
	select {
	case <-f.done:
		return f.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// fly logs in for all that wait. A login that is refused is the last: wrong passwords lock accounts.
func (s *session) fly(f *flight) {
	ctx, cancel := context.WithTimeout(s.conn.base, patience+farewell)
	defer cancel()
	var cookie *http.Cookie
	err := persist(ctx, unsent, func() (err error) {
		cookie, err = s.login(ctx)
		return err
	})
	s.mu.Lock()
	s.flight = nil
	switch {
	case err == nil:
		s.cookie, s.epoch, s.proven = cookie, s.epoch+1, true
	case backends.CodeOf(err) == backends.Auth && s.refused == nil:
		s.refused = err
	}
	f.err = err
	s.mu.Unlock()
	if err == nil {
		s.keep(cookie)
	}
	close(f.done)
}

// keep stores the session for later runs.
func (s *session) keep(cookie *http.Cookie) {
	if s.conn.cache != nil {
		s.conn.cache.save(cookie, s.conn.rest.id())
	}
}

// end lets a login that is under way finish, allows no other, and returns the session to log out of.
func (s *session) end(ctx context.Context) *http.Cookie {
	s.mu.Lock()
	if s.refused == nil {
		s.refused = backends.Wrap(&backends.Error{Code: backends.Canceled, Err: errClosed}, "", "")
	}
	f := s.flight
	s.mu.Unlock()
	if f != nil {
		select {
		case <-f.done:
		case <-ctx.Done():
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.cookie
}

// login makes a session, by a client of its own that comes without a cookie.
func (s *session) login(ctx context.Context) (*http.Cookie, error) {
	c := s.conn
	client := c.soap.NewServiceClient(c.at.Path, vim25.Namespace)
	client.Version, client.Transport = c.soap.Version, c.soap.Transport
	client.Jar, _ = cookiejar.New(nil)
	_, err := methods.Login(ctx, client, &types.Login{
		This: *c.vim.ServiceContent.SessionManager, UserName: c.cfg.Username, Password: c.cfg.Password, Locale: "en_US",
	})
	switch {
	case err == nil:
	case ctx.Err() != nil && !soap.IsSoapFault(err):
		return nil, ctx.Err()
	case unsent(err): // the caller looks into it
		return nil, err
	default:
		return nil, fault.Wrap(err, "log in to vSphere", "")
	}
	for _, k := range client.Jar.Cookies(c.at) {
		if k.Name == soap.SessionCookieName {
			return k, nil
		}
	}
	return nil, backends.Errorf(backends.Internal, "log in to vSphere", "", "%s accepted the login and gave no session", c.Endpoint())
}

// sessionLost reports whether a call was refused because its session has ended.
func sessionLost(err error, collector types.ManagedObjectReference) bool {
	if govmomi.Is(err, &types.NotAuthenticated{}) {
		return true
	}
	// Each session has a property collector, and after a restart of vCenter none.
	var gone *types.ManagedObjectNotFound
	_, ok := govmomi.As(err, &gone)
	return ok && gone.Obj == collector
}

// persist repeats f at growing intervals while its error is one that may pass, as long as patience lasts.
func persist(ctx context.Context, may func(error) bool, f func() error) error {
	deadline := time.Now().Add(patience)
	for pause := 50 * time.Millisecond; ; pause = min(2*pause, 2*time.Second) {
		err := f()
		if err == nil || !may(err) || time.Now().Add(pause).After(deadline) || !sleep(ctx, pause) {
			return err
		}
	}
}

// sleep reports false where ctx ended first.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
