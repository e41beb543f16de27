package diskimage

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// fetcher makes the requests for one source.
type fetcher struct {
	url    string
	client *http.Client
	limits Limits
}

func newFetcher(s Source) (*fetcher, error) {
	if err := ValidateURL(s.URL); err != nil {
		return nil, err
	}
	limits := s.Limits.withDefaults()
	transport := s.Transport
	if transport == nil {
		transport = &http.Transport{
			Proxy:               http.ProxyFromEnvironment,
			DialContext:         (&net.Dialer{Timeout: limits.ConnectTimeout}).DialContext,
			TLSHandshakeTimeout: limits.ConnectTimeout,
			ForceAttemptHTTP2:   true,
			// The checksum is that of the file as published, so nothing may
			// be decompressed underneath.
			DisableCompression: true,
			// One big answer per source: an idle connection would only leak.
			DisableKeepAlives: true,
		}
	}
	return &fetcher{
		url:    s.URL,
		limits: limits,
		client: &http.Client{Transport: transport, CheckRedirect: checkRedirect},
	}, nil
}

// checkRedirect keeps credentials and secret URLs from travelling to another
// host, and a transfer that began with TLS from losing it.
func checkRedirect(req *http.Request, via []*http.Request) error {
	if len(via) > maxRedirects {
		return errorf(Invalid, "the server redirects more than %d times", maxRedirects)
	}
	if s := req.URL.Scheme; s != "http" && s != "https" {
		return errorf(Invalid, "the server redirects to a %q URL, only http and https are followed", s)
	}
	first := via[0].URL
	if via[len(via)-1].URL.Scheme == "https" && req.URL.Scheme != "https" {
		return errorf(Denied, "the server redirects from https to %s, which gives up the encryption; if that is wanted, name that URL yourself", redact(req.URL.String()))
	}
	req.Header.Del("Referer")
	req.Header.Del("Authorization")
	req.URL.User = nil
	if sameOrigin(first, req.URL) {
		req.URL.User = first.User
	}
	return nil
}

// sameOrigin reports whether credentials for a may be sent to b: the same host
// and port, or the step from plain http to https on their own ports.
func sameOrigin(a, b *url.URL) bool {
	if !strings.EqualFold(a.Hostname(), b.Hostname()) {
		return false
	}
	if a.Scheme == b.Scheme {
		return port(a) == port(b)
	}
	return a.Scheme == "http" && port(a) == "80" && b.Scheme == "https" && port(b) == "443"
}

func port(u *url.URL) string {
	switch p := u.Port(); {
	case p != "":
		return p
	case u.Scheme == "https":
		return "443"
	}
	return "80"
}

// answer is the answer to one request. Its Read fails when the server sends
// nothing for the idle timeout.
type answer struct {
	*http.Response
	ctx    context.Context
	cancel context.CancelCauseFunc
	timer  *time.Timer
	idle   time.Duration
}

func (a *answer) Read(p []byte) (int, error) {
	a.timer.Reset(a.idle)
	n, err := a.Body.Read(p)
	a.timer.Stop()
	if err != nil && err != io.EOF {
		if c := context.Cause(a.ctx); c != nil {
			err = c
		}
	}
	return n, err
}

func (a *answer) close() {
	a.cancel(nil)
	a.timer.Stop()
	a.Body.Close()
}

// once makes one request. The error is an *Error; see permanent.
func (f *fetcher) once(ctx context.Context, method string, header http.Header) (*answer, error) {
	actx, cancel := context.WithCancelCause(ctx)
	patience := f.limits.ConnectTimeout + f.limits.IdleTimeout
	timer := time.AfterFunc(patience, func() {
		cancel(errorf(Unreachable, "the server did not answer within %s", patience))
	})
	fail := func(err error) (*answer, error) {
		timer.Stop()
		cancel(nil)
		return nil, err
	}
	req, err := http.NewRequestWithContext(actx, method, f.url, nil)
	if err != nil {
		return fail(errorf(Invalid, "the URL cannot be used for a request"))
	}
	for k, v := range header {
		req.Header[k] = v
	}
	req.Header.Set("Accept-Encoding", "identity")
	req.Header.Set("User-Agent", "terraform-provider-virtrigaud")
	resp, err := f.client.Do(req) //nolint:bodyclose // the answer closes it
	if err != nil {
		if ctx.Err() == nil && context.Cause(actx) != nil {
			err = context.Cause(actx)
		}
		return fail(requestError(ctx, err))
	}
	timer.Stop()
	// From here on the timer is armed during reads only.
	timer = time.AfterFunc(time.Hour, func() {
		cancel(errorf(Unreachable, "the server sent nothing for %s", f.limits.IdleTimeout))
	})
	timer.Stop()
	return &answer{Response: resp, ctx: actx, cancel: cancel, timer: timer, idle: f.limits.IdleTimeout}, nil
}

// permanentError marks what another try cannot cure.
type permanentError struct{ error }

func (p permanentError) Unwrap() error { return p.error }

// permanent tells whether err is marked, and returns it without the mark.
func permanent(err error) (bool, error) {
	var p permanentError
	if errors.As(err, &p) {
		return true, p.error
	}
	return false, err
}

func requestError(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return permanentError{fmt.Errorf("the transfer was stopped: %w", ctx.Err())}
	}
	err = cause(err)
	var own *Error
	if errors.As(err, &own) {
		if own.Kind == Unreachable {
			return own
		}
		return permanentError{own}
	}
	e := &Error{Kind: Unreachable, Msg: "the server cannot be reached: " + scrub(err.Error()), Err: beneath(err)}
	var dns *net.DNSError
	var cert *tls.CertificateVerificationError
	var unknown x509.UnknownAuthorityError
	var record tls.RecordHeaderError
	switch {
	case errors.As(err, &dns) && dns.IsNotFound:
		e.Msg = fmt.Sprintf("there is no host named %q", dns.Name)
	case errors.As(err, &cert), errors.As(err, &unknown):
		e.Kind = Denied
		e.Msg = "the certificate of the server is not trusted: " + scrub(err.Error())
	case errors.As(err, &record):
		e.Msg = "the server does not speak TLS on this port; is it http instead of https? (" + scrub(err.Error()) + ")"
	case strings.Contains(err.Error(), "server gave HTTP response to HTTPS client"):
		e.Msg = "the server answers plain http on this port; write http instead of https, or name the port for https"
	default:
		return e
	}
	return permanentError{e}
}

// beneath returns err for Error.Err. The network's own timeouts claim to be
// context.DeadlineExceeded, though nobody's context has ended; they are left out.
func beneath(err error) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return nil
	}
	return err
}

// statusError says what a status other than success means, and how long the
// server asks to wait before another try.
func statusError(resp *http.Response) (wait time.Duration, err error) {
	// http.StatusText, not resp.Status: the server's own words may be anything.
	status := strings.TrimSpace(strconv.Itoa(resp.StatusCode) + " " + http.StatusText(resp.StatusCode))
	switch c := resp.StatusCode; {
	case c == http.StatusNotFound || c == http.StatusGone:
		err = errorf(NotFound, "the server has no such file (%s)", status)
	case c == http.StatusUnauthorized:
		err = errorf(Denied, "the server asks for other or any credentials (%s); they can be given in the URL, as in https://user:password@host/path", status)
	case c == http.StatusForbidden:
		err = errorf(Denied, "the server refuses to hand out the file (%s); a signed URL may have expired", status)
	case c == http.StatusProxyAuthRequired:
		err = errorf(Denied, "the proxy asks for credentials (%s); they can be given in HTTPS_PROXY", status)
	case c == http.StatusRequestTimeout, c == http.StatusTooEarly, c == http.StatusTooManyRequests, c >= 500:
		if s, perr := strconv.Atoi(resp.Header.Get("Retry-After")); perr == nil && s > 0 {
			wait = time.Duration(min(s, int(maxRetryDelay/time.Second))) * time.Second
		}
		return wait, errorf(Unreachable, "the server cannot answer at the moment (%s)", status)
	default:
		err = errorf(Invalid, "the server gives an unexpected answer (%s)", status)
	}
	return 0, permanentError{err}
}

// retry calls try until it succeeds, fails for good, or has failed MaxTries
// times. try may ask for a minimum pause.
func (f *fetcher) retry(ctx context.Context, try func() (time.Duration, error)) error {
	for failed := 1; ; failed++ {
		wait, err := try()
		if err == nil {
			return nil
		}
		if ok, err := permanent(err); ok {
			return err
		}
		if failed >= f.limits.MaxTries {
			var e *Error
			if errors.As(err, &e) && failed > 1 {
				last := *e
				last.Msg += fmt.Sprintf("; tried %d times", failed)
				return &last
			}
			return err
		}
		if err := f.pause(ctx, failed, wait); err != nil {
			return err
		}
	}
}

// pause waits before another try: longer each time, never the same for two
// transfers that failed together.
func (f *fetcher) pause(ctx context.Context, failed int, atLeast time.Duration) error {
	d := f.limits.RetryDelay
	for i := 1; i < failed && d < maxRetryDelay; i++ {
		d *= 2
	}
	d = min(d, maxRetryDelay)
	d = max(d/2+rand.N(d/2+1), atLeast)
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("the transfer was stopped: %w", ctx.Err())
	}
}
