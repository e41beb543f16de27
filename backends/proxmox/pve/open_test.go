package pve

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/certificate"
)

func TestOpenByToken(t *testing.T) {
	f := newFake(t)
	c := connected(t, f.config())
	if v := c.Version(); v.Major != 8 || v.Minor != 4 || v.Patch != 21 || v.String() != "8.4.21" || !v.AtLeast(8, 4) || v.AtLeast(9, 0) {
		t.Errorf("%+v", v)
	}
	if c.User() != "root@pam!tf" {
		t.Error(c.User())
	}
	for _, r := range f.got("GET /version") {
		if r.header.Get("Authorization") != "PVEAPIToken="+testToken {
			t.Error(r.header)
		}
	}
	if n := f.count("GET /version"); n != 1 {
		t.Errorf("%d requests", n)
	}
}

func TestEndpointForms(t *testing.T) {
	for text, want := range map[string]string{
		"pve1":                                  "https://pve1:8006/api2/json",
		" pve1:8006 ":                           "https://pve1:8006/api2/json",
		"https://pve1":                          "https://pve1:8006/api2/json",
		"https://pve1:8006/":                    "https://pve1:8006/api2/json",
		"https://pve1:443/api2/json":            "https://pve1:443/api2/json",
		"https://pve1:8006/api2/json/":          "https://pve1:8006/api2/json",
		"https://pve1:8006/api2":                "https://pve1:8006/api2/json",
		"https://proxy.example/pve":             "https://proxy.example:8006/pve/api2/json",
		"10.0.0.1":                              "https://10.0.0.1:8006/api2/json",
		"fd00::1":                               "https://[fd00::1]:8006/api2/json",
		"[fd00::1]:8443":                        "https://[fd00::1]:8443/api2/json",
		"https://[fd00::1]/#v1:0:=node%2Fpve1:": "https://[fd00::1]:8006/api2/json",
	} {
		u, err := parseEndpoint(text)
		if err != nil || u.String() != want {
			t.Errorf("%q: %v %v", text, u, err)
		}
	}
	for text, words := range map[string]string{
		"http://pve1:8006":          "not encrypted",
		"ftp://pve1":                "scheme",
		"":                          "names no host",
		"https://":                  "names no host",
		"https://root:geheim@pve1":  "credentials",
		"pve1:port":                 "port",
		"https://pve1:8006:secret@": "credentials",
	} {
		_, err := parseEndpoint(text)
		wants(t, err, backends.Invalid, words)
		if err != nil && (strings.Contains(err.Error(), "geheim") || strings.Contains(err.Error(), "secret")) {
			t.Error(err)
		}
	}
}

func TestConfigIsRefused(t *testing.T) {
	for words, cfg := range map[string]Config{
		"no endpoint":    {APIToken: testToken},
		"no credentials": {Endpoints: []string{"pve1"}},
		"no password":    {Endpoints: []string{"pve1"}, Username: "root@pam"},
		"no realm":       {Endpoints: []string{"pve1"}, Username: "root", Password: "x"},
		"API token and":  {Endpoints: []string{"pve1"}, APIToken: testToken, Username: "root@pam"},
		"the form":       {Endpoints: []string{"pve1"}, APIToken: "root@pam!tf"},
		"user@realm!na":  {Endpoints: []string{"pve1"}, APIToken: "root@pam=geheim"},
		"ca_certificate": {Endpoints: []string{"pve1"}, APIToken: testToken, CACertificate: "nonsense"},
		"fingerprint":    {Endpoints: []string{"pve1"}, APIToken: testToken, Fingerprint: "AA:BB"},
		"TOTP":           {Endpoints: []string{"pve1"}, Username: "root@pam", Password: "x", OTP: "0189"},
	} {
		_, err := Open(t.Context(), cfg)
		wants(t, err, backends.Invalid, words)
		if e := told(err); e == nil || e.Remedy == "" {
			t.Errorf("%v has no remedy", err)
		}
		if strings.Contains(err.Error(), "geheim") {
			t.Error(err)
		}
	}
}

func TestWrongToken(t *testing.T) {
	f := newFake(t)
	f.on("GET /version", bare(401, "Authentication failed!"))
	_, err := Open(t.Context(), f.config())
	wants(t, err, backends.Auth, "root@pam!tf", "Authentication failed!", "api_token")
	if strings.Contains(err.Error(), "12345678") || f.count("GET /version") != 1 {
		t.Error(err, f.count("GET /version"))
	}
}

func TestNotProxmox(t *testing.T) {
	for _, body := range []string{`<html>router</html>`, `{"data":{"version":"none"}}`, `{"data":null}`, ``, `[]`, `{"data":[]}`} {
		f := newFake(t)
		f.on("GET /version", reply{handle: func(w http.ResponseWriter, _ *http.Request) {
			if strings.HasPrefix(body, "<") {
				w.Header().Set("Content-Type", "text/html")
			}
			_, _ = w.Write([]byte(body))
		}})
		_, err := Open(t.Context(), f.config())
		if code := backends.CodeOf(err); code != backends.Invalid && code != backends.Internal || !strings.HasPrefix(err.Error(), "Unable to connect to Proxmox VE: ") {
			t.Errorf("%s: %v", body, err)
		}
	}
}

func TestFingerprint(t *testing.T) {
	f := newFake(t)
	digest := sha256.Sum256(f.Certificate().Raw)
	right, wrong := certificate.Colons(digest[:]), strings.Repeat("AB:", 31)+"AB"
	for _, text := range []string{right, strings.ToLower(right), strings.ReplaceAll(right, ":", ""), wrong + ", " + right, "sha256:" + right} {
		cfg := f.config()
		cfg.CACertificate, cfg.Fingerprint = "", text
		connected(t, cfg)
	}
	cfg := f.config()
	cfg.Fingerprint = wrong // a trusted certificate is not enough
	_, err := Open(t.Context(), cfg)
	wants(t, err, backends.Auth, "not the one that fingerprint names", right)
}

func TestDistrust(t *testing.T) {
	f := newFake(t)
	cfg := f.config()
	cfg.CACertificate = ""
	_, err := Open(t.Context(), cfg)
	wants(t, err, backends.Auth, "is not trusted", "ca_certificate", "pve-root-ca.pem", "fingerprint =")
	if n := len(f.got("GET /version")); n != 0 {
		t.Errorf("%d requests with a token to a server that is not trusted", n)
	}
	cfg.Insecure = true
	connected(t, cfg)

	other := f.config()
	other.Endpoints = []string{strings.Replace(f.URL, "127.0.0.1", "localhost", 1)}
	_, err = Open(t.Context(), other)
	wants(t, err, backends.Auth, "for another name")

	old := newFake(t)
	cert := selfSigned(t, time.Now().Add(-time.Hour))
	old.TLS.Certificates = []tls.Certificate{cert}
	cfg = old.config()
	cfg.CACertificate = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Certificate[0]}))
	_, err = Open(t.Context(), cfg)
	wants(t, err, backends.Auth, "not valid now", "pvecm updatecerts")
}

// selfSigned makes a certificate for 127.0.0.1.
func selfSigned(t *testing.T, until time.Time) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "pve1"}, NotBefore: until.Add(-time.Hour), NotAfter: until,
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func TestPlainHTTP(t *testing.T) {
	plain := httptest.NewServer(http.NotFoundHandler())
	defer plain.Close()
	_, err := Open(t.Context(), Config{Endpoints: []string{plain.Listener.Addr().String()}, APIToken: testToken, Insecure: true})
	wants(t, err, backends.Invalid, "does not speak TLS")
	_, err = Open(t.Context(), Config{Endpoints: []string{plain.URL}, APIToken: testToken, Insecure: true})
	wants(t, err, backends.Invalid, "not encrypted", "https")
}

// closed returns an address at which nobody listens.
func closed(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

func TestNobodyAnswers(t *testing.T) {
	a, b := closed(t), closed(t)
	_, err := Open(t.Context(), Config{Endpoints: []string{a, b}, APIToken: testToken})
	wants(t, err, backends.Transient, a+": connection refused", b+": connection refused", "pveproxy")
}

func TestOpenTakesTheEndpointThatAnswers(t *testing.T) {
	f := newFake(t)
	cfg := f.config()
	cfg.Endpoints = []string{closed(t), f.URL}
	c := connected(t, cfg)
	if c.Endpoint() != f.URL {
		t.Error(c.Endpoint())
	}
}

func TestOpenIsInterrupted(t *testing.T) {
	f := newFake(t)
	f.on("GET /version", hang)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := Open(ctx, f.config())
	wants(t, err, backends.Timeout)
	ctx, stop := context.WithCancel(t.Context())
	stop()
	_, err = Open(ctx, f.config())
	wants(t, err, backends.Canceled)
	if !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestVersions(t *testing.T) {
	for text, want := range map[string][3]int{"8.4.21": {8, 4, 21}, "9.0.0~11": {9, 0, 0}, "9.1-1": {9, 1, 1}, "7.4-3": {7, 4, 3}, "10.0": {10, 0, 0}} {
		v, err := parseVersion(versionAnswer{Version: Text(text)})
		if err != nil || [3]int{v.Major, v.Minor, v.Patch} != want {
			t.Errorf("%s: %+v %v", text, v, err)
		}
	}
	if v := (Version{Major: 9}); !v.AtLeast(8, 4) || !v.AtLeast(9, 0) || v.AtLeast(9, 1) {
		t.Error(v)
	}
}
