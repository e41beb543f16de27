package storage

import (
	"os"
	"testing"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/libvirt/conn"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/libvirtlab"
)

func TestMain(m *testing.M) { os.Exit(libvirtlab.Main(m)) }

// store gives the storage of a lab.
func store(t testing.TB, l *libvirtlab.Lab) *Store {
	t.Helper()
	c, err := conn.Open(t.Context(), conn.Config{URI: l.URI()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return New(c, Options{})
}

const mib = 1 << 20

func wantCode(t *testing.T, err error, code backends.Code) {
	t.Helper()
	if got := backends.CodeOf(err); got != code {
		t.Errorf("code is %q, want %q: %v", got, code, err)
	}
}

func TestVolumeLifecycle(t *testing.T) {
	l := libvirtlab.Shared(t)
	s := store(t, l)
	ref := Ref{libvirtlab.Pool, "lifecycle.qcow2"}

	v, err := s.Create(t.Context(), Spec{Ref: ref, CapacityBytes: 64 * mib})
	if err != nil {
		t.Fatal(err)
	}
	if v.Format != "qcow2" || v.CapacityBytes != 64*mib || v.Path == "" {
		t.Errorf("created %+v", v)
	}
	_, err = s.Create(t.Context(), Spec{Ref: ref, CapacityBytes: 64 * mib})
	wantCode(t, err, backends.Conflict)

	wantCode(t, s.Resize(t.Context(), ref, 32*mib), backends.Invalid)
	if err := s.Resize(t.Context(), ref, 128*mib); err != nil {
		t.Error(err)
	}
	got, err := s.GetByPath(t.Context(), v.Path)
	if err != nil || got.Ref != ref || got.CapacityBytes != 128*mib {
		t.Errorf("by path: %+v, %v", got, err)
	}
	if err := s.Delete(t.Context(), ref); err != nil {
		t.Error(err)
	}
	_, err = s.Get(t.Context(), ref)
	wantCode(t, err, backends.NotFound)
	wantCode(t, s.Delete(t.Context(), ref), backends.NotFound)
}
