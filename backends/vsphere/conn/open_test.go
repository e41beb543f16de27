package conn

import (
	"context"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/vcsim"
)

// to is how a test connects to the simulator.
func to(s *vcsim.Server) Config {
	return Config{Endpoint: s.Endpoint(), Username: s.Username(), Password: s.Password(), CACertificate: s.CACertificate()}
}

// connected opens a connection that is closed at the end of the test.
func connected(t *testing.T, cfg Config) *Conn {
	t.Helper()
	c, err := Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func TestEndpointForms(t *testing.T) {
	s := vcsim.Start(t, vcsim.Options{})
	u, _ := url.Parse(s.Endpoint())
	for _, form := range []string{u.Host, "https://" + u.Host, "https://" + u.Host + "/", s.Endpoint(), s.Endpoint() + "/", "  " + u.Host + "\n"} {
		cfg := to(s)
		cfg.Endpoint = form
		c := connected(t, cfg)
		if !c.VCenter() || c.Endpoint() != s.Endpoint() {
			t.Errorf("%q: endpoint %s, vCenter %v", form, c.Endpoint(), c.VCenter())
		}
	}
}

func TestRefusedBeforeConnecting(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*Config)
		want   string
	}{
		"no endpoint":    {func(c *Config) { c.Endpoint = " " }, "no endpoint"},
		"no user":        {func(c *Config) { c.Username = "" }, "no username"},
		"no password":    {func(c *Config) { c.Password = "" }, "no password"},
		"plain HTTP":     {func(c *Config) { c.Endpoint = "http://vc" }, "not https"},
		"no host":        {func(c *Config) { c.Endpoint = "https:///sdk" }, "no host"},
		"bad port":       {func(c *Config) { c.Endpoint = "vc:http" }, "invalid port"},
		"credentials":    {func(c *Config) { c.Endpoint = "https://u:hidden@vc" }, "holds credentials"},
		"bad PEM":        {func(c *Config) { c.CACertificate = "/etc/ca.pem" }, "PEM"},
		"bad thumbprint": {func(c *Config) { c.Thumbprint = "AB:CD" }, "thumbprint"},
		"bad cache":      {func(c *Config) { c.SessionCache = "/dev/null/x" }, "session cache"},
	} {
		cfg := Config{Endpoint: "vc", Username: "u", Password: "hidden"}
		test.change(&cfg)
		_, err := Open(t.Context(), cfg)
		var e *backends.Error
		if !errors.As(err, &e) || e.Code != backends.Invalid || !strings.Contains(err.Error(), test.want) || e.Remedy == "" || strings.Contains(err.Error(), "hidden") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestTrust(t *testing.T) {
	s := vcsim.Start(t, vcsim.Options{})
	bare := func(p string) string { return strings.ToLower(strings.ReplaceAll(p, ":", "")) }
	for name, test := range map[string]struct {
		change func(*Config)
		want   string // in error and remedy, or "" for success
	}{
		"authority":           {func(*Config) {}, ""},
		"SHA-256":             {func(c *Config) { c.CACertificate, c.Thumbprint = "", s.Thumbprint() }, ""},
		"SHA-256, bare":       {func(c *Config) { c.CACertificate, c.Thumbprint = "", bare(s.Thumbprint()) }, ""},
		"SHA-1":               {func(c *Config) { c.CACertificate, c.Thumbprint = "", s.ThumbprintSHA1() }, ""},
		"SHA-1, bare":         {func(c *Config) { c.CACertificate, c.Thumbprint = "", bare(s.ThumbprintSHA1()) }, ""},
		"insecure":            {func(c *Config) { c.CACertificate, c.Insecure = "", true }, ""},
		"unknown authority":   {func(c *Config) { c.CACertificate = "" }, "not trusted"},
		"other thumbprint":    {func(c *Config) { c.Thumbprint = strings.Repeat("AB", 32) }, "not the one that thumbprint names"},
		"other, but insecure": {func(c *Config) { c.Thumbprint, c.Insecure = strings.Repeat("AB", 20), true }, "not the one that thumbprint names"},
	} {
		cfg := to(s)
		test.change(&cfg)
		c, err := Open(t.Context(), cfg)
		if test.want == "" {
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			_ = c.Close()
			continue
		}
		var e *backends.Error
		if !errors.As(err, &e) || e.Code != backends.Auth || !strings.Contains(err.Error(), test.want) || !strings.Contains(e.Remedy, s.Thumbprint()) {
			t.Errorf("%s: %v; %+v", name, err, e)
		}
	}
}

func TestCertificateOfAnotherName(t *testing.T) {
	s := httptest.NewUnstartedServer(http.NotFoundHandler())
	listener, err := net.Listen("tcp", "127.0.0.2:0") // the certificate is for 127.0.0.1
	if err != nil {
		t.Fatal(err)
	}
	_ = s.Listener.Close()
	s.Listener = listener
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	defer s.Close()
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
	_, err = Open(t.Context(), Config{Endpoint: listener.Addr().String(), Username: "u", Password: "p", CACertificate: string(ca)})
	if backends.CodeOf(err) != backends.Auth || !strings.Contains(err.Error(), "for another name") {
		t.Error(err)
	}
}

func TestWhatDoesNotAnswer(t *testing.T) {
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := free.Addr().String()
	_ = free.Close()
	plain := httptest.NewServer(http.NotFoundHandler())
	defer plain.Close()
	web := func(status int, body string) string {
		s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			_, _ = w.Write([]byte(body))
		}))
		t.Cleanup(s.Close)
		return s.Listener.Addr().String()
	}
	for name, test := range map[string]struct {
		endpoint string
		code     backends.Code
	}{
		"nobody":      {closed, backends.Transient},
		"no name":     {"vcenter.invalid", backends.Transient},
		"no TLS":      {plain.Listener.Addr().String(), backends.Invalid},
		"web site":    {web(200, "<html><body>Welcome</body></html>"), backends.Invalid},
		"not found":   {web(404, "no"), backends.Invalid},
		"empty":       {web(200, ""), backends.Transient},
		"starting":    {web(503, "503 Service Unavailable (Failed to connect to endpoint)"), backends.Transient},
		"starting up": {web(503, "wait"), backends.Transient},
	} {
		begun := time.Now()
		_, err := Open(t.Context(), Config{Endpoint: test.endpoint, Username: "u", Password: "p", Insecure: true})
		if backends.CodeOf(err) != test.code {
			t.Errorf("%s: %s: %v", name, backends.CodeOf(err), err)
			continue
		}
		if d := time.Since(begun); d > 5*time.Second {
			t.Errorf("%s: took %v", name, d)
		}
		if name == "nobody" && !strings.Contains(err.Error(), closed) {
			t.Errorf("%s: the endpoint is not named: %v", name, err)
		}
		t.Logf("%s: %v", name, err)
	}
}

// Where a proxy is in between, the certificate is still the server's to show.
func TestTrustThroughAProxy(t *testing.T) {
	s := vcsim.Start(t, vcsim.Options{})
	used := make(chan string, 20)
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		used <- r.Method
		target, err := net.Dial("tcp", r.Host)
		if err != nil {
			t.Error(err)
			return
		}
		client, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		_, _ = io.WriteString(client, "HTTP/1.1 200 OK\r\n\r\n")
		go func() { _, _ = io.Copy(target, client); _ = target.Close() }()
		go func() { _, _ = io.Copy(client, target); _ = client.Close() }()
	}))
	defer proxy.Close()
	at, err := parseEndpoint(to(s))
	if err != nil {
		t.Fatal(err)
	}
	for thumbprint, want := range map[string]backends.Code{"": "", s.Thumbprint(): "", strings.Repeat("AB", 32): backends.Auth} {
		cfg := to(s)
		cfg.Thumbprint = thumbprint
		tr, err := newTrust(cfg, at)
		if err != nil {
			t.Fatal(err)
		}
		c := &Conn{cfg: cfg, at: at, soap: newClient(at, tr)}
		c.soap.DefaultTransport().Proxy = func(*http.Request) (*url.URL, error) { return url.Parse(proxy.URL) }
		_, err = c.greet(t.Context())
		if backends.CodeOf(err) != want {
			t.Errorf("%q: %v", thumbprint, err)
		}
		c.soap.CloseIdleConnections()
	}
	if len(used) == 0 {
		t.Error("the proxy was not used")
	}
}

func TestHangingServerEndsWithTheContext(t *testing.T) {
	s := vcsim.Start(t, vcsim.Options{})
	s.Hang("RetrieveServiceContent", "", 1)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := Open(ctx, to(s)); backends.CodeOf(err) != backends.Timeout {
		t.Error(err)
	}
	s.Hang("Login", "", 1)
	ctx, cancel = context.WithCancel(t.Context())
	time.AfterFunc(50*time.Millisecond, cancel)
	if _, err := Open(ctx, to(s)); backends.CodeOf(err) != backends.Canceled {
		t.Error(err)
	}
}

func TestWrongPasswordIsTriedOnce(t *testing.T) {
	s := vcsim.Start(t, vcsim.Options{})
	cfg := to(s)
	cfg.Password = "not the word"
	_, err := Open(t.Context(), cfg)
	var e *backends.Error
	if !errors.As(err, &e) || e.Code != backends.Auth || !strings.Contains(e.Remedy, "VSPHERE_USER") || strings.Contains(err.Error()+e.Remedy, cfg.Password) {
		t.Errorf("%v; %+v", err, e)
	}
	if s.WrongPasswords() != 1 || s.Locked() {
		t.Errorf("%d wrong passwords", s.WrongPasswords())
	}
	t.Log(err)
}

func TestVersions(t *testing.T) {
	for _, v := range []struct {
		a, b string
		want bool
	}{{"6.0", "6.5", true}, {"6.7", "6.7", false}, {"6.7.3", "6.7", false}, {"8.0.2.0", "8.0.10.0", true}, {"10.0", "9.1.0.0", false}} {
		if before(v.a, v.b) != v.want {
			t.Error(v)
		}
	}
	if speak("7.0.3.0") != "7.0.3.0" || speak("99.0") == "99.0" {
		t.Error(speak("7.0.3.0"), speak("99.0"))
	}
}

func TestStandAloneHost(t *testing.T) {
	s := vcsim.Start(t, vcsim.Options{ESXi: true})
	c := connected(t, to(s))
	if c.VCenter() || c.About().ApiType != "HostAgent" {
		t.Errorf("%+v", c.About())
	}
	_, rest := c.REST(t.Context())
	_, pbm := c.PBM(t.Context())
	for _, err := range []error{rest, pbm} {
		if backends.CodeOf(err) != backends.Unsupported {
			t.Error(err)
		}
	}
}
