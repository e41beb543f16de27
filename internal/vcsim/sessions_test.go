package vcsim_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/vmware/govmomi"
	"github.com/vmware/govmomi/property"
	"github.com/vmware/govmomi/vapi/rest"
	"github.com/vmware/govmomi/vapi/tags"
	"github.com/vmware/govmomi/vim25/mo"

	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/vcsim"
)

// rootName reads the name of the root folder, which needs a session.
func rootName(t *testing.T, c *govmomi.Client) (string, error) {
	t.Helper()

	var root mo.Folder
	err := property.DefaultCollector(c.Client).RetrieveOne(t.Context(), c.ServiceContent.RootFolder, []string{"name"}, &root)

	return root.Name, err
}

func TestSessionsExpire(t *testing.T) {
	s := vcsim.Start(t, vcsim.Options{})
	c := connect(t, s)
	r := rest.NewClient(c.Client)

	if err := r.Login(t.Context(), s.URL().User); err != nil {
		t.Fatal(err)
	}

	if s.Logins() != 1 || s.Sessions() != 1 || s.RESTLogins() != 1 {
		t.Fatalf("%d logins, %d sessions, %d logins of REST", s.Logins(), s.Sessions(), s.RESTLogins())
	}

	if _, err := tags.NewManager(r).ListCategories(t.Context()); err != nil {
		t.Error(err)
	}

	s.ExpireSessions()

	if _, err := rootName(t, c); faultOf(err) != "NotAuthenticated" {
		t.Errorf("got %v", err)
	}

	if _, err := tags.NewManager(r).ListCategories(t.Context()); !rest.IsStatusError(err, http.StatusUnauthorized) {
		t.Errorf("REST: %v", err)
	}

	if err := c.Login(t.Context(), s.URL().User); err != nil {
		t.Fatal(err)
	}

	if _, err := rootName(t, c); err != nil {
		t.Error(err)
	}

	if err := c.Logout(t.Context()); err != nil {
		t.Error(err)
	}

	if s.Logins() != 2 || s.Logouts() != 1 || s.Sessions() != 0 {
		t.Errorf("%d logins, %d logouts, %d sessions", s.Logins(), s.Logouts(), s.Sessions())
	}
}

func TestWrongPasswordsLockTheAccount(t *testing.T) {
	s := vcsim.Start(t, vcsim.Options{})
	wrong := url.UserPassword(s.Username(), "wrong")

	for n := range 3 {
		if s.Locked() {
			t.Fatalf("locked after %d", n)
		}

		c := must[*govmomi.Client](t)(dial(t, s))
		if err := c.Login(t.Context(), wrong); faultOf(err) != "InvalidLogin" {
			t.Errorf("got %v", err)
		}
	}

	c := must[*govmomi.Client](t)(dial(t, s))
	if err := c.Login(t.Context(), s.URL().User); faultOf(err) != "InvalidLogin" || !s.Locked() {
		t.Errorf("the right password: %v, locked %v", err, s.Locked())
	}

	if s.Logins() != 0 {
		t.Errorf("%d logins", s.Logins())
	}
}

func TestRestart(t *testing.T) {
	l := newLab(t, vcsim.Options{})
	l.vm("survivor")

	l.Stop()

	if _, err := rootName(t, l.client); err == nil {
		t.Error("a stopped server answers")
	}

	if err := l.Resume(); err != nil {
		t.Fatal(err)
	}

	if _, err := rootName(t, l.client); faultOf(err) != "NotAuthenticated" {
		t.Errorf("got %v", err)
	}

	if err := l.client.Login(t.Context(), l.URL().User); err != nil {
		t.Fatal(err)
	}

	if _, err := l.find.VirtualMachine(t.Context(), "survivor"); err != nil {
		t.Error(err)
	}
}

func TestCertificate(t *testing.T) {
	s := vcsim.Start(t, vcsim.Options{})
	c := must[*govmomi.Client](t)(dial(t, s))

	shown := make(map[string]bool)
	dialed := must[*http.Response](t)(c.Client.Client.Transport.(*http.Transport).Clone().RoundTrip(
		must[*http.Request](t)(http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+s.URL().Host+"/about", nil))))

	defer dialed.Body.Close()

	for _, cert := range dialed.TLS.PeerCertificates[:1] {
		shown[cert.Subject.CommonName] = true
	}

	if !shown["127.0.0.1"] || len(s.Thumbprint()) != 95 || strings.Count(s.ThumbprintSHA1(), ":") != 19 {
		t.Errorf("certificate of %v, thumbprints %s and %s", shown, s.Thumbprint(), s.ThumbprintSHA1())
	}
}

func TestCountsCalls(t *testing.T) {
	s := vcsim.Start(t, vcsim.Options{})
	c := connect(t, s)

	s.ResetCalls()

	if _, err := rootName(t, c); err != nil {
		t.Fatal(err)
	}

	if calls := s.Calls(); calls["RetrieveProperties"]+calls["RetrievePropertiesEx"] != 1 || s.TotalCalls() != 1 {
		t.Errorf("calls %v", calls)
	}

	if s.Bytes() < 500 {
		t.Errorf("%d bytes", s.Bytes())
	}

	r := rest.NewClient(c.Client)
	if err := r.Login(t.Context(), s.URL().User); err != nil {
		t.Fatal(err)
	}

	s.ResetCalls()

	if _, err := tags.NewManager(r).GetCategories(t.Context()); err != nil {
		t.Fatal(err)
	}

	if calls := s.Calls(); s.TotalCalls() != 3 || calls["GET /rest/com/vmware/cis/tagging/category/{id}"] != 2 {
		t.Errorf("calls %v", calls)
	}
}
