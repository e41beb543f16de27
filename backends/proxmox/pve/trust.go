package pve

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/certificate"
)

// connecting is how long it may take to connect, and again to shake hands.
const connecting = 10 * time.Second

// terms are how its certificates are spoken of.
var terms = certificate.Terms{Pin: "fingerprint", Renew: "(pvecm updatecerts --force)", Authority: "(/etc/pve/pve-root-ca.pem of a node)"}

// trust decides which servers are talked to.
type trust struct {
	insecure bool
	roots    *x509.CertPool // nil: the system's
	pins     map[[sha256.Size]byte]bool
	dialer   net.Dialer
}

func newTrust(cfg *Config) (*trust, error) {
	t := &trust{insecure: cfg.Insecure, dialer: net.Dialer{Timeout: connecting, KeepAlive: 15 * time.Second}}
	if cfg.CACertificate != "" {
		t.roots, _ = x509.SystemCertPool()
		if t.roots == nil {
			t.roots = x509.NewCertPool()
		}
		if !t.roots.AppendCertsFromPEM([]byte(cfg.CACertificate)) {
			return nil, backends.Errorf(backends.Invalid, "", "", "ca_certificate holds no certificate in PEM form").
				Advise("Give the text of the certificate, from BEGIN CERTIFICATE to END CERTIFICATE; that of a node's own authority is /etc/pve/pve-root-ca.pem.")
		}
	}
	for _, one := range strings.FieldsFunc(cfg.Fingerprint, func(r rune) bool { return r == ',' || r == ' ' || r == ';' || r == '\n' || r == '\t' }) {
		one = strings.TrimPrefix(strings.ToLower(one), "sha256:")
		digest, err := hex.DecodeString(strings.NewReplacer(":", "", "-", "").Replace(one))
		if err != nil || len(digest) != sha256.Size {
			return nil, backends.Errorf(backends.Invalid, "", "", "fingerprint is not one: 64 hexadecimal digits (SHA-256) are").
				Advise("Proxmox VE shows it under the node's System, Certificates, and as pvenode cert info does.")
		}
		if t.pins == nil {
			t.pins = map[[sha256.Size]byte]bool{}
		}
		t.pins[[sha256.Size]byte(digest)] = true
	}
	return t, nil
}

// dial connects and shakes hands. Where that fails nothing was asked yet, which is what "dial" says.
func (t *trust) dial(ctx context.Context, network, addr string, config *tls.Config) (net.Conn, error) {
	raw, err := t.dialer.DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	conn := tls.Client(raw, config)
	limited, cancel := context.WithTimeout(ctx, connecting)
	defer cancel()
	if err := conn.HandshakeContext(limited); err != nil {
		_ = raw.Close()
		var told *backends.Error
		var record tls.RecordHeaderError
		switch {
		case errors.As(err, &told), ctx.Err() != nil:
			return nil, err
		case errors.As(err, &record):
			return nil, backends.Errorf(backends.Invalid, "", "", "what answers at %s does not speak TLS", addr).
				Advise("Check the port: Proxmox VE answers at 8006.")
		}
		return nil, &net.OpError{Op: "dial", Net: network, Addr: raw.RemoteAddr(), Err: fmt.Errorf("TLS handshake: %w", err)}
	}
	return conn, nil
}

// config verifies the server at an address by verify, whichever way the connection is made.
func (t *trust) config(addr string) *tls.Config {
	host, _, _ := net.SplitHostPort(addr)
	return &tls.Config{
		ServerName:         host,
		MinVersion:         tls.VersionTLS12,
		InsecureSkipVerify: true, //nolint:gosec // verify does it, fingerprints included
		VerifyConnection:   func(s tls.ConnectionState) error { return t.verify(s, addr) },
	}
}

// verify decides about the certificate of the server at addr. With fingerprints, it is one of those and no other.
func (t *trust) verify(s tls.ConnectionState, addr string) error {
	leaf := s.PeerCertificates[0]
	digest := sha256.Sum256(leaf.Raw)
	switch {
	case t.pins[digest]:
		return nil
	case t.pins != nil:
		return terms.Other(addr, certificate.Colons(digest[:]))
	case t.insecure:
		return nil
	}
	host, _, _ := net.SplitHostPort(addr)
	chain := x509.NewCertPool()
	for _, c := range s.PeerCertificates[1:] {
		chain.AddCert(c)
	}
	if _, err := leaf.Verify(x509.VerifyOptions{DNSName: host, Roots: t.roots, Intermediates: chain}); err != nil {
		return terms.Refused(err, addr, certificate.Colons(digest[:]))
	}
	return nil
}
