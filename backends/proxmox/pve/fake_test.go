package pve

import (
	"crypto/tls"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

const testToken = "root@pam!tf=12345678-aaaa-bbbb-cccc-1234567890ab"

// fake plays a node of a cluster. Answers are queued by "METHOD /path", the last one stays.
type fake struct {
	*httptest.Server
	t *testing.T

	mu       sync.Mutex
	replies  map[string][]reply
	requests []request
}

// request is one that the fake got.
type request struct {
	at     string // METHOD /path
	form   url.Values
	header http.Header
}

// reply is how the fake answers.
type reply struct {
	status int
	reason string
	body   string
	handle http.HandlerFunc // in place of all that
}

// ok is a success with data.
func ok(data any) reply {
	text, err := json.Marshal(map[string]any{"data": data})
	if err != nil {
		panic(err)
	}
	return reply{status: http.StatusOK, body: string(text)}
}

// no is a refusal such as Proxmox VE makes it.
func no(status int, reason string) reply {
	text, _ := json.Marshal(map[string]any{"data": nil, "message": reason + "\n"})
	return reply{status: status, reason: reason, body: string(text)}
}

// bare is a refusal by the proxy.
func bare(status int, reason string) reply { return reply{status: status, reason: reason} }

// drop closes the connection without an answer.
var drop = reply{handle: func(w http.ResponseWriter, _ *http.Request) { panic(http.ErrAbortHandler) }}

// hang answers nothing as long as the client waits.
var hang = reply{handle: func(_ http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	<-r.Context().Done()
	panic(http.ErrAbortHandler) // not even when the client has gone
}}

func newFake(t *testing.T) *fake {
	f := &fake{t: t, replies: map[string][]reply{}}
	f.on("GET /version", ok(map[string]string{"version": "8.4.21", "release": "8.4", "repoid": "2606ac850d46da29"}))
	f.Server = httptest.NewUnstartedServer(f)
	f.Config.ErrorLog = log.New(io.Discard, "", 0)
	f.StartTLS()
	t.Cleanup(f.Close)
	return f
}

// on queues answers to requests.
func (f *fake) on(at string, replies ...reply) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.replies[at] = replies
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := strings.TrimPrefix(r.URL.Path, apiRoot)
	at := r.Method + " " + path
	q := request{at: at, header: r.Header.Clone()}
	if strings.HasPrefix(r.Header.Get("Content-Type"), formType) {
		_ = r.ParseForm()
		q.form = r.Form
	} else {
		q.form = r.URL.Query()
	}
	f.mu.Lock()
	f.requests = append(f.requests, q)
	queue := f.replies[at]
	if len(queue) > 1 {
		f.replies[at] = queue[1:]
	}
	f.mu.Unlock()
	if len(queue) == 0 {
		queue = []reply{no(http.StatusNotImplemented, fmt.Sprintf("Method '%s' not implemented", at))}
	}
	queue[0].play(w, r)
}

// play answers by hand, because net/http cannot send a reason phrase of its own.
func (p reply) play(w http.ResponseWriter, r *http.Request) {
	if p.handle != nil {
		p.handle(w, r)
		return
	}
	_, _ = io.Copy(io.Discard, r.Body)
	conn, b, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(err)
	}
	defer func() { _ = conn.Close() }()
	reason := p.reason
	if reason == "" {
		reason = http.StatusText(p.status)
	}
	kind := ""
	if p.body != "" {
		kind = "Content-Type: application/json;charset=UTF-8\r\n"
	}
	_, _ = fmt.Fprintf(b, "HTTP/1.1 %d %s\r\n%sConnection: close\r\nContent-Length: %d\r\n\r\n%s", p.status, reason, kind, len(p.body), p.body)
	_ = b.Flush()
}

// count is how often a request came.
func (f *fake) count(at string) int { return len(f.got(at)) }

// got returns the requests that came.
func (f *fake) got(at string) []request {
	f.mu.Lock()
	defer f.mu.Unlock()
	var all []request
	for _, r := range f.requests {
		if r.at == at {
			all = append(all, r)
		}
	}
	return all
}

func (f *fake) ca() string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: f.Certificate().Raw}))
}

// config is how the fake is reached by token.
func (f *fake) config() Config {
	return Config{Endpoints: []string{f.URL}, APIToken: testToken, CACertificate: f.ca(), RequestTimeout: 5 * time.Second}
}

// connected opens a connection for the time of a test.
func connected(t *testing.T, cfg Config) *Client {
	t.Helper()
	c, err := Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

// wants checks the code and some words of an error.
func wants(t *testing.T, err error, code backends.Code, words ...string) {
	t.Helper()
	if backends.CodeOf(err) != code {
		t.Errorf("code %q, want %q: %v", backends.CodeOf(err), code, err)
		return
	}
	text := fmt.Sprint(err)
	if e := told(err); e != nil {
		text += "\n" + e.Remedy
	}
	for _, w := range words {
		if !strings.Contains(text, w) {
			t.Errorf("%q is not in %s", w, text)
		}
	}
}

func mustJSON(v any) []byte {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return text
}

// listen listens at an address that was in use a moment ago.
func listen(address string) (l net.Listener, err error) {
	for range 100 {
		if l, err = net.Listen("tcp", address); err == nil {
			return l, nil
		}
		time.Sleep(10 * time.Millisecond)
	}
	return nil, err
}

// startAt starts a fake on a listener.
func startAt(f *fake, l net.Listener, certs []tls.Certificate) *httptest.Server {
	s := httptest.NewUnstartedServer(f)
	_ = s.Listener.Close()
	s.Listener, s.TLS = l, &tls.Config{Certificates: certs}
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	return s
}
