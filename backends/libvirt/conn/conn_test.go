package conn

import (
	"context"
	"os"
	"testing"

	"github.com/digitalocean/go-libvirt"

	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/libvirtlab"
)

func TestMain(m *testing.M) { os.Exit(libvirtlab.Main(m)) }

func open(t *testing.T, cfg Config) *Conn {
	t.Helper()
	c, err := Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// pools asks libvirtd something that only the lab's can answer.
func pools(ctx context.Context, c *Conn) ([]string, error) {
	var names []string
	err := c.Read(ctx, func(l *libvirt.Libvirt) error {
		names = nil
		all, _, err := l.ConnectListAllStoragePools(1, 0)
		for _, p := range all {
			names = append(names, p.Name)
		}
		return err
	})
	return names, err
}

func TestUnixSocket(t *testing.T) {
	l := libvirtlab.Shared(t)
	c := open(t, Config{URI: l.URI()})
	names, err := pools(t.Context(), c)
	if err != nil || len(names) != 1 || names[0] != libvirtlab.Pool {
		t.Errorf("pools are %q, %v", names, err)
	}
}
