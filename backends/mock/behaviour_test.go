package mock_test

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/mock"
)

func spec(name string, edits ...func(*backends.VMSpec)) *backends.VMSpec {
	s := &backends.VMSpec{Name: name, Disks: map[string]backends.Disk{"root": {SizeGiB: new(int64(1))}}}
	for _, edit := range edits {
		edit(s)
	}
	return s
}

func create(t *testing.T, b backends.Backend, s *backends.VMSpec) backends.ID {
	t.Helper()
	id, err := b.CreateVM(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func power(t *testing.T, b backends.Backend, id backends.ID, actions ...backends.PowerAction) {
	t.Helper()
	for _, a := range actions {
		if err := b.SetPower(t.Context(), id, a); err != nil {
			t.Fatal(err)
		}
	}
}

func wantCode(t *testing.T, err error, code backends.Code, words ...string) {
	t.Helper()
	if backends.CodeOf(err) != code {
		t.Fatalf("%v has code %q, want %q", err, backends.CodeOf(err), code)
	}
	var e *backends.Error
	if !errors.As(err, &e) {
		t.Fatalf("%v is no *backends.Error", err)
	}
	for _, w := range words {
		if !strings.Contains(err.Error()+" "+e.Remedy, w) {
			t.Errorf("the message does not say %q: %v (%s)", w, err, e.Remedy)
		}
	}
}

// TestPowerMatrix tries every action in every state.
func TestPowerMatrix(t *testing.T) {
	const no = backends.PowerState("")
	const run, off, sus, pau = backends.Running, backends.Stopped, backends.Suspended, backends.Paused
	states := []backends.PowerState{off, run, sus, pau}
	for action, want := range map[backends.PowerAction][]backends.PowerState{ // in the order of states
		backends.PowerOn:  {run, run, run, run},
		backends.PowerOff: {off, off, off, off},
		backends.Shutdown: {off, off, no, no},
		backends.Reboot:   {no, run, no, no},
		backends.Reset:    {no, run, no, no},
		backends.Suspend:  {no, sus, sus, sus},
		backends.Pause:    {no, pau, no, pau},
		backends.Resume:   {no, run, run, run},
	} {
		for i, state := range states {
			b := open(t, mock.Options{})
			id := create(t, b, spec("vm"))
			switch state {
			case run:
				power(t, b, id, backends.PowerOn)
			case sus:
				power(t, b, id, backends.PowerOn, backends.Suspend)
			case pau:
				power(t, b, id, backends.PowerOn, backends.Pause)
			}
			err := b.SetPower(t.Context(), id, action)
			expect := want[i]
			if expect == no {
				wantCode(t, err, backends.Precondition, string(state), `VM "vm"`)
				expect = state
			} else if err != nil {
				t.Errorf("%s of a %s VM: %v", action, state, err)
			}
			if got := get(t, b, id).Power; got != expect {
				t.Errorf("%s of a %s VM leaves it %s, want %s", action, state, got, expect)
			}
		}
	}
	b := open(t, mock.Options{})
	wantCode(t, b.SetPower(t.Context(), create(t, b, spec("vm")), "explode"), backends.Invalid, "explode")
}

// TestDeterminism: a seed decides ids, MACs and addresses.
func TestDeterminism(t *testing.T) {
	world := func(seed int64) (string, *backends.VM) {
		b := open(t, mock.Options{Seed: seed})
		id := create(t, b, spec("vm", func(s *backends.VMSpec) {
			s.Networks = map[string]backends.NIC{"lan": {Network: new("lan")}}
		}))
		power(t, b, id, backends.PowerOn)
		vm := get(t, b, id)
		return string(id) + " " + vm.Networks["lan"].MAC + " " + strings.Join(vm.Networks["lan"].Addresses, " "), vm
	}
	first, vm := world(1)
	if again, _ := world(1); again != first {
		t.Errorf("the same seed made %q, then %q", first, again)
	}
	if other, _ := world(2); other == first {
		t.Errorf("another seed made %q too", other)
	}
	if a := vm.Networks["lan"].Addresses; len(a) != 1 || !strings.HasPrefix(a[0], "10.20.") {
		t.Errorf("addresses %v, want one of the network's range", a)
	}
}

func TestGuest(t *testing.T) {
	b := open(t, mock.Options{SampleData: true})
	id := create(t, b, spec("vm", func(s *backends.VMSpec) {
		s.Image = "ubuntu-24.04"
		s.Disks["root"] = backends.Disk{SizeGiB: new(int64(10))}
		s.Networks = map[string]backends.NIC{
			"lan": {Network: new("lan")},
			"dmz": {Network: new("dmz"), IPv4: &backends.IPConfig{Address: "192.0.2.5/24"}, IPv6: &backends.IPConfig{Address: "2001:db8::5/64"}},
			"off": {Network: new("lan"), Connected: new(false)},
		}
	}))
	power(t, b, id, backends.PowerOn)
	read := func(aspects backends.Aspects) *backends.VM {
		got, err := b.GetVMs(t.Context(), []backends.ID{id}, aspects)
		if err != nil || got[id].Err != nil {
			t.Fatal(err, got[id].Err)
		}
		return got[id].VM
	}
	vm := read(backends.AspectConfig | backends.AspectGuest)
	if vm.Guest == nil || vm.Guest.Hostname != "vm" || !strings.Contains(vm.Guest.OS, "Ubuntu") {
		t.Errorf("the guest says %+v", vm.Guest)
	}
	if got := vm.Networks["dmz"].Addresses; !slices.Equal(got, []string{"192.0.2.5", "2001:db8::5"}) {
		t.Errorf("static addresses %v", got)
	}
	if got := vm.Networks["off"].Addresses; len(got) > 0 {
		t.Errorf("an interface without a cable has %v", got)
	}
	for _, i := range vm.Guest.Interfaces {
		for _, a := range i.Addresses {
			if _, err := netip.ParseAddr(a); err != nil {
				t.Errorf("interface %s has %q: %v", i.Name, a, err)
			}
		}
	}
	// Without its agent only the DHCP server knows addresses.
	plain := read(backends.AspectConfig)
	if plain.Guest != nil || len(plain.Networks["lan"].Addresses) != 1 || len(plain.Networks["dmz"].Addresses) != 0 {
		t.Errorf("without the agent: %+v, %+v", plain.Guest, plain.Networks)
	}
	// A guest that hangs neither answers nor listens.
	if err := b.Inject(mock.Fault{Operation: "Guest", Name: "vm"}); err != nil {
		t.Fatal(err)
	}
	if read(backends.AspectGuest).Guest != nil {
		t.Error("a guest that hangs answers")
	}
	_, err := b.GuestInfo(t.Context(), id)
	wantCode(t, err, backends.Precondition, "does not answer")
	power(t, b, id, backends.Shutdown)
	short, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	wantCode(t, b.WaitPower(short, id, backends.Stopped), backends.Timeout)
	power(t, b, id, backends.PowerOff)
}

// TestKeptDisks: a disk that asks to be kept outlives its removal.
func TestKeptDisks(t *testing.T) {
	b := open(t, mock.Options{})
	with := spec("vm", func(s *backends.VMSpec) {
		s.Disks["data"] = backends.Disk{SizeGiB: new(int64(3)), KeepOnDestroy: new(true)}
		s.Disks["tmp"] = backends.Disk{SizeGiB: new(int64(3))}
	})
	id := create(t, b, with)
	vm := get(t, b, id)
	without := spec("vm")
	r := backends.Reconfiguration{Desired: without, Changes: backends.Diff(&vm.Config, without), Mode: backends.Cold}
	if err := b.Reconfigure(t.Context(), id, r); err != nil {
		t.Fatal(err)
	}
	kept, err := b.GetDisk(t.Context(), vm.Disks["data"].VolumeID)
	if err != nil || kept.AttachedTo != "" || *kept.Disk.SizeGiB != 3 {
		t.Errorf("the disk to keep: %+v, %v", kept, err)
	}
	_, err = b.GetDisk(t.Context(), vm.Disks["tmp"].VolumeID)
	wantCode(t, err, backends.NotFound)
	wantCode(t, b.DeleteVM(t.Context(), id, backends.DeleteOptions{KeepDisks: []string{"nope"}}), backends.Invalid, "nope")
}

// TestAliasing: what is handed out or taken in is nobody else's.
func TestAliasing(t *testing.T) {
	b := open(t, mock.Options{})
	s := spec("vm", func(s *backends.VMSpec) { s.Description, s.Tags = new("mine"), []string{"a"} })
	id := create(t, b, s)
	*s.Description, s.Tags[0] = "changed", "changed"
	vm := get(t, b, id)
	*vm.Config.CPU.Cores = 99
	vm.Config.Disks["x"] = backends.Disk{}
	after := get(t, b, id).Config
	if *after.Description != "mine" || after.Tags[0] != "a" || *after.CPU.Cores != 1 || len(after.Disks) != 1 {
		t.Errorf("somebody else's memory changed the VM: %+v", after)
	}
}

// TestTemplateFromVM: a VM serves as a template, whether or not it runs.
func TestTemplateFromVM(t *testing.T) {
	b := open(t, mock.Options{})
	first := create(t, b, spec("golden", func(s *backends.VMSpec) {
		s.CPU.Cores = new(int64(3))
		s.Networks = map[string]backends.NIC{"lan": {Network: new("dmz"), IPv4: &backends.IPConfig{Address: "192.0.2.5/24"}}}
	}))
	id := create(t, b, &backends.VMSpec{Name: "made", Template: "golden", Disks: map[string]backends.Disk{"root": {SizeGiB: new(int64(5))}}})
	vm := get(t, b, id)
	n := vm.Config.Networks["lan"]
	if *vm.Config.CPU.Cores != 3 || *vm.Config.Disks["root"].SizeGiB != 5 || *n.Network != "dmz" || n.IPv4 != nil {
		t.Errorf("made from the template: %+v", vm.Config)
	}
	if n.MAC == nil || *n.MAC == get(t, b, first).Networks["lan"].MAC {
		t.Error("the MAC was copied")
	}
	power(t, b, first, backends.PowerOn)
	create(t, b, &backends.VMSpec{Name: "again", Template: string(first)})
	if get(t, b, first).Power != backends.Running {
		t.Error("the source does not run any more")
	}
}
