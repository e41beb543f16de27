package conn

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"

	"github.com/vmware/govmomi/vim25/soap"
)

// agent is what vSphere's lists of sessions show of us.
const agent = "virtrigaud"

// parallel is how many connections are kept for calls side by side.
const parallel = 64

// newClient makes the HTTP client that everything shares.
func newClient(at *url.URL, t *trust) *soap.Client {
	c := soap.NewClient(at, false)
	c.UserAgent = agent
	h := c.DefaultTransport()
	h.DialContext = t.dialer.DialContext
	h.DialTLSContext = t.dial
	h.TLSClientConfig = t.proxied()
	h.MaxIdleConns, h.MaxIdleConnsPerHost = 2*parallel, parallel
	t.leased = c.Thumbprint
	c.Transport = &replayable{h}
	return c
}

// replayable sends requests in a form in which net/http may send them again itself, where
// a kept connection turns out to be closed before anything was written.
type replayable struct{ next http.RoundTripper }

// unserved is an answer of a proxy that did not reach the service: the call was not executed.
type unserved struct{ status string }

func (u *unserved) Error() string { return u.status }

// RoundTrip sends a call to the SDK; a 503 of a proxy without a service becomes an unserved error.
func (r *replayable) RoundTrip(req *http.Request) (*http.Response, error) {
	if strings.HasPrefix(req.Header.Get("Content-Type"), "text/xml") {
		var err error
		if req, err = buffered(req); err != nil {
			return nil, err
		}
	}
	if req.Header.Get("User-Agent") == "" {
		req = req.Clone(req.Context())
		req.Header.Set("User-Agent", agent)
	}
	res, err := r.next.RoundTrip(req)
	if err != nil || res.StatusCode != http.StatusServiceUnavailable {
		return res, err
	}
	defer func() { _ = res.Body.Close() }()
	page, err := io.ReadAll(io.LimitReader(res.Body, 64<<10))
	if err == nil && notForwarded(string(page)) {
		return nil, &unserved{res.Status}
	}
	res.Body = io.NopCloser(bytes.NewReader(page))
	return res, nil
}

// buffered returns the request such that its body can be sent more than once. govmomi sends bodies of a
// kind that cannot.
func buffered(req *http.Request) (*http.Request, error) {
	if req.Body == nil || req.Body == http.NoBody || req.GetBody != nil {
		return req, nil
	}
	body, err := io.ReadAll(req.Body)
	_ = req.Body.Close()
	if err != nil {
		return nil, err
	}
	req = req.Clone(req.Context())
	req.ContentLength = int64(len(body))
	req.GetBody = func() (io.ReadCloser, error) {
		if len(body) == 0 {
			return http.NoBody, nil
		}
		return io.NopCloser(bytes.NewReader(body)), nil
	}
	req.Body, _ = req.GetBody()
	return req, nil
}

// notForwarded reports whether the proxy in front of vSphere's services says that it did not hand a request on.
func notForwarded(page string) bool {
	for _, sign := range []string{"Failed to connect to endpoint", "no healthy upstream", "delayed connect error", "reason: connection failure", "Connection refused"} {
		if strings.Contains(page, sign) {
			return true
		}
	}
	return false
}

// unsent reports whether a call that ended with err cannot have been executed.
func unsent(err error) bool {
	var op *net.OpError
	var proxy *unserved
	return errors.As(err, &op) && op.Op == "dial" || errors.As(err, &proxy)
}
