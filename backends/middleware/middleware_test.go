package middleware

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// fake answers GetVMs and CreateVM as a test says.
type fake struct {
	backends.Unimplemented
	get    func(context.Context, []backends.ID) (map[backends.ID]backends.Result, error)
	create func(context.Context) (backends.ID, error)
}

func (f *fake) GetVMs(ctx context.Context, ids []backends.ID, _ backends.Aspects) (map[backends.ID]backends.Result, error) {
	return f.get(ctx, ids)
}

func (f *fake) CreateVM(ctx context.Context, _ *backends.VMSpec) (backends.ID, error) {
	return f.create(ctx)
}

func found(ids []backends.ID) map[backends.ID]backends.Result {
	m := map[backends.ID]backends.Result{}
	for _, id := range ids {
		m[id] = backends.Result{VM: &backends.VM{ID: id}}
	}
	return m
}

// TestAroundLosesNoMethod calls every method of the interface and expects the
// interceptor to have been asked each time.
func TestAroundLosesNoMethod(t *testing.T) {
	var seen []string
	b := Around(backends.Unimplemented{Kind: backends.Mock}, func(ctx context.Context, c Call, next func(context.Context) error) error {
		seen = append(seen, c.Method)
		return next(ctx)
	})
	iface := reflect.TypeFor[backends.Backend]()
	for i := range iface.NumMethod() {
		name := iface.Method(i).Name
		if name == "Close" {
			continue
		}
		seen = nil
		err := call(t.Context(), b, name)
		if !slices.Equal(seen, []string{name}) {
			t.Errorf("%s went through the interceptor as %q", name, seen)
		}
		if !errors.Is(err, backends.ErrUnsupported) {
			t.Errorf("%s lost the driver's answer: %v", name, err)
		}
	}
}

func TestRetry(t *testing.T) {
	transient := backends.Errorf(backends.Transient, "read", "", "connection reset")
	locked := backends.Errorf(backends.Locked, "create", "", "busy")
	tests := []struct {
		name    string
		fails   []error
		create  bool
		token   string
		tries   int
		wantErr error
	}{
		{"a read survives dropped connections", []error{transient, transient}, false, "", 3, nil},
		{"a read does not repeat what cannot help", []error{backends.Errorf(backends.Auth, "", "", "no")}, false, "", 1, &backends.Error{Code: backends.Auth}},
		{"a creation is not sent twice after a dropped connection", []error{transient}, true, "", 1, backends.ErrTransient},
		{"a creation whose token tells its VM is", []error{transient, transient}, true, "mine", 3, nil},
		{"a creation waits for a lock", []error{locked, locked}, true, "", 3, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tries := 0
				next := func() error {
					tries++
					if tries <= len(tt.fails) {
						return tt.fails[tries-1]
					}
					return nil
				}
				b := Retry(&fake{
					get: func(_ context.Context, ids []backends.ID) (map[backends.ID]backends.Result, error) {
						return found(ids), next()
					},
					create: func(context.Context) (backends.ID, error) { return "1", next() },
				}, DefaultRetry)
				var err error
				if tt.create {
					_, err = b.CreateVM(t.Context(), &backends.VMSpec{CreateToken: tt.token})
				} else {
					_, err = b.GetVMs(t.Context(), []backends.ID{"1"}, 0)
				}
				if tries != tt.tries {
					t.Errorf("%d tries, want %d", tries, tt.tries)
				}
				if !errors.Is(err, tt.wantErr) {
					t.Errorf("error %v, want %v", err, tt.wantErr)
				}
			})
		})
	}
}

func TestRetryEndsWithItsBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := Retry(&fake{get: func(context.Context, []backends.ID) (map[backends.ID]backends.Result, error) {
			return nil, backends.Errorf(backends.Transient, "read", "", "connection refused")
		}}, DefaultRetry)
		start := time.Now()
		_, err := b.GetVMs(t.Context(), []backends.ID{"1"}, 0)
		if !errors.Is(err, backends.ErrTransient) {
			t.Errorf("the cause was lost: %v", err)
		}
		if took := time.Since(start); took > DefaultRetry.Transient+2*DefaultRetry.Most {
			t.Errorf("retried for %s", took)
		}
	})
}

func TestRetryStopsWhenCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		b := Retry(&fake{get: func(context.Context, []backends.ID) (map[backends.ID]backends.Result, error) {
			cancel()
			return nil, backends.Errorf(backends.Locked, "read", "", "busy")
		}}, DefaultRetry)
		start := time.Now()
		if _, err := b.GetVMs(ctx, []backends.ID{"1"}, 0); err == nil {
			t.Error("no error after cancellation")
		}
		if time.Since(start) != 0 {
			t.Error("waited after cancellation")
		}
	})
}

func TestLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var now, most atomic.Int64
		b := Limit(&fake{get: func(context.Context, []backends.ID) (map[backends.ID]backends.Result, error) {
			n := now.Add(1)
			for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
			}
			time.Sleep(time.Second)
			now.Add(-1)
			return nil, nil
		}}, 3)
		var wg sync.WaitGroup
		for range 10 {
			wg.Go(func() { _, _ = b.GetVMs(t.Context(), nil, 0) })
		}
		wg.Wait()
		if most.Load() != 3 {
			t.Errorf("%d calls at once, want 3", most.Load())
		}
	})
}

func TestReadTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := ReadTimeout(&fake{get: func(ctx context.Context, _ []backends.ID) (map[backends.ID]backends.Result, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}}, time.Minute)
		_, err := b.GetVMs(t.Context(), []backends.ID{"1"}, 0)
		if backends.CodeOf(err) != backends.Timeout {
			t.Errorf("got %v, want a Timeout", err)
		}
	})
}

func TestBatchJoinsReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var calls atomic.Int64
		b := Batch(&fake{get: func(_ context.Context, ids []backends.ID) (map[backends.ID]backends.Result, error) {
			calls.Add(1)
			return found(ids), nil
		}}, DefaultWindow)
		var wg sync.WaitGroup
		for _, id := range []backends.ID{"a", "b", "c", "a"} {
			wg.Go(func() {
				r, err := b.GetVMs(t.Context(), []backends.ID{id}, 0)
				if err != nil || len(r) != 1 || r[id].VM.ID != id {
					t.Errorf("asked for %s, got %v, %v", id, r, err)
				}
			})
		}
		wg.Wait()
		if calls.Load() != 1 {
			t.Errorf("%d calls, want 1", calls.Load())
		}
	})
}

// TestBatchNeverReadsThePast starts a read while another is under way: it must
// not be given what was asked before it began.
func TestBatchNeverReadsThePast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		version := atomic.Int64{}
		b := Batch(&fake{get: func(_ context.Context, ids []backends.ID) (map[backends.ID]backends.Result, error) {
			seen := version.Load()
			time.Sleep(time.Second)
			return map[backends.ID]backends.Result{"a": {VM: &backends.VM{Status: string(rune('0' + seen))}}}, nil
		}}, DefaultWindow)
		var wg sync.WaitGroup
		wg.Go(func() { _, _ = b.GetVMs(t.Context(), []backends.ID{"a"}, 0) })
		time.Sleep(500 * time.Millisecond)
		version.Store(1) // a write
		r, err := b.GetVMs(t.Context(), []backends.ID{"a"}, 0)
		if err != nil || r["a"].VM.Status != "1" {
			t.Errorf("a read after a write saw %v, %v", r["a"].VM, err)
		}
		wg.Wait()
	})
}

func TestBatchOutlivesItsFirstReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := Batch(&fake{get: func(ctx context.Context, ids []backends.ID) (map[backends.ID]backends.Result, error) {
			select {
			case <-time.After(time.Second):
				return found(ids), nil
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		}}, DefaultWindow)
		first, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() {
			if _, err := b.GetVMs(first, []backends.ID{"a"}, 0); backends.CodeOf(err) != backends.Canceled {
				t.Errorf("the cancelled reader got %v", err)
			}
		})
		wg.Go(func() {
			if _, err := b.GetVMs(t.Context(), []backends.ID{"b"}, 0); err != nil {
				t.Errorf("the other reader got %v", err)
			}
		})
		time.Sleep(100 * time.Millisecond)
		cancel()
		wg.Wait()
	})
}

func TestBatchCancelsWhatNobodyWaitsFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ended := make(chan struct{})
		b := Batch(&fake{get: func(ctx context.Context, _ []backends.ID) (map[backends.ID]backends.Result, error) {
			defer close(ended)
			<-ctx.Done()
			return nil, ctx.Err()
		}}, DefaultWindow)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := b.GetVMs(ctx, []backends.ID{"a"}, 0); backends.CodeOf(err) != backends.Timeout {
			t.Errorf("got %v", err)
		}
		<-ended
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
}

// A creation that left something behind and then could not go on must tell what.
func TestRetryKeepsTheID(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tries := 0
		b := Retry(&fake{create: func(context.Context) (backends.ID, error) {
			if tries++; tries == 1 {
				return "1", backends.Errorf(backends.Locked, "create", "", "busy")
			}
			return "", backends.Errorf(backends.Canceled, "create", "", "interrupted")
		}}, DefaultRetry)
		id, err := b.CreateVM(t.Context(), &backends.VMSpec{})
		if id != "1" || backends.CodeOf(err) != backends.Canceled {
			t.Errorf("got %q, %v", id, err)
		}
	})
}
