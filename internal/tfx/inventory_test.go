package tfx

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// stocked is a backend with an inventory, and counts what it is asked.
type stocked struct {
	fake
	asked atomic.Int64
	err   error
}

func (s *stocked) Networks(context.Context) ([]backends.Network, error) {
	s.asked.Add(1)
	return []backends.Network{{Name: "lan"}}, s.err
}

func (s *stocked) ListVMs(context.Context, backends.VMFilter) ([]backends.VMSummary, error) {
	s.asked.Add(1)
	return []backends.VMSummary{{ID: "1", Name: "web"}}, s.err
}

func (s *stocked) GetImage(_ context.Context, id string) (backends.Image, error) {
	s.asked.Add(1)
	if s.err == nil && id != "there" {
		return backends.Image{}, backends.Errorf(backends.NotFound, "read", id, "no image")
	}
	return backends.Image{}, s.err
}

func dataOf(b backends.Backend) *ProviderData {
	return NewProviderData(backends.Mock, "test", func(context.Context) (backends.Backend, error) { return b, nil })
}

func TestInventoryIsReadOnce(t *testing.T) {
	b := &stocked{}
	v := dataOf(b).Inventory()
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			if all, ok := v.Networks(t.Context()); !ok || len(all) != 1 {
				t.Errorf("networks: %v, %t", all, ok)
			}
			if vm, ok := v.Stranger(t.Context(), "web"); !ok || vm.ID != "1" {
				t.Errorf("the VM web: %v, %t", vm, ok)
			}
			if !v.NoImage(t.Context(), "gone") || v.NoImage(t.Context(), "there") {
				t.Error("which images there are")
			}
		})
	}
	wg.Wait()
	if n := b.asked.Load(); n != 4 {
		t.Errorf("%d questions for 50 VMs, want 4", n)
	}
}

// What cannot be read is not known; it accuses nobody, and is not asked for again.
func TestInventoryThatCannotBeRead(t *testing.T) {
	for _, code := range []backends.Code{backends.Unsupported, backends.Auth, backends.Transient} {
		b := &stocked{err: backends.Errorf(code, "list", "", "no")}
		v := dataOf(b).Inventory()
		for range 2 {
			if _, ok := v.Networks(t.Context()); ok {
				t.Errorf("%s: networks are known", code)
			}
			if _, ok := v.Stranger(t.Context(), "web"); ok || v.NoImage(t.Context(), "gone") {
				t.Errorf("%s: somebody is accused", code)
			}
		}
		if n := b.asked.Load(); n != 3 {
			t.Errorf("%s: %d questions, want 3", code, n)
		}
	}
}

func TestInventoryForgets(t *testing.T) {
	d := dataOf(&stocked{})
	v := d.Inventory()
	d.Managed("1")
	if _, ok := v.Stranger(t.Context(), "web"); ok {
		t.Error("a VM in state is a stranger")
	}
	if _, ok := v.Networks(t.Context()); !ok {
		t.Error("networks are not known")
	}
	d.Changing()
	if _, ok := v.Networks(t.Context()); ok || v.NoImage(t.Context(), "gone") {
		t.Error("lists are older than the change")
	}
}
