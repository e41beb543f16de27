package pve

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/proxmox/fault"
)

// call is one request, however often it is sent.
type call struct {
	method, path string // path without /api2/json, escaped
	query        url.Values
	body         []byte
	kind         string   // of the body: its content type
	stream       *stream  // in place of body
	anonymous    bool     // sent without login
	harmless     bool     // changes nothing when it comes twice, whatever its method
	secrets      []string // that errors must not show
}

// answer is what came back, whole.
type answer struct {
	status int
	reason string
	header http.Header
	body   []byte
}

const (
	tries   = 4        // how often a read is made whose connection breaks
	largest = 64 << 20 // bytes of an answer
)

// errSlow is the end of the time for one answer.
var errSlow = errors.New("no answer in time")

// exchange sends a request, again where that is safe, and returns the answer: also one that refuses.
// Its errors are about the way there and back.
func (c *Client) exchange(ctx context.Context, q *call) (*answer, error) {
	begun, renewed := time.Now(), false
	var trail trail
	for try, pause := 1, 50*time.Millisecond; ; try, pause = try+1, min(2*pause, 2*time.Second) {
		l, err := c.creds.current(ctx, q)
		if err != nil {
			return nil, err
		}
		p := c.places.current()
		a, err := c.attempt(ctx, q, l, p)
		switch {
		case err != nil && ctx.Err() != nil:
			return nil, ctx.Err()
		case err == nil && a.status == http.StatusUnauthorized && !q.anonymous && !renewed && c.creds.renewable() && q.rewind():
			renewed = true
			if err := c.creds.renew(ctx, l); err != nil {
				return nil, err
			}
			pause = 0
			continue
		case err == nil && c.ails(q, a):
			c.places.leave(p)
		}
		if err == nil && !fault.Passing(a.status) && !(q.reads() && c.passes(q, a)) {
			return a, nil
		}
		trail.add(p, err)
		again := false
		switch elapsed := time.Since(begun); {
		case err == nil: // the proxy does not reach a node
			again = try < tries && elapsed < patience/2 && (q.reads() || a.status == fault.NoConnection)
		case told(err) != nil: // such as a certificate that is not trusted: who asks next has better luck with another endpoint
			c.places.leave(p)
			return nil, err
		case unsent(err):
			c.places.leave(p)
			again = elapsed < c.wait || try < len(c.places.all)
			if try < len(c.places.all) {
				pause = 0
			}
		case errors.Is(err, errSlow):
			c.places.leave(p)
			again = q.reads() && try < 2
		default: // dropped
			c.places.leave(p)
			again = q.reads() && try < tries
		}
		if !again || !q.rewind() {
			if err != nil {
				return nil, trail.explain(q, err)
			}
			return a, nil
		}
		if !sleep(ctx, jitter(pause)) {
			return nil, ctx.Err()
		}
	}
}

// passes reports whether an answer tells of trouble within the cluster that passes by itself: no quorum for a moment,
// a service that restarts.
func (c *Client) passes(q *call, a *answer) bool {
	return a.status == http.StatusInternalServerError && backends.CodeOf(fault.Wrap(c.refusal(q, a), "", "")) == backends.Transient
}

// ails reports whether an answer tells that the endpoint itself is in trouble: its daemon does not answer its proxy, or it is cut off from the
// cluster. Where the request was for a node, it may be that one which is away.
func (c *Client) ails(q *call, a *answer) bool {
	if fault.Passing(a.status) {
		return !strings.HasPrefix(q.path, "/nodes/")
	}
	return a.status == http.StatusInternalServerError && cutOff.MatchString(c.refusal(q, a).Error())
}

// cutOff is what a node says that is not with the others.
var cutOff = regexp.MustCompile(`no quorum|ipcc_send_rec`)

// attempt sends a request once.
func (c *Client) attempt(ctx context.Context, q *call, l *login, p *place) (*answer, error) {
	slots := c.slots
	if q.stream != nil {
		slots = c.uploads
	}
	select {
	case slots <- struct{}{}:
		defer func() { <-slots }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	limited, touch, cancel := deadline(ctx, 2*connecting, c.cfg.RequestTimeout)
	defer cancel()
	limited = httptrace.WithClientTrace(limited, &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { touch() }})
	req, err := q.request(limited, l, p, touch)
	if err != nil {
		return nil, err
	}
	res, err := p.client.Do(req)
	if err == nil {
		defer func() { _ = res.Body.Close() }()
		var body []byte
		body, err = io.ReadAll(io.LimitReader(res.Body, largest+1))
		if len(body) > largest {
			return nil, backends.Errorf(backends.Internal, "", "", "the answer to %s %s is larger than %d MiB", q.method, q.path, largest>>20)
		}
		if err == nil {
			_, reason, _ := strings.Cut(res.Status, " ")
			return &answer{res.StatusCode, reason, res.Header, body}, nil
		}
	}
	if errors.Is(context.Cause(limited), errSlow) && ctx.Err() == nil {
		return nil, fmt.Errorf("%w (%v)", errSlow, c.cfg.RequestTimeout)
	}
	var wrapped *url.Error // its text has the query
	if errors.As(err, &wrapped) {
		err = wrapped.Err
	}
	if q.stream != nil && q.stream.err != nil {
		return nil, backends.Errorf(backends.Internal, "", "", "what is to be uploaded cannot be read: %w", q.stream.err)
	}
	return nil, err
}

// deadline returns a context that ends with errSlow when it was not touched for d, or for more at first.
func deadline(ctx context.Context, more, d time.Duration) (_ context.Context, touch, cancel func()) {
	limited, end := context.WithCancelCause(ctx)
	timer := time.AfterFunc(more+d, func() { end(errSlow) })
	return limited, func() { timer.Reset(d) }, func() {
		timer.Stop()
		end(nil)
	}
}

// request makes the request that is sent to an endpoint.
func (q *call) request(ctx context.Context, l *login, p *place, touch func()) (*http.Request, error) {
	header := http.Header{"User-Agent": {"virtrigaud"}, "Accept": {"application/json"}}
	var body io.Reader
	switch {
	case q.stream != nil:
		body = q.stream.reader(touch)
		header.Set("Content-Type", q.kind)
	case q.kind != "":
		body = bytes.NewReader(q.body)
		header.Set("Content-Type", q.kind)
	}
	at := p.url.String() + q.path
	if len(q.query) > 0 {
		at += "?" + q.query.Encode()
	}
	req, err := l.session.NewRequest(ctx, q.method, at, &header, body)
	if err != nil {
		return nil, backends.Errorf(backends.Internal, "", "", "the path %q cannot be asked for", q.path)
	}
	if q.stream != nil {
		req.ContentLength = q.stream.total
	}
	return req, nil
}

// reads reports whether the request may be sent again though it may have been heard.
func (q *call) reads() bool { return q.method == http.MethodGet || q.harmless }

// rewind makes the request ready to be sent again, or reports false.
func (q *call) rewind() bool { return q.stream == nil || q.stream.rewind() }

// told returns the error that one is already, such as that of a certificate.
func told(err error) *backends.Error {
	var e *backends.Error
	if errors.As(err, &e) {
		return e
	}
	return nil
}

// unsent reports whether a request that ended with err cannot have been executed.
func unsent(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "dial"
}

// jitter keeps those that wait for the same from coming back at the same time.
func jitter(d time.Duration) time.Duration {
	if d <= 0 {
		return 0
	}
	return d/2 + rand.N(d)
}

// sleep reports false where ctx ended first.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}
