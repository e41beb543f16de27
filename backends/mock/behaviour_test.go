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

// TestLatency: calls take the time that was asked for, tell their progress, and
// a seed decides the jitter.
func TestLatency(t *testing.T) {
	took := func(seed int64) time.Duration {
		clock := newQuick()
		b := open(t, mock.Options{Latency: 8 * time.Second, Jitter: 4 * time.Second, Seed: seed, Clock: clock})
		var percents []int
		ctx := backends.WithProgress(t.Context(), func(p backends.Progress) {
			percents = append(percents, p.Percent)
			if p.Task == "" || p.Op != "create" || p.Object != `VM "vm"` {
				t.Errorf("progress %+v", p)
			}
		})
		start := clock.Now()
		if _, err := b.CreateVM(ctx, spec("vm")); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(percents, []int{0, 25, 50, 75, 100}) {
			t.Errorf("progress %v", percents)
		}
		return clock.Now().Sub(start)
	}
	first := took(1)
	if first < 8*time.Second || first >= 12*time.Second {
		t.Errorf("the creation took %s, want 8 to 12 seconds", first)
	}
	if again := took(1); again != first {
		t.Errorf("the same seed took %s, then %s", first, again)
	}
	if other := took(2); other == first {
		t.Errorf("another seed took %s too", other)
	}
}

// TestInterruptedCreation: the VM exists, says so, and the next try ends it.
func TestInterruptedCreation(t *testing.T) {
	clock := newHeld()
	b := open(t, mock.Options{Latency: time.Second, Clock: clock})
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-clock.waiting
		cancel()
	}()
	s := spec("vm")
	s.CreateToken = "t1"
	id, err := b.CreateVM(ctx, s)
	wantCode(t, err, backends.Canceled, `create VM "vm"`)
	if id == "" {
		t.Fatal("the VM exists and its id was not returned")
	}
	close(clock.release)
	if vm := get(t, b, id); vm.Status != "creating" || vm.Power != backends.Stopped {
		t.Errorf("the VM is %s (%s), want one that is being created", vm.Power, vm.Status)
	}
	wantCode(t, b.SetPower(t.Context(), id, backends.PowerOn), backends.Precondition, "did not end")
	tasks, err := b.Tasks(t.Context(), backends.TaskFilter{VM: id})
	if err != nil || len(tasks) == 0 || tasks[len(tasks)-1].State != "canceled" {
		t.Errorf("tasks %+v, %v; want the first one canceled", tasks, err)
	}
	again, err := b.CreateVM(t.Context(), s)
	if err != nil || again != id {
		t.Fatalf("the same creation again: %q, %v; want %q", again, err, id)
	}
	power(t, b, id, backends.PowerOn)
}

// TestInterruptedChange: nothing happened.
func TestInterruptedChange(t *testing.T) {
	clock := newHeld()
	b := open(t, mock.Options{Latency: time.Second, Clock: clock, SampleData: true})
	list := make(chan []backends.VMSummary, 1)
	go func() {
		all, _ := b.ListVMs(context.WithoutCancel(t.Context()), backends.VMFilter{Names: []string{"web-01"}})
		list <- all
	}()
	<-clock.waiting
	clock.release <- time.Time{}
	id := (<-list)[0].ID

	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-clock.waiting
		cancel()
	}()
	wantCode(t, b.DeleteVM(ctx, id, backends.DeleteOptions{}), backends.Canceled, "web-01")
	close(clock.release)
	if vm := get(t, b, id); vm.Power != backends.Running {
		t.Errorf("the VM is %s", vm.Power)
	}
}

// TestLocks: one VM is served in turn, another one at once.
func TestLocks(t *testing.T) {
	clock := newHeld()
	b := open(t, mock.Options{Clock: clock})
	one, other := create(t, b, spec("one")), create(t, b, spec("other"))

	b.SlowDown(time.Second)
	done := make(chan error, 1)
	ctx := t.Context()
	go func() { done <- b.SetPower(ctx, one, backends.PowerOn) }()
	<-clock.waiting // it has the lock

	short, cancel := context.WithTimeout(ctx, 20*time.Millisecond)
	defer cancel()
	wantCode(t, b.SetPower(short, one, backends.PowerOff), backends.Locked, "start", `VM "one"`)
	gone, cancel := context.WithCancel(ctx)
	cancel()
	wantCode(t, b.SetPower(gone, one, backends.PowerOff), backends.Canceled)

	free := make(chan error, 1)
	go func() { free <- b.SetPower(ctx, other, backends.PowerOn) }()
	<-clock.waiting // not held up by the lock of one
	second := make(chan error, 1)
	go func() { second <- b.SetPower(ctx, one, backends.Pause) }()

	close(clock.release)
	for name, c := range map[string]chan error{"the holder": done, "the other VM": free, "who waited": second} {
		if err := <-c; err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if got := get(t, b, one).Power; got != backends.Paused {
		t.Errorf("the VM is %s, want what the one who waited made of it", got)
	}
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

// TestCapacity: what is full says so, and by its name.
func TestCapacity(t *testing.T) {
	on := func(storage, provisioning string, size int64) func(*backends.VMSpec) {
		return func(s *backends.VMSpec) {
			s.Disks = map[string]backends.Disk{"root": {SizeGiB: &size, Storage: &storage, Provisioning: &provisioning}}
		}
	}
	b := open(t, mock.Options{})
	create(t, b, spec("thin-1", on("small", "thin", 100)))
	create(t, b, spec("thin-2", on("small", "thin", 100)))
	id := create(t, b, spec("thick", on("small", "thick", 6)))
	_, err := b.CreateVM(t.Context(), spec("more", on("small", "thick", 6)))
	wantCode(t, err, backends.Exhausted, `storage "small"`, "another storage")

	to := spec("thick", on("small", "thick", 7))
	vm := get(t, b, id)
	grow := backends.Reconfiguration{Desired: to, Changes: backends.Diff(&vm.Config, to)}
	wantCode(t, b.Reconfigure(t.Context(), id, grow), backends.Exhausted, "small")
	if got := get(t, b, id).Disks["root"].SizeBytes; got != 6<<30 {
		t.Errorf("the disk that could not grow has %d bytes", got)
	}
	if err := b.DeleteVM(t.Context(), id, backends.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	create(t, b, spec("more", on("small", "thick", 6))) // there is room again
	free := map[string]int64{}
	all, err := b.Storages(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range all {
		free[s.Name] = s.FreeBytes
	}
	if free["small"] != 0 || free["fast"] != 2<<40 {
		t.Errorf("free: %v", free)
	}

	reserve := func(mib int64) func(*backends.VMSpec) {
		return func(s *backends.VMSpec) {
			s.Memory = backends.Memory{SizeMiB: &mib, ReservationMiB: &mib}
			s.Placement.Host = new("mock-01")
		}
	}
	create(t, b, spec("big", reserve(400*1024)))
	_, err = b.CreateVM(t.Context(), spec("bigger", reserve(200*1024)))
	wantCode(t, err, backends.Exhausted, `host "mock-01"`)
	_, err = b.CreateVM(t.Context(), spec("on-offline", func(s *backends.VMSpec) { s.Placement.Host = new("mock-04") }))
	wantCode(t, err, backends.Precondition, "mock-04")
}

// TestMaxima: a maximum that nobody asked for follows, one that was asked for
// is held.
func TestMaxima(t *testing.T) {
	cpu := func(cores, limit *int64) func(*backends.VMSpec) {
		return func(s *backends.VMSpec) { s.CPU.Cores, s.CPU.MaxCores = cores, limit }
	}
	b := open(t, mock.Options{})
	_, err := b.CreateVM(t.Context(), spec("vm", cpu(new(int64(4)), new(int64(2)))))
	wantCode(t, err, backends.Invalid, "maximum of 2")
	id := create(t, b, spec("vm", cpu(new(int64(2)), nil)))
	for _, tt := range []struct {
		to   *backends.VMSpec
		code backends.Code
	}{
		{spec("vm", cpu(new(int64(6)), nil)), ""},
		{spec("vm", cpu(nil, new(int64(4)))), backends.Invalid},
		{spec("vm", func(s *backends.VMSpec) { s.Memory.MaxMiB = new(int64(100)) }), backends.Invalid},
	} {
		vm := get(t, b, id)
		err := b.Reconfigure(t.Context(), id, backends.Reconfiguration{
			Desired: tt.to, Changes: backends.Diff(&vm.Config, tt.to), Mode: backends.Cold,
		})
		if backends.CodeOf(err) != tt.code {
			t.Errorf("%+v: %v, want code %q", tt.to.CPU, err, tt.code)
		}
	}
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

func TestImitation(t *testing.T) {
	_, err := mock.New(mock.Options{Imitate: "bochs"})
	wantCode(t, err, backends.Invalid, "bochs")

	b := open(t, mock.Options{Imitate: backends.Libvirt, SampleData: true})
	info, err := b.Info(t.Context())
	if err != nil || info.Backend != backends.Libvirt || !strings.Contains(info.Product, "mock") {
		t.Errorf("Info %q, %q, %v", info.Backend, info.Product, err)
	}
	_, err = b.CreateVM(t.Context(), spec("vm", func(s *backends.VMSpec) { s.Placement.Folder = new("vm") }))
	wantCode(t, err, backends.Unsupported, "libvirt", "use tags")
	_, err = b.CreateVM(t.Context(), spec("vm", func(s *backends.VMSpec) {
		s.Disks["root"] = backends.Disk{SizeGiB: new(int64(1)), Format: new("vmdk")}
	}))
	wantCode(t, err, backends.Invalid, "qcow2, raw")
	_, err = b.CreateVM(t.Context(), spec("vm", func(s *backends.VMSpec) {
		s.Networks = map[string]backends.NIC{"lan": {Network: new("dvs-prod")}}
	}))
	wantCode(t, err, backends.NotFound, "dvs-prod", "vmbr0")
}

func TestInventory(t *testing.T) {
	b := open(t, mock.Options{})
	if all, err := b.ListVMs(t.Context(), backends.VMFilter{}); err != nil || len(all) > 0 {
		t.Errorf("an empty world has VMs %+v (%v)", all, err)
	}
	_, err := b.CreateVM(t.Context(), &backends.VMSpec{Name: "vm", Template: "debian-12-template"})
	wantCode(t, err, backends.NotFound, "debian-12-template")

	b = open(t, mock.Options{SampleData: true})
	all, err := b.ListVMs(t.Context(), backends.VMFilter{})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, vm := range all {
		names = append(names, vm.Name+" "+string(vm.Power))
		if vm.Owned == (vm.Name == "legacy-app") {
			t.Errorf("VM %q is owned: %t", vm.Name, vm.Owned)
		}
	}
	if !slices.Equal(names, []string{"db-01 running", "legacy-app stopped", "web-01 running"}) {
		t.Errorf("sample VMs %q", names)
	}
	images, err := b.ListImages(t.Context(), "default")
	if err != nil || len(images) != 3 {
		t.Errorf("sample images %+v, %v", images, err)
	}
}

// TestTemplateFromVM: a stopped VM serves as a template, a running one does not.
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
	_, err := b.CreateVM(t.Context(), &backends.VMSpec{Name: "again", Template: string(first)})
	wantCode(t, err, backends.Precondition, "golden")
}
