package machine

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// fake is one VM whose guest obeys, or not.
type fake struct {
	backends.Unimplemented
	power       backends.PowerState
	deaf        bool          // ignores shutdown requests
	slow        time.Duration // from the request to the end
	bootTime    time.Duration // from start to the first address
	bootAddress string
	started     time.Time
	asked       time.Time
	fail        map[string]error // by call
	calls       []string
}

func (f *fake) note(call string) error {
	f.calls = append(f.calls, call)
	return f.fail[call]
}

func (f *fake) Info(context.Context) (backends.Info, error) {
	return backends.Info{Catalogue: backends.Catalogue{Backend: backends.Mock, Support: map[backends.Feature]backends.Support{
		backends.FeatureDeferredChange: {Level: backends.Full},
	}}}, nil
}

func (f *fake) GetVMs(_ context.Context, ids []backends.ID, _ backends.Aspects) (map[backends.ID]backends.Result, error) {
	if err := f.fail["get"]; err != nil {
		return map[backends.ID]backends.Result{ids[0]: {Err: err}}, nil
	}
	vm := &backends.VM{ID: ids[0], Power: f.power, Config: backends.VMSpec{Name: "web"}, Networks: map[string]backends.NICStatus{"lan": {}}}
	if f.power == backends.Running && f.bootAddress != "" && time.Since(f.started) >= f.bootTime {
		vm.Networks["lan"] = backends.NICStatus{Addresses: []string{f.bootAddress}}
		vm.Guest = &backends.Guest{AgentRunning: true}
	}
	return map[backends.ID]backends.Result{ids[0]: {VM: vm}}, nil
}

func (f *fake) CreateVM(context.Context, *backends.VMSpec) (backends.ID, error) {
	f.power = backends.Stopped
	return "1", f.note("create")
}

func (f *fake) DeleteVM(context.Context, backends.ID, backends.DeleteOptions) error {
	return f.note("delete")
}

func (f *fake) SetPower(_ context.Context, _ backends.ID, a backends.PowerAction) error {
	if err := f.note(string(a)); err != nil {
		return err
	}
	switch a {
	case backends.PowerOn, backends.Resume:
		f.power, f.started = backends.Running, time.Now()
	case backends.PowerOff:
		f.power = backends.Stopped
	case backends.Suspend:
		f.power = backends.Suspended
	case backends.Shutdown:
		f.asked = time.Now()
		if !f.deaf && f.slow == 0 {
			f.power = backends.Stopped
		}
	}
	return nil
}

func (f *fake) WaitPower(ctx context.Context, _ backends.ID, state backends.PowerState) error {
	if f.power == state {
		return nil
	}
	if f.slow > 0 && !f.asked.IsZero() {
		select {
		case <-time.After(time.Until(f.asked.Add(f.slow))):
			f.power = backends.Stopped
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	<-ctx.Done()
	return ctx.Err()
}

func (f *fake) Migrate(context.Context, backends.ID, backends.PlacementSpec) error {
	return f.note("migrate")
}

func (f *fake) Reconfigure(_ context.Context, _ backends.ID, r backends.Reconfiguration) error {
	return f.note([]string{"live", "cold", "deferred"}[r.Mode])
}

func run(t *testing.T, f *fake, fn func(ctx context.Context)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { fn(t.Context()) })
}

func wantCalls(t *testing.T, f *fake, want ...string) {
	t.Helper()
	if !slices.Equal(f.calls, want) {
		t.Errorf("calls %v, want %v", f.calls, want)
	}
}

func TestCreateTellsTheIDBeforeItWaits(t *testing.T) {
	f := &fake{bootAddress: "10.0.0.5", bootTime: time.Minute}
	run(t, f, func(ctx context.Context) {
		var told time.Time
		id, warnings, err := Create(ctx, f, &backends.VMSpec{Name: "web"}, nil, CreateOptions{
			Power:   backends.Running,
			Created: func(backends.ID) { told = time.Now() },
			Wait:    &Wait{},
		})
		if err != nil || len(warnings) > 0 || id != "1" {
			t.Fatal(id, warnings, err)
		}
		if !told.Before(time.Now().Add(-50 * time.Second)) {
			t.Error("the id was told after the wait")
		}
		wantCalls(t, f, "create", "start")
	})
}

func TestCreateTellsTheIDOfAPartialVM(t *testing.T) {
	f := &fake{fail: map[string]error{"create": backends.Errorf(backends.Exhausted, "create", "", "no space left")}}
	run(t, f, func(ctx context.Context) {
		var told backends.ID
		id, _, err := Create(ctx, f, &backends.VMSpec{Name: "web"}, nil, CreateOptions{Created: func(id backends.ID) { told = id }})
		if id != "1" || told != "1" || backends.CodeOf(err) != backends.Exhausted {
			t.Error(id, told, err)
		}
		if got := err.Error(); got != `Unable to create VM "web": no space left` {
			t.Error(got)
		}
	})
}

func TestStop(t *testing.T) {
	tests := []struct {
		name  string
		deaf  bool
		stop  Shutdown
		calls []string
		code  backends.Code
	}{
		{"a guest that listens", false, DefaultShutdown, []string{"shutdown"}, ""},
		{"a deaf guest is forced", true, DefaultShutdown, []string{"shutdown", "stop"}, ""},
		{"a deaf guest without force", true, Shutdown{Timeout: time.Minute}, []string{"shutdown"}, backends.Timeout},
		{"at once", false, Shutdown{}, []string{"stop"}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := &fake{power: backends.Running, deaf: tt.deaf}
			run(t, f, func(ctx context.Context) {
				err := SetPower(ctx, f, "1", backends.Stopped, tt.stop)
				if backends.CodeOf(err) != tt.code {
					t.Errorf("got %v, want code %q", err, tt.code)
				}
				wantCalls(t, f, tt.calls...)
			})
		})
	}
}

func TestStopDoesNotForceAfterInterrupt(t *testing.T) {
	f := &fake{power: backends.Running, deaf: true}
	run(t, f, func(ctx context.Context) {
		ctx, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		if err := Stop(ctx, f, "1", DefaultShutdown); err == nil {
			t.Error("no error")
		}
		wantCalls(t, f, "shutdown")
	})
}

func TestDelete(t *testing.T) {
	gone := backends.Errorf(backends.NotFound, "read", "", "no such VM")
	t.Run("what is gone is success", func(t *testing.T) {
		f := &fake{fail: map[string]error{"get": gone}}
		run(t, f, func(ctx context.Context) {
			if err := Delete(ctx, f, "1", DefaultShutdown, backends.DeleteOptions{}); err != nil {
				t.Error(err)
			}
		})
	})
	t.Run("a deaf guest does not keep its VM", func(t *testing.T) {
		f := &fake{power: backends.Running, deaf: true}
		run(t, f, func(ctx context.Context) {
			if err := Delete(ctx, f, "1", Shutdown{Timeout: time.Second}, backends.DeleteOptions{}); err != nil {
				t.Error(err)
			}
			wantCalls(t, f, "shutdown", "stop", "delete")
		})
	})
	t.Run("another failure is not success", func(t *testing.T) {
		f := &fake{power: backends.Stopped, fail: map[string]error{"delete": backends.Errorf(backends.Transient, "delete", "", "connection reset")}}
		run(t, f, func(ctx context.Context) {
			if err := Delete(ctx, f, "1", DefaultShutdown, backends.DeleteOptions{}); !errors.Is(err, backends.ErrTransient) {
				t.Error(err)
			}
		})
	})
}

func specs(from, to backends.VMSpec) Update {
	from.Name, to.Name = "web", "web"
	return Update{From: &from, To: &to, Changes: backends.Diff(&from, &to), Stop: DefaultShutdown}
}

func ptr[T any](v T) *T { return &v }

func TestApply(t *testing.T) {
	small := backends.VMSpec{CPU: backends.CPU{Cores: ptr(int64(1)), MaxCores: ptr(int64(4))}, Description: ptr("a"), Firmware: ptr("bios")}
	hot, cold := small, small
	hot.CPU.Cores = ptr(int64(2))
	cold.Firmware, cold.Description = ptr("uefi"), ptr("b")
	noted := small
	noted.Description = ptr("b")
	moved, placed := small, small
	placed.Placement.Host, moved.Placement.Host = ptr("one"), ptr("two")
	tests := []struct {
		name  string
		power backends.PowerState
		u     Update
		with  func(*Update)
		calls []string
		code  backends.Code
		left  backends.PowerState
	}{
		{"live changes of a running VM", backends.Running, specs(small, hot), nil, []string{"live"}, "", backends.Running},
		{"a cold change restarts", backends.Running, specs(small, cold), nil, []string{"shutdown", "cold", "start"}, "", backends.Running},
		{"a stopped VM is not started", backends.Stopped, specs(small, cold), nil, []string{"cold"}, "", backends.Stopped},
		{"never", backends.Running, specs(small, cold), func(u *Update) { u.Policy = backends.RestartNever }, nil, backends.Precondition, backends.Running},
		{"defer", backends.Running, specs(small, cold), func(u *Update) { u.Policy = backends.RestartDefer }, []string{"live", "deferred"}, "", backends.Running},
		{"to stop anyway", backends.Running, specs(small, cold), func(u *Update) { u.Power = backends.Stopped }, []string{"shutdown", "cold"}, "", backends.Stopped},
		{"to start with it", backends.Stopped, specs(small, cold), func(u *Update) { u.Power = backends.Running }, []string{"cold", "start"}, "", backends.Running},
		{"migration", backends.Running, specs(placed, moved), nil, []string{"migrate"}, "", backends.Running},
		{"reboot only", backends.Running, specs(small, small), func(u *Update) { u.Reboot = true }, []string{"shutdown", "start"}, "", backends.Running},
		{"reboot and restart are one", backends.Running, specs(small, cold), func(u *Update) { u.Reboot = true }, []string{"shutdown", "cold", "start"}, "", backends.Running},
		{"a note does not wake a suspended VM", backends.Suspended, specs(small, noted), nil, []string{"live"}, "", backends.Suspended},
		{"a suspended VM is woken and put back", backends.Suspended, specs(small, hot), nil, []string{"resume", "live", "suspend"}, "", backends.Suspended},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.with != nil {
				tt.with(&tt.u)
			}
			f := &fake{power: tt.power}
			run(t, f, func(ctx context.Context) {
				err := Apply(ctx, f, "1", tt.u)
				if backends.CodeOf(err) != tt.code {
					t.Errorf("got %v, want code %q", err, tt.code)
				}
				wantCalls(t, f, tt.calls...)
				if f.power != tt.left {
					t.Errorf("left %s, want %s", f.power, tt.left)
				}
			})
		})
	}
}

// TestApplyStartsAgainAfterAnInterrupt cancels while the guest shuts down: it goes
// down all the same, and nobody else would start it.
func TestApplyStartsAgainAfterAnInterrupt(t *testing.T) {
	from, to := backends.VMSpec{Firmware: ptr("bios")}, backends.VMSpec{Firmware: ptr("uefi")}
	f := &fake{power: backends.Running, slow: 3 * time.Second}
	run(t, f, func(ctx context.Context) {
		ctx, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		if err := Apply(ctx, f, "1", specs(from, to)); err == nil {
			t.Error("no error")
		}
		wantCalls(t, f, "shutdown", "start")
		if f.power != backends.Running {
			t.Errorf("the VM was left %s", f.power)
		}
	})
}

func TestApplyStartsAgainAfterAFailedChange(t *testing.T) {
	from := backends.VMSpec{Firmware: ptr("bios")}
	to := backends.VMSpec{Firmware: ptr("uefi")}
	f := &fake{power: backends.Running, fail: map[string]error{"cold": backends.Errorf(backends.Invalid, "change", "", "no such firmware")}}
	run(t, f, func(ctx context.Context) {
		err := Apply(ctx, f, "1", specs(from, to))
		if !errors.Is(err, backends.ErrInvalid) || !strings.Contains(err.Error(), "no such firmware") {
			t.Errorf("the cause was lost: %v", err)
		}
		if f.power != backends.Running {
			t.Error("the VM was left stopped")
		}
	})
}

func TestWaitFor(t *testing.T) {
	tests := []struct {
		name    string
		wait    Wait
		address string
		warning string
	}{
		{"first address", Wait{}, "10.0.0.5", ""},
		{"agent", Wait{Agent: true}, "10.0.0.5", ""},
		{"only what the source has", Wait{Except: []string{"10.0.0.5"}}, "10.0.0.5", "none that wait_for asks for"},
		{"inside the prefix", Wait{CIDR: netip.MustParsePrefix("10.0.0.0/24")}, "10.0.0.5", ""},
		{"outside the prefix", Wait{CIDR: netip.MustParsePrefix("192.0.2.0/24")}, "10.0.0.5", "none that wait_for asks for: lan: 10.0.0.5"},
		{"IPv4 wanted, IPv6 there", Wait{IPv4: true}, "2001:db8::5", "none that wait_for asks for"},
		{"nothing", Wait{}, "", "is the agent installed"},
		{"another network", Wait{Network: "storage"}, "10.0.0.5", "none that wait_for asks for"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := &fake{power: backends.Running, bootAddress: tt.address, bootTime: 20 * time.Second}
			run(t, f, func(ctx context.Context) {
				f.started = time.Now()
				warnings, err := WaitFor(ctx, f, "1", tt.wait)
				if err != nil {
					t.Fatal(err)
				}
				if tt.warning == "" {
					if len(warnings) > 0 {
						t.Error(warnings)
					}
					return
				}
				if len(warnings) != 1 || !strings.Contains(warnings[0].Detail, tt.warning) {
					t.Errorf("got %v, want %q", warnings, tt.warning)
				}
			})
		})
	}
}

func TestWaitForStopsWithTheVM(t *testing.T) {
	f := &fake{power: backends.Stopped}
	run(t, f, func(ctx context.Context) {
		if _, err := WaitFor(ctx, f, "1", Wait{}); !errors.Is(err, backends.ErrPrecondition) {
			t.Error(err)
		}
	})
}
