package conn

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// tlsDialer logs in with a client certificate and verifies the server's.
type tlsDialer struct {
	address string
	config  *tls.Config
}

// newTLSDialer takes certificates from the configuration, where it has them, or from files.
func newTLSDialer(t target, cfg TLS) (dialer, error) {
	conf := &tls.Config{ServerName: t.host, MinVersion: tls.VersionTLS12, InsecureSkipVerify: t.noVerify} //nolint:gosec // only where the URI says no_verify=1
	ca, err := pemOr(cfg.CA, "cacert.pem", caFolders(t))
	switch {
	case err != nil && !(t.noVerify && errors.Is(err, os.ErrNotExist)):
		return nil, badTLS("the CA certificate", err)
	case err == nil:
		conf.RootCAs = x509.NewCertPool()
		if !conf.RootCAs.AppendCertsFromPEM(ca) {
			return nil, badTLS("the CA certificate", errors.New("it holds no certificate in PEM form"))
		}
	}
	if (cfg.Cert == "") != (cfg.Key == "") {
		return nil, badTLS("the client certificate", errors.New("certificate and key belong together, but only one of them is given"))
	}
	cert, err := pemOr(cfg.Cert, "clientcert.pem", certFolders(t))
	if err != nil {
		return nil, badTLS("the client certificate", err)
	}
	key, err := pemOr(cfg.Key, "clientkey.pem", keyFolders(t))
	if err != nil {
		return nil, badTLS("the key of the client certificate", err)
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return nil, badTLS("the client certificate", err)
	}
	conf.Certificates = []tls.Certificate{pair}
	return tlsDialer{t.address(), conf}, nil
}

func badTLS(what string, err error) *backends.Error {
	e := backends.Errorf(backends.Invalid, "connect to libvirtd", "libvirtd", "%s cannot be used: %w", what, err).At(uriPath)
	return e.Advise("Give the PEM text of CA, certificate and key in the provider block, or name the folder of cacert.pem, clientcert.pem and clientkey.pem: qemu+tls://HOST/system?pkipath=FOLDER.")
}

// pemOr is the text itself, or else the file of that name in the first folder that has it.
func pemOr(text, name string, folders []string) ([]byte, error) {
	if text != "" {
		return []byte(text), nil
	}
	var first error
	for _, dir := range folders {
		content, err := os.ReadFile(filepath.Join(dir, name)) //nolint:gosec // a folder that the user names, or libvirt's
		if err == nil {
			return content, nil
		}
		if first == nil || errors.Is(first, os.ErrNotExist) && !errors.Is(err, os.ErrNotExist) {
			first = err
		}
	}
	return nil, first
}

func caFolders(t target) []string   { return pkiFolders(t, "/etc/pki/CA") }
func certFolders(t target) []string { return pkiFolders(t, "/etc/pki/libvirt") }
func keyFolders(t target) []string  { return pkiFolders(t, "/etc/pki/libvirt/private") }

func pkiFolders(t target, system string) []string {
	if t.pkiPath != "" {
		return []string{t.pkiPath}
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return []string{system}
	}
	return []string{filepath.Join(home, ".pki", "libvirt"), system}
}

func (d tlsDialer) dial(ctx context.Context) (net.Conn, error) {
	raw, err := dialTCP(ctx, d.address)
	if err != nil {
		return nil, err
	}
	c := tls.Client(raw, d.config)
	stop := context.AfterFunc(ctx, func() { _ = raw.Close() })
	defer stop()
	if err := admit(ctx, c); err != nil {
		_ = raw.Close()
		return nil, err
	}
	return c, nil
}

// admit does the handshake and waits for the one byte by which libvirtd says that it
// accepts the client's certificate.
func admit(ctx context.Context, c *tls.Conn) error {
	if err := c.HandshakeContext(ctx); err != nil {
		return tlsError(err)
	}
	verdict := make([]byte, 1)
	_, err := io.ReadFull(c, verdict)
	var alert tls.AlertError
	switch {
	case err == nil && verdict[0] == 1:
		return nil
	case err != nil && ctx.Err() != nil:
		return context.Cause(ctx)
	case err != nil && !errors.As(err, &alert) && !errors.Is(err, io.EOF) && !isRemoteAlert(err):
		return err
	}
	if err == nil {
		err = errors.New("no")
	}
	e := backends.Errorf(backends.Auth, "", "", "libvirtd does not accept the client certificate: %w", err)
	return e.Advise("Use a certificate that is signed by the CA that libvirtd trusts, and listed in its tls_allowed_dn_list if it has one.")
}

// isRemoteAlert reports whether the server ended the connection by an alert.
func isRemoteAlert(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "remote error"
}

// tlsError gives a failed handshake a code.
func tlsError(err error) error {
	var unknown x509.UnknownAuthorityError
	var name x509.HostnameError
	var invalid x509.CertificateInvalidError
	var verification *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	switch {
	case errors.As(err, &unknown):
		return backends.Errorf(backends.Auth, "", "", "the server's certificate is not trusted: %w", err).
			Advise("Give the CA certificate that signed it, inline or as cacert.pem in the folder of pkipath.")
	case errors.As(err, &name):
		return backends.Errorf(backends.Auth, "", "", "the server's certificate is made out to another name: %w", err).
			Advise("Use a host name in libvirt.uri that the certificate lists.")
	case errors.As(err, &invalid), errors.As(err, &verification):
		return backends.Errorf(backends.Auth, "", "", "the server's certificate is not valid: %w", err).
			Advise("Renew the server's certificate, or check the clock of this machine.")
	case errors.As(err, &record):
		return backends.Errorf(backends.Invalid, "", "", "what answers there does not speak TLS: %w", err).
			Advise("Check the port and the transport (tcp, tls, ssh) in libvirt.uri.")
	case isRemoteAlert(err):
		return backends.Errorf(backends.Auth, "", "", "libvirtd does not accept the client certificate: %w", err).
			Advise("Use a certificate that is signed by the CA that libvirtd trusts.")
	}
	return fmt.Errorf("TLS handshake: %w", err)
}
