// Package certificate words what drivers say of a server's certificate that they do not accept.
package certificate

import (
	"crypto/x509"
	"errors"
	"fmt"
	"strings"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// ErrRefused is among the causes of errors about a certificate: nothing was asked of the server.
var ErrRefused = errors.New("the certificate is not accepted")

// refused is why.
type refused struct{ error }

func (r refused) Unwrap() error      { return r.error }
func (refused) Is(target error) bool { return target == ErrRefused }

// Terms are what differs between hypervisors.
type Terms struct {
	Pin       string // the setting that names a certificate: "fingerprint"
	Renew     string // how the server gets a new certificate, in parentheses; "" where nothing is to be said
	Authority string // where its authority's certificate is found, in parentheses; ""
}

// Refused says why the certificate of the server at addr is not accepted, and how it would be. The code is Auth.
func (t Terms) Refused(err error, addr, digest string) error {
	var name x509.HostnameError
	var invalid x509.CertificateInvalidError
	switch {
	case errors.As(err, &name):
		return backends.Errorf(backends.Auth, "", "", "the certificate of %s is for another name: %w", addr, refused{err}).
			Advise("Use a name in endpoint that the certificate lists, or set %s = %q after comparing it with the server's own.", t.Pin, digest)
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return backends.Errorf(backends.Auth, "", "", "the certificate of %s is not valid now: %w", addr, refused{err}).
			Advise("Renew the server's certificate%s, or check the clock of this machine.", spaced(t.Renew))
	}
	return backends.Errorf(backends.Auth, "", "", "the certificate of %s is not trusted: %w", addr, refused{err}).
		Advise("Give the authority that signed it in ca_certificate%s, or set %s = %q after comparing it "+
			"with the server's own. insecure = true trusts whoever answers.", spaced(t.Authority), t.Pin, digest)
}

// Other says that the server at addr shows another certificate than the one that the setting names. The code is Auth.
func (t Terms) Other(addr, digest string) error {
	return backends.Errorf(backends.Auth, "", "", "the certificate of %s %w", addr, refused{errors.New("is not the one that " + t.Pin + " names")}).
		Advise("If the server has a new certificate, set %s = %q after comparing it with the server's own.", t.Pin, digest)
}

func spaced(hint string) string {
	if hint == "" {
		return ""
	}
	return " " + hint
}

// Colons returns a digest as people compare it: "AB:01:...".
func Colons(digest []byte) string {
	pairs := make([]string, len(digest))
	for i, b := range digest {
		pairs[i] = fmt.Sprintf("%02X", b)
	}
	return strings.Join(pairs, ":")
}
