package conn

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"time"

	"github.com/vmware/govmomi/vapi/rest"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/vsphere/fault"
)

const (
	restSessionPath   = "/rest/com/vmware/cis/session"
	restSessionHeader = "vmware-api-session-id"
)

// restSession is the session of the REST API. It is the transport of the client that REST returns: a call
// that finds the session ended is made again in a new one.
type restSession struct {
	conn *Conn
	turn mutex
	next http.RoundTripper

	client *rest.Client // nil until it is asked for; set once, under turn
	usable bool
	closed bool
	// refused is why no login is tried any more.
	refused error
}

// REST returns the client of vCenter's REST API (tags, content libraries), logged in.
// A stand-alone ESXi has none: Unsupported.
func (c *Conn) REST(ctx context.Context) (*rest.Client, error) {
	const op = "reach the REST API"
	if !c.VCenter() {
		return nil, backends.Errorf(backends.Unsupported, op, "", "a stand-alone ESXi has no tags and no content libraries").
			Advise("Connect to a vCenter.")
	}
	r := &c.rest
	if err := r.turn.lock(ctx); err != nil {
		return nil, fault.Wrap(err, op, "")
	}
	defer r.turn.unlock()
	switch {
	case r.closed:
		return nil, backends.Errorf(backends.Canceled, op, "", "%w", errClosed)
	case r.usable:
		return r.client, nil
	case r.client == nil:
		client := rest.NewClient(c.vim)
		client.Jar, _ = cookiejar.New(nil) // the session is in a header
		r.next = r.conn.soap.Transport
		client.Transport = r
		if c.cache != nil {
			client.SessionID(c.cache.rest) // the first call finds out whether it has ended
		}
		r.client = client
	}
	if r.client.SessionID() == "" {
		if err := r.login(ctx); err != nil {
			return nil, fault.Wrap(err, op, "")
		}
	}
	r.usable = true
	return r.client, nil
}

// login makes a session. The caller has the turn. A login that is refused is the last: wrong passwords lock accounts.
func (r *restSession) login(ctx context.Context) error {
	if r.refused != nil {
		return r.refused
	}
	if _, err := r.conn.session.current(); err != nil {
		return err
	}
	r.client.SessionID("")
	if err := r.client.Login(ctx, url.UserPassword(r.conn.cfg.Username, r.conn.cfg.Password)); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		wrapped := fault.Wrap(err, "log in to vCenter's REST API", "")
		if backends.CodeOf(wrapped) == backends.Auth {
			r.refused = wrapped
		}
		if rest.IsStatusError(err, http.StatusUnauthorized) {
			r.conn.session.doubt(wrapped)
		}
		return wrapped
	}
	if r.conn.cache != nil {
		r.conn.session.mu.Lock()
		cookie := r.conn.session.cookie
		r.conn.session.mu.Unlock()
		r.conn.cache.save(cookie, r.client.SessionID())
	}
	return nil
}

// renew makes a new session, unless somebody has done so since the one that ended.
func (r *restSession) renew(ctx context.Context, ended string) error {
	if err := r.turn.lock(ctx); err != nil {
		return err
	}
	defer r.turn.unlock()
	if id := r.client.SessionID(); id != "" && id != ended {
		return nil
	}
	if r.closed {
		return errClosed
	}
	return r.login(ctx)
}

// id returns the session's id, "" where there is none or it is being made.
func (r *restSession) id() string {
	if !r.turn.tryLock() {
		return ""
	}
	defer r.turn.unlock()
	if r.client == nil {
		if r.conn.cache != nil {
			return r.conn.cache.rest
		}
		return ""
	}
	return r.client.SessionID()
}

// touch keeps the session alive, if there is one.
func (r *restSession) touch(ctx context.Context) {
	if r.turn.lock(ctx) != nil {
		return
	}
	client := r.client
	r.turn.unlock()
	if client != nil && client.SessionID() != "" {
		_, _ = client.Session(ctx)
	}
}

// logout ends the session, if there is one.
func (r *restSession) logout(ctx context.Context) error {
	if err := r.turn.lock(ctx); err != nil {
		return err
	}
	defer r.turn.unlock()
	r.closed, r.usable = true, false
	if r.client == nil || r.client.SessionID() == "" {
		return nil
	}
	err := r.client.Logout(ctx)
	if rest.IsStatusError(err, http.StatusUnauthorized) {
		return nil
	}
	return err
}

// RoundTrip sends a request, again where the session ended or nothing was executed.
func (r *restSession) RoundTrip(req *http.Request) (*http.Response, error) {
	own := strings.HasSuffix(req.URL.Path, restSessionPath)
	ctx, start, pause := req.Context(), time.Now(), 50*time.Millisecond
	if req.Header.Get("Accept") == "application/json" { // no transfer of a file
		var err error
		if req, err = buffered(req); err != nil {
			return nil, err
		}
	}
	for try, renewed := 1, false; ; try++ {
		used := req.Header.Get(restSessionHeader)
		res, err := r.next.RoundTrip(req)
		again := false
		switch {
		case own || ctx.Err() != nil || !rewindable(req):
		case err != nil:
			again = unsent(err) && time.Since(start) < patience || idempotent(req) && try < tries && fault.Code(err) == backends.Transient
		case res.StatusCode == http.StatusUnauthorized && !renewed:
			renewed = true
			drain(res)
			if err := r.renew(ctx, used); err != nil {
				return nil, err
			}
			if req, err = rewound(req, r.client.SessionID()); err != nil {
				return nil, err
			}
			continue
		case idempotent(req) && try < tries && unwell(res.StatusCode):
			again = true
		}
		if !again {
			if err == nil && res.StatusCode >= http.StatusBadRequest {
				describe(res)
			}
			return res, err
		}
		if res != nil {
			drain(res)
		}
		if !sleep(ctx, pause) {
			return nil, ctx.Err()
		}
		pause = min(2*pause, 2*time.Second)
		if req, err = rewound(req, used); err != nil {
			return nil, err
		}
	}
}

func unwell(status int) bool {
	return status == http.StatusBadGateway || status == http.StatusServiceUnavailable || status == http.StatusGatewayTimeout
}

// idempotent reports whether a request can be made twice with the result of one: it reads, or it lists, attaches or
// takes away what is attached already or no more.
func idempotent(req *http.Request) bool {
	return req.Method == http.MethodGet || req.Method == http.MethodHead || strings.HasSuffix(req.URL.Path, "/cis/tagging/tag-association")
}

// rewindable reports whether a request's body can be sent again.
func rewindable(req *http.Request) bool {
	return req.Body == nil || req.Body == http.NoBody || req.GetBody != nil
}

// rewound returns the request from its beginning, in the session of that id.
func rewound(req *http.Request, id string) (*http.Request, error) {
	c := req.Clone(req.Context())
	if id != "" {
		c.Header.Set(restSessionHeader, id)
	}
	if req.GetBody == nil {
		return c, nil
	}
	var err error
	c.Body, err = req.GetBody()
	return c, err
}

func drain(res *http.Response) {
	_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, 64<<10))
	_ = res.Body.Close()
}

// describe puts what the body says of an error into the status line, which is all that govmomi's
// client keeps of it. Of a 400 it keeps the body.
func describe(res *http.Response) {
	body, err := io.ReadAll(io.LimitReader(res.Body, 64<<10))
	_ = res.Body.Close()
	res.Body = io.NopCloser(bytes.NewReader(body))
	if err != nil || res.StatusCode == http.StatusBadRequest {
		return
	}
	if kind, text := fault.Explain(body); kind != "" || text != "" {
		res.Status += ": (" + kind + ") " + strings.Join(strings.Fields(text), " ")
	}
}

// mutex is a lock that is waited for no longer than a context lasts.
type mutex struct{ turn chan struct{} }

func newMutex() mutex { return mutex{make(chan struct{}, 1)} }

func (m mutex) lock(ctx context.Context) error {
	select {
	case m.turn <- struct{}{}:
		return nil
	default:
	}
	select {
	case m.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (m mutex) tryLock() bool {
	select {
	case m.turn <- struct{}{}:
		return true
	default:
		return false
	}
}

func (m mutex) unlock() { <-m.turn }
