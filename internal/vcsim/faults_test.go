package vcsim_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/types"

	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/vcsim"
)

// now asks something that changes nothing.
func (l *lab) now(ctx context.Context) error {
	_, err := methods.GetCurrentTime(ctx, l.client)

	return err
}

func TestFaults(t *testing.T) {
	l := newLab(t, vcsim.Options{})
	vm := must[*object.VirtualMachine](t)(l.find.VirtualMachine(t.Context(), "vm-one"))
	other := must[*object.VirtualMachine](t)(l.find.VirtualMachine(t.Context(), "vm-two"))

	power := func(vm *object.VirtualMachine) (started bool, fault string) {
		task, err := vm.PowerOn(t.Context())
		if err != nil {
			return false, faultOf(err)
		}

		return true, faultOf(task.Wait(t.Context()))
	}

	l.Fail("PowerOnVM_Task", "vm-one", &types.HostNotConnected{}, 1)

	if started, fault := power(other); !started || fault != "" {
		t.Errorf("another machine: %v, %q", started, fault)
	}

	if started, fault := power(vm); started || fault != "HostNotConnected" {
		t.Errorf("synchronous: %v, %q", started, fault)
	}

	l.FailTask("PowerOnVM_Task", "vm-one", &types.InsufficientResourcesFault{}, 1)

	if started, fault := power(vm); !started || fault != "InsufficientResourcesFault" {
		t.Errorf("in the task: %v, %q", started, fault)
	}

	if started, fault := power(vm); !started || fault != "" {
		t.Errorf("afterwards: %v, %q", started, fault)
	}

	// A machine to be created is found by the name that it will have.
	l.FailTask("CreateVM_Task", "web", &types.NoPermission{PrivilegeId: "x"}, 1)

	if _, err := l.create(l.spec("api")); err != nil {
		t.Error(err)
	}

	if _, err := l.create(l.spec("web")); faultOf(err) != "NoPermission" {
		t.Errorf("create: %v", err)
	}
}

func TestBrokenConnections(t *testing.T) {
	l := newLab(t, vcsim.Options{})

	for name, test := range map[string]struct {
		breakIt func()
		broken  bool
	}{
		"dropped":     {func() { l.Drop("CurrentTime", "", 1) }, true},
		"lost":        {func() { l.Lose("CurrentTime", "", 1) }, true},
		"unavailable": {func() { l.Unavailable("CurrentTime", "", 1) }, true},
		"other":       {func() { l.Drop("PowerOnVM_Task", "", 1) }, false},
	} {
		t.Run(name, func(t *testing.T) {
			defer l.ClearFaults()

			test.breakIt()

			if err := l.now(t.Context()); (err != nil) != test.broken {
				t.Errorf("first call: %v", err)
			}

			if err := l.now(t.Context()); err != nil {
				t.Errorf("second call: %v", err)
			}
		})
	}

	t.Run("lost calls are executed", func(t *testing.T) {
		l.Lose("CreateFolder", "", 1)

		if _, err := l.folder().CreateFolder(t.Context(), "unheard"); err == nil {
			t.Error("no error")
		}

		if _, err := l.Find("Folder", "unheard"); err != nil {
			t.Error(err)
		}
	})

	t.Run("dropped calls are not", func(t *testing.T) {
		l.Drop("CreateFolder", "", 1)

		if _, err := l.folder().CreateFolder(t.Context(), "unmade"); err == nil {
			t.Error("no error")
		}

		if _, err := l.Find("Folder", "unmade"); err == nil {
			t.Error("the folder was made")
		}
	})

	t.Run("hung", func(t *testing.T) {
		l.Hang("CurrentTime", "", 1)

		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()

		if err := l.now(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
	})
}

func TestFlaky(t *testing.T) {
	l := newLab(t, vcsim.Options{})

	outcomes := func() string {
		l.ClearFaults()
		l.Flaky(0.5, 7)

		var s []byte

		for range 40 {
			c := byte('.')
			if l.now(t.Context()) != nil {
				c = 'x'
			}

			s = append(s, c)
		}

		return string(s)
	}

	first, second := outcomes(), outcomes()
	if first != second {
		t.Errorf("one seed, two sequences: %s, %s", first, second)
	}

	if n := len(first) - len(removeAll(first, 'x')); n < 5 || n > 35 {
		t.Errorf("%d of 40 failed", n)
	}

	l.ClearFaults()
}

func removeAll(s string, b byte) string {
	var kept []byte

	for i := range len(s) {
		if s[i] != b {
			kept = append(kept, s[i])
		}
	}

	return string(kept)
}

func TestDelay(t *testing.T) {
	l := newLab(t, vcsim.Options{Delay: time.Millisecond})
	l.Server.Delay("CurrentTime", 60*time.Millisecond)

	began := time.Now()
	if err := l.now(t.Context()); err != nil {
		t.Fatal(err)
	}

	if d := time.Since(began); d < 61*time.Millisecond {
		t.Errorf("took %v", d)
	}
}
