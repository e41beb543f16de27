package conn

import (
	"bytes"
	"context"
	"crypto/sha1" //nolint:gosec // thumbprints of this kind are what older tools show; the user chooses
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/vmware/govmomi/vim25/soap"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/certificate"
)

// terms are how its certificates are spoken of.
var terms = certificate.Terms{Pin: "thumbprint"}

// trust decides which servers are talked to.
type trust struct {
	insecure bool
	roots    *x509.CertPool // nil: the system's
	pin      []byte         // digest of the endpoint's certificate
	endpoint string         // host:port
	leased   func(addr string) string
	dialer   net.Dialer
}

func newTrust(cfg Config, at *url.URL) (*trust, error) {
	t := &trust{insecure: cfg.Insecure, endpoint: address(at), dialer: net.Dialer{Timeout: 10 * time.Second, KeepAlive: 15 * time.Second}}
	if cfg.CACertificate != "" {
		t.roots, _ = x509.SystemCertPool()
		if t.roots == nil {
			t.roots = x509.NewCertPool()
		}
		if !t.roots.AppendCertsFromPEM([]byte(cfg.CACertificate)) {
			return nil, backends.Errorf(backends.Invalid, "", "", "ca_certificate holds no certificate in PEM form").
				Advise("Give the text of the certificate, from BEGIN CERTIFICATE to END CERTIFICATE; file(...) reads it from a file.")
		}
	}
	if cfg.Thumbprint != "" {
		digits := strings.NewReplacer(":", "", " ", "", "-", "").Replace(cfg.Thumbprint)
		pin, err := hex.DecodeString(digits)
		if err != nil || len(pin) != sha256.Size && len(pin) != sha1.Size {
			return nil, backends.Errorf(backends.Invalid, "", "", "thumbprint is not one: 64 hexadecimal digits (SHA-256) or 40 (SHA-1) are").
				Advise("Colons between the digits may be left out.")
		}
		t.pin = pin
	}
	return t, nil
}

// address returns host:port of a URL.
func address(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = "443"
	}
	return net.JoinHostPort(u.Hostname(), port)
}

// dial connects to an address of the endpoint, or of a host that vCenter sends transfers to.
func (t *trust) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	raw, err := t.dialer.DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	conn := tls.Client(raw, t.config(addr))
	limited, cancel := context.WithTimeout(ctx, t.dialer.Timeout)
	defer cancel()
	if err := conn.HandshakeContext(limited); err != nil {
		_ = raw.Close()
		var told *backends.Error
		var record tls.RecordHeaderError
		if errors.As(err, &told) || errors.As(err, &record) || ctx.Err() != nil {
			return nil, err
		}
		// Nothing was asked yet, which is what "dial" means to those who may ask again.
		return nil, &net.OpError{Op: "dial", Net: network, Addr: raw.RemoteAddr(), Err: fmt.Errorf("TLS handshake: %w", err)}
	}
	return conn, nil
}

// config verifies the server by verify, whichever way the connection is made.
func (t *trust) config(addr string) *tls.Config {
	host, _, _ := net.SplitHostPort(addr)
	return &tls.Config{
		ServerName:         host,
		MinVersion:         tls.VersionTLS12,
		InsecureSkipVerify: true, //nolint:gosec // verify does it, thumbprints included
		VerifyConnection:   func(s tls.ConnectionState) error { return t.verify(s, addr) },
	}
}

// proxied is config for connections through a proxy, of which only net/http knows where they go: it fills in
// the name, except where that is an address. Transfers to hosts by address must not go through a proxy.
func (t *trust) proxied() *tls.Config {
	c := t.config(t.endpoint)
	endpoint := c.ServerName
	c.ServerName = ""
	c.VerifyConnection = func(s tls.ConnectionState) error {
		if s.ServerName == "" || s.ServerName == endpoint {
			return t.verify(s, t.endpoint)
		}
		return t.verify(s, net.JoinHostPort(s.ServerName, "443"))
	}
	return c
}

// verify decides about the certificate of the server at addr. With a thumbprint, the endpoint's
// certificate is that one and no other.
func (t *trust) verify(s tls.ConnectionState, addr string) error {
	leaf := s.PeerCertificates[0]
	long, short := sha256.Sum256(leaf.Raw), sha1.Sum(leaf.Raw) //nolint:gosec // as above
	if t.pin != nil && addr == t.endpoint {
		if bytes.Equal(t.pin, long[:]) || bytes.Equal(t.pin, short[:]) {
			return nil
		}
		return terms.Other(addr, certificate.Colons(long[:]))
	}
	if t.insecure {
		return nil
	}
	host, _, _ := net.SplitHostPort(addr)
	chain := x509.NewCertPool()
	for _, c := range s.PeerCertificates[1:] {
		chain.AddCert(c)
	}
	_, err := leaf.Verify(x509.VerifyOptions{DNSName: host, Roots: t.roots, Intermediates: chain})
	if err == nil {
		return nil
	}
	// vCenter names the certificates of the hosts that take transfers.
	if t.leased != nil {
		if known := t.leased(addr); known != "" && (known == soap.ThumbprintSHA256(leaf) || known == soap.ThumbprintSHA1(leaf)) {
			return nil
		}
	}
	return terms.Refused(err, addr, certificate.Colons(long[:]))
}
