package pvesim

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// answer is what a client of the tests got.
type answer struct {
	status int
	reason string
	body   map[string]any
	text   string
}

// client is a client with credentials.
type client struct {
	t      *testing.T
	s      *Server
	http   *http.Client
	header http.Header
}

// newClient trusts the server's authority and comes with its token.
func newClient(t *testing.T, s *Server) *client {
	t.Helper()
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM([]byte(s.CACertificate())) {
		t.Fatal("no certificate of an authority")
	}
	tr := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}}
	t.Cleanup(tr.CloseIdleConnections)
	return &client{t: t, s: s, http: &http.Client{Transport: tr}, header: http.Header{"Authorization": {"PVEAPIToken=" + s.Token()}}}
}

// try sends a request with a form, "a=1&b=2".
func (c *client) try(method, path, form string) (answer, error) {
	c.t.Helper()
	target := c.s.URL() + prefix + path
	var body io.Reader
	if method == http.MethodGet || method == http.MethodDelete {
		if form != "" {
			target += "?" + form
		}
	} else {
		body = strings.NewReader(form)
	}
	h, err := http.NewRequestWithContext(c.t.Context(), method, target, body)
	if err != nil {
		c.t.Fatal(err)
	}
	h.Header = c.header.Clone()
	if body != nil {
		h.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	return c.send(h)
}

func (c *client) send(h *http.Request) (answer, error) {
	c.t.Helper()
	got, err := c.http.Do(h)
	if err != nil {
		return answer{}, err
	}
	defer got.Body.Close()
	text, err := io.ReadAll(got.Body)
	if err != nil {
		return answer{}, err
	}
	_, reason, _ := strings.Cut(got.Status, " ")
	a := answer{status: got.StatusCode, reason: reason, text: string(text)}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if got.Header.Get("Content-Type") == "" {
		return a, nil // from ahead of the API
	}
	if len(text) > 0 && d.Decode(&a.body) != nil {
		c.t.Fatalf("%s %s: no JSON: %s", h.Method, h.URL, text)
	}
	return a, nil
}

// do is try where an answer is certain.
func (c *client) do(method, path, form string) answer {
	c.t.Helper()
	a, err := c.try(method, path, form)
	if err != nil {
		c.t.Fatal(err)
	}
	return a
}

// want asserts status and reason.
func (c *client) want(status int, reason, method, path, form string) answer {
	c.t.Helper()
	a := c.do(method, path, form)
	if a.status != status || a.reason != reason {
		c.t.Fatalf("%s %s %s: %d %s\n%s\nwant %d %s", method, path, form, a.status, a.reason, a.text, status, reason)
	}
	return a
}

func TestServer(t *testing.T) {
	s := Start(t, Options{})
	c := newClient(t, s)
	a := c.want(200, "OK", "GET", "/version", "")
	if v, _ := a.body["data"].(map[string]any); v["release"] != "8.4" {
		t.Errorf("version %v", a.body)
	}
	a = c.want(501, "Method 'GET /nosuch' not implemented", "GET", "/nosuch", "")
	if a.body["message"] != "Method 'GET /nosuch' not implemented" {
		t.Errorf("message %q", a.body["message"])
	}
	if n := s.Requests()["GET /version"]; n != 1 {
		t.Errorf("%d requests counted", n)
	}
	if _, err := s.call("GET", "/version", nil); err != nil {
		t.Error(err)
	}
}

func TestServerFaults(t *testing.T) {
	s := Start(t, Options{})
	c := newClient(t, s)
	s.Fault(Fault{Route: "GET /version", Status: 596, Reason: "Broken pipe", Times: 1})
	if a := c.want(596, "Broken pipe", "GET", "/version", ""); a.text != "" {
		t.Errorf("body %q", a.text)
	}
	c.want(200, "OK", "GET", "/version", "")
	s.Fault(Fault{Drop: true})
	if a, err := c.try("GET", "/version", ""); err == nil {
		t.Errorf("dropped, yet answered %v", a)
	}
	s.ClearFaults()
	c.want(200, "OK", "GET", "/version", "")
	if err := s.Restart(); err != nil {
		t.Fatal(err)
	}
	c.want(200, "OK", "GET", "/version", "")
	if u, err := url.Parse(s.URL()); err != nil || u.Scheme != "https" {
		t.Errorf("URL %q", s.URL())
	}
}
