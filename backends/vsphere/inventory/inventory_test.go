package inventory_test

import (
	"strings"
	"testing"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/vsphere/conn"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/vsphere/inventory"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/vcsim"
)

// estate is the inventory of a simulated vCenter or ESXi.
type estate struct {
	*inventory.Inventory
	server *vcsim.Server
	conn   *conn.Conn
}

func start(t *testing.T, o vcsim.Options, d inventory.Defaults) *estate {
	t.Helper()
	s := vcsim.Start(t, o)
	c, err := conn.Open(t.Context(), conn.Config{Endpoint: s.Endpoint(), Username: s.Username(), Password: s.Password(), Insecure: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	s.ResetCalls()
	return &estate{Inventory: inventory.New(c, d), server: s, conn: c}
}

// wantRefused fails the test unless err has the code and the path, and tells all of words.
func wantRefused(t *testing.T, err error, code backends.Code, path backends.Path, words ...string) {
	t.Helper()
	if backends.CodeOf(err) != code {
		t.Fatalf("the error is %v (%q), want one of code %q", err, backends.CodeOf(err), code)
	}
	e, _ := err.(*backends.Error)
	if e.Path != path {
		t.Errorf("the error blames %q, want %q: %v", e.Path, path, err)
	}
	for _, w := range words {
		if text := err.Error() + " " + e.Remedy; !strings.Contains(text, w) {
			t.Errorf("the error does not tell %q: %s", w, text)
		}
	}
}

// calls are those that vSphere answered since the start.
func (e *estate) calls() int { return e.server.TotalCalls() }
