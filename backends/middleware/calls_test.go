package middleware

import (
	"context"
	"reflect"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// kinds says of every method how it may be treated when it fails.
var kinds = map[string]Call{
	"Info": {Read: true}, "ListVMs": {Read: true}, "GetVMs": {Read: true}, "ListSnapshots": {Read: true},
	"GetImage": {Read: true}, "ListImages": {Read: true}, "GetDisk": {Read: true}, "GuestInfo": {Read: true},
	"Console": {Read: true}, "CheckPlacement": {Read: true}, "Hosts": {Read: true}, "Networks": {Read: true}, "Storages": {Read: true},
	"Tasks": {Read: true}, "Metrics": {Read: true}, "Events": {Read: true},

	// A second one could make a second object, or do twice what was asked for once.
	"CreateVM": {}, "CloneVM": {}, "CreateSnapshot": {}, "RevertSnapshot": {}, "ImportImage": {}, "CreateDisk": {},
	"GuestExec": {}, "Migrate": {},

	"Reconfigure": {Repeatable: true}, "DeleteVM": {Repeatable: true}, "SetPower": {Repeatable: true},
	"DeleteSnapshot": {Repeatable: true}, "DeleteImage": {Repeatable: true}, "ResizeDisk": {Repeatable: true},
	"DeleteDisk": {Repeatable: true}, "DescribeSnapshot": {Repeatable: true},
	"WaitPower": {Repeatable: true, Waits: true},
}

// call calls a method of b with zero values and returns its error.
func call(ctx context.Context, b backends.Backend, name string) error {
	m := reflect.ValueOf(b).MethodByName(name)
	args := []reflect.Value{reflect.ValueOf(ctx)}
	for i := 1; i < m.Type().NumIn(); i++ {
		in := m.Type().In(i)
		if in.Kind() == reflect.Pointer {
			args = append(args, reflect.New(in.Elem()))
		} else {
			args = append(args, reflect.Zero(in))
		}
	}
	out := m.Call(args)
	err, _ := out[len(out)-1].Interface().(error)
	return err
}

// failing answers every call with one error, and counts the tries.
func failing(err error, tries *int) backends.Backend {
	return Around(backends.Unimplemented{Kind: backends.Mock}, func(context.Context, Call, func(context.Context) error) error {
		*tries++
		return err
	})
}

// TestEveryCallHasItsKind holds each method to the table, and what Retry makes of it:
// reads survive a dropped connection, what makes something is sent once, and a lock,
// which says that nothing was done, is waited for by all.
func TestEveryCallHasItsKind(t *testing.T) {
	iface := reflect.TypeFor[backends.Backend]()
	for i := range iface.NumMethod() {
		name := iface.Method(i).Name
		if name == "Close" {
			continue
		}
		t.Run(name, func(t *testing.T) {
			want, known := kinds[name]
			if !known {
				t.Fatal("nobody has decided whether this call may be repeated")
			}
			want.Repeatable = want.Repeatable || want.Read
			var got Call
			b := Around(backends.Unimplemented{}, func(_ context.Context, c Call, _ func(context.Context) error) error {
				got = c
				return nil
			})
			_ = call(t.Context(), b, name)
			if got.Repeatable != want.Repeatable || got.Read != want.Read || got.Waits != want.Waits {
				t.Errorf("the call is %+v, want %+v", got, want)
			}
			for code, repeated := range map[backends.Code]bool{
				backends.Transient: want.Repeatable, backends.Locked: true,
				backends.NotFound: false, backends.Conflict: false, backends.Precondition: false, backends.Canceled: false,
			} {
				synctest.Test(t, func(t *testing.T) {
					tries := 0
					ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
					defer cancel()
					err := call(ctx, Retry(failing(backends.Errorf(code, "call", "", "why"), &tries), DefaultRetry), name)
					if backends.CodeOf(err) != code {
						t.Errorf("%s became %v", code, err)
					}
					if (tries > 1) != repeated {
						t.Errorf("after %s it was tried %d times, want more than once: %t", code, tries, repeated)
					}
				})
			}
		})
	}
}

// whole answers the calls that this package's other fake does not.
type whole struct {
	backends.Unimplemented
	block time.Duration
}

func (w whole) wait(ctx context.Context) error {
	select {
	case <-time.After(w.block):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (w whole) CloneVM(ctx context.Context, spec *backends.CloneSpec) (backends.ID, error) {
	if err := w.wait(ctx); err != nil {
		return "", err
	}
	return "clone of " + spec.Source, backends.Errorf(backends.Exhausted, "clone", "", "no space left")
}

func (w whole) CreateSnapshot(ctx context.Context, _ backends.ID, spec backends.SnapshotSpec) (string, error) {
	return "id of " + spec.Name, w.wait(ctx)
}

func (w whole) ListSnapshots(ctx context.Context, _ backends.ID) ([]backends.Snapshot, error) {
	return []backends.Snapshot{{ID: "1"}}, w.wait(ctx)
}

func (w whole) Console(ctx context.Context, _ backends.ID) (backends.Console, error) {
	return backends.Console{URL: "vnc://h:1"}, w.wait(ctx)
}

// TestWrapPassesOn: what the calls of snapshots, clones and consoles answer arrives
// through every wrapper, ids next to errors included; only reads are bounded.
func TestWrapPassesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var traced []string
		opts := Options{
			MaxParallel: 1, ReadTimeout: time.Minute,
			Trace: func(_ context.Context, c Call, _ time.Duration, _ error) {
				traced = append(traced, c.Method+" "+c.Object)
			},
		}
		b := Wrap(whole{block: 2 * time.Minute}, opts)
		ctx := t.Context()
		id, err := b.CloneVM(ctx, &backends.CloneSpec{Source: "7", Spec: backends.VMSpec{Name: "web"}})
		if id != "clone of 7" || backends.CodeOf(err) != backends.Exhausted {
			t.Errorf("CloneVM answered %q, %v", id, err)
		}
		if s, err := b.CreateSnapshot(ctx, "7", backends.SnapshotSpec{Name: "a"}); s != "id of a" || err != nil {
			t.Errorf("CreateSnapshot answered %q, %v", s, err)
		}
		if _, err := b.ListSnapshots(ctx, "7"); backends.CodeOf(err) != backends.Timeout {
			t.Errorf("ListSnapshots of a hypervisor that does not answer: %v", err)
		}
		if _, err := b.Console(ctx, "7"); backends.CodeOf(err) != backends.Timeout {
			t.Errorf("Console of a hypervisor that does not answer: %v", err)
		}
		want := []string{`CloneVM VM "web"`, `CreateSnapshot VM "7"`, `ListSnapshots VM "7"`, `Console VM "7"`}
		if !slices.Equal(traced, want) {
			t.Errorf("traced %q, want %q", traced, want)
		}

		quick := Wrap(whole{}, opts)
		if l, err := quick.ListSnapshots(ctx, "7"); err != nil || len(l) != 1 {
			t.Errorf("ListSnapshots answered %v, %v", l, err)
		}
		if c, err := quick.Console(ctx, "7"); err != nil || c.URL == "" {
			t.Errorf("Console answered %v, %v", c, err)
		}
	})
}
