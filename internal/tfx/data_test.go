package tfx

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// fake is a backend that counts what happens to it.
type fake struct {
	backends.Unimplemented
	infos, closes atomic.Int64
	fail          error
}

func (f *fake) Info(context.Context) (backends.Info, error) {
	f.infos.Add(1)
	return backends.Info{Backend: backends.Mock, Product: "fake"}, f.fail
}

func (f *fake) Close() error { f.closes.Add(1); return nil }

func TestManyShareOneConnection(t *testing.T) {
	b := &fake{}
	var opened atomic.Int64
	d := NewProviderData(backends.Mock, "test", func(context.Context) (backends.Backend, error) {
		opened.Add(1)
		return b, nil
	})
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			if got, info, err := d.Connect(t.Context()); got != backends.Backend(b) || info.Product != "fake" || err != nil {
				t.Errorf("Connect: %v %v %v", got, info, err)
			}
		})
	}
	wg.Wait()
	if opened.Load() != 1 || b.infos.Load() != 1 {
		t.Errorf("%d connections and %d questions for 50 resources", opened.Load(), b.infos.Load())
	}
	if err := d.Close(); err != nil || b.closes.Load() != 1 {
		t.Errorf("closed %d times, error %v", b.closes.Load(), err)
	}
}

func TestNothingIsOpenedBeforeItIsWanted(t *testing.T) {
	d := NewProviderData(backends.Mock, "test", func(context.Context) (backends.Backend, error) {
		t.Error("opened")
		return nil, nil
	})
	if err := d.Close(); err != nil || !d.Configured() || d.Kind() != backends.Mock {
		t.Errorf("closing what was never opened: %v", err)
	}
}

// A host that is down is asked once, not once by every resource; and what it
// blames is in the provider block, where a resource cannot point.
func TestFailureIsRemembered(t *testing.T) {
	b := &fake{fail: backends.Errorf(backends.Auth, "log in", "", "wrong password").At("libvirt.uri")}
	var opened int
	d := NewProviderData(backends.Libvirt, "test", func(context.Context) (backends.Backend, error) {
		opened++
		return b, nil
	})
	for range 3 {
		_, _, err := d.Connect(t.Context())
		var e *backends.Error
		if !errors.As(err, &e) || e.Code != backends.Auth || e.Path != "" || e.Summary() != "Unable to log in" {
			t.Fatalf("Connect: %v", err)
		}
	}
	_, _, err := d.Connect(t.Context())
	if d.Repeated(err) || !d.Repeated(err) || d.Repeated(errors.New("another")) {
		t.Error("the failure is not shown exactly once")
	}
	if opened != 1 || b.closes.Load() != 1 {
		t.Errorf("opened %d times, closed %d times", opened, b.closes.Load())
	}
}

func TestInterruptedConnectionIsTriedAgain(t *testing.T) {
	b := &fake{}
	ctx, interrupt := context.WithCancel(t.Context())
	d := NewProviderData(backends.Mock, "test", func(ctx context.Context) (backends.Backend, error) {
		if ctx.Err() == nil && b.infos.Load() == 0 {
			interrupt()
			b.infos.Add(1)
			return nil, context.Canceled
		}
		return b, nil
	})
	if _, _, err := d.Connect(ctx); backends.CodeOf(err) != backends.Canceled {
		t.Fatalf("interrupted: %v", err)
	}
	if _, _, err := d.Connect(t.Context()); err != nil {
		t.Errorf("after an interrupt: %v", err)
	}
}

func TestUnconfigured(t *testing.T) {
	var d *ProviderData
	if d.Configured() || d.Kind() != "" || d.Close() != nil {
		t.Error("nil data is not unconfigured")
	}
	if _, err := d.Info(t.Context()); backends.CodeOf(err) != backends.Precondition {
		t.Errorf("Info of an unconfigured provider: %v", err)
	}
}
