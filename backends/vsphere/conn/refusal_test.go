package conn

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/vsphere/fault"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/vcsim"
)

// A session in the cache goes on when the password was changed. The REST API is the first to notice, and the last to be asked.
func TestChangedPasswordBesideACachedSession(t *testing.T) {
	s := vcsim.Start(t, vcsim.Options{})
	cfg := to(s)
	cfg.SessionCache = filepath.Join(t.TempDir(), "sessions")
	c, err := Open(t.Context(), cfg)
	if err == nil {
		err = errors.Join(read(t.Context(), c), c.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
	cfg.Password = "the new one, which is wrong"
	c = connected(t, cfg)
	for range 5 {
		_, err := c.REST(t.Context())
		if backends.CodeOf(err) != backends.Auth || strings.Contains(err.Error(), cfg.Password) {
			t.Errorf("the REST API: %v", err)
		}
		if err := read(t.Context(), c); fault.Code(err) != backends.Auth {
			t.Errorf("the SOAP API: %v", err)
		}
	}
	if s.WrongPasswords() != 1 || s.Locked() {
		t.Errorf("%d wrong passwords", s.WrongPasswords())
	}
}

// Where the password made a session, an account that the REST API does not let in goes without it.
func TestRefusedByRESTAlone(t *testing.T) {
	s := vcsim.Start(t, vcsim.Options{})
	c := connected(t, to(s))
	c.cfg.Password = "the old one"
	for range 5 {
		if _, err := c.REST(t.Context()); backends.CodeOf(err) != backends.Auth {
			t.Errorf("the REST API: %v", err)
		}
		if err := read(t.Context(), c); err != nil {
			t.Errorf("the SOAP API: %v", err)
		}
	}
	if n := s.Calls()["POST "+restSessionPath]; n != 1 || s.Locked() {
		t.Errorf("%d logins were tried", n)
	}
}
