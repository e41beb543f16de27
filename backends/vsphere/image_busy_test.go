package vsphere

import (
	"context"
	"testing"
	"time"

	"github.com/vmware/govmomi/simulator"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/vcsim"
)

// What another run imports under the name is waited for; what one left that died is in nobody's way for ever.
func TestImportBesideAnother(t *testing.T) {
	b, s := onSimulator(t, vcsim.Options{})
	spec := backends.ImageSpec{Name: "debian", Kind: "disk", Fingerprint: "sha256:1"}
	began, ctx := make(chan struct{}), t.Context()
	first := noise(2 << 20)
	p := hanging(first, func() { close(began) })
	defer p.w.Close()
	done := make(chan error, 1)
	go func() {
		_, err := b.ImportImage(ctx, spec, backends.ImageSource{Open: func(context.Context) (*backends.Content, error) {
			return &backends.Content{Reader: p.PipeReader, Format: "raw", Size: int64(len(first)), VirtualSize: int64(len(first))}, nil
		}})
		done <- err
	}()
	<-began
	_, err := b.ImportImage(ctx, spec, backends.ImageSource{Open: unopened(t)})
	wantCode(t, err, backends.Locked)
	if err := p.w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatalf("the first import: %v", err)
	}
	again, err := b.ImportImage(ctx, spec, backends.ImageSource{Open: unopened(t)})
	if err != nil || !again.Cached {
		t.Errorf("after it: %+v, %v", again, err)
	}

	m, err := b.imageVM(ctx, backends.ID(again.ID))
	if err != nil {
		t.Fatal(err)
	}
	k := m.mark.clone()
	k.Partial = true // as of a run that died
	option, err := k.option()
	if err != nil {
		t.Fatal(err)
	}
	c := s.Context()
	vm := c.Map.Get(m.Self).(*simulator.VirtualMachine)
	long := time.Now().Add(-time.Hour)
	c.WithLock(m.Self, func() {
		vm.Config.CreateDate = &long
		for i, o := range vm.Config.ExtraConfig {
			if o.GetOptionValue().Key == markKey {
				vm.Config.ExtraConfig[i] = option
			}
		}
	})
	if _, err := b.ImportImage(ctx, spec, imageSource(first, "raw")); err != nil {
		t.Errorf("beside what a run left that died: %v", err)
	}
}
