package vsphere

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/types"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/vcsim"
)

// becomes changes a VM into to, and checks that it became that.
func (r *rig) becomes(id backends.ID, to *backends.VMSpec, mode backends.ReconfigureMode) {
	r.t.Helper()
	if err := r.try(id, to, mode); err != nil {
		r.t.Fatalf("Reconfigure(%s): %v", to.Name, err)
	}
	r.matches(id, to)
}

func (r *rig) try(id backends.ID, to *backends.VMSpec, mode backends.ReconfigureMode) error {
	r.t.Helper()
	vm := r.read(id)
	return r.Reconfigure(r.ctx, id, backends.Reconfiguration{Desired: to, Changes: backends.Diff(&vm.Config, to), Mode: mode})
}

// refused fails unless err has the code and blames the attribute.
func (r *rig) refused(err error, code backends.Code, path backends.Path) {
	r.t.Helper()
	var at backends.Path
	if e, ok := err.(*backends.Error); ok { //nolint:errorlint // What the caller gets.
		at = e.Path
	}
	if backends.CodeOf(err) != code || at != path {
		r.t.Errorf("code %q at %q, want %q at %q: %v", backends.CodeOf(err), at, code, path, err)
	}
}

func TestCallsOfACreation(t *testing.T) {
	r := newRig(t, vcsim.Options{})
	r.create(r.spec("first")) // what is remembered for the next ones is read
	for name, test := range map[string]struct {
		edit func(*backends.VMSpec)
		most int
	}{
		"plain": {func(*backends.VMSpec) {}, 6},
		"whole": {func(s *backends.VMSpec) {
			s.CloudInit = &backends.CloudInit{Hostname: new("web")}
			s.VSphere = &backends.VSphereOptions{BootOrder: []string{"lan", "root"}}
		}, 12},
	} {
		t.Run(name, func(t *testing.T) {
			r.t = t
			spec := r.spec("calls-" + name)
			test.edit(spec)
			r.sim.ResetCalls()
			id := r.create(spec)
			if n := r.sim.TotalCalls(); n > test.most {
				t.Errorf("%d calls, want at most %d: %v", n, test.most, r.sim.Calls())
			} else {
				t.Logf("%d calls: %v", n, r.sim.Calls())
			}
			r.matches(id, spec)
		})
	}
}

func TestCallsOfAChange(t *testing.T) {
	r := newRig(t, vcsim.Options{})
	spec := r.spec("web")
	id := r.create(spec)
	r.power(id, backends.PowerOn)
	to := *spec
	to.Description = new("changed")
	to.Disks = map[string]backends.Disk{"root": {SizeGiB: new(int64(2))}, "data": spec.Disks["data"], "log": {SizeGiB: new(int64(1))}}
	to.Networks = map[string]backends.NIC{"lan": {Network: new(r.sim.Seed.PortGroup)}, "more": {}}
	changes := backends.Diff(&r.read(id).Config, &to)
	r.sim.ResetCalls()
	if err := r.Reconfigure(r.ctx, id, backends.Reconfiguration{Desired: &to, Changes: changes, Mode: backends.Live}); err != nil {
		t.Fatal(err)
	}
	calls := r.sim.Calls()
	if n := r.sim.TotalCalls(); n > 4 || calls["ReconfigVM_Task"] != 1 {
		t.Errorf("%d calls, want one specification and at most 4: %v", n, calls)
	}
	r.matches(id, &to)
	r.sim.ResetCalls()
	if err := r.Reconfigure(r.ctx, id, backends.Reconfiguration{Desired: &to, Changes: changes, Mode: backends.Live}); err != nil {
		t.Fatal(err)
	}
	if n := r.sim.Calls()["ReconfigVM_Task"]; n != 0 {
		t.Errorf("changes that hold already were sent %d times", n)
	}
}

// Somebody else who changes the VM between the read and the change costs another try, and no more.
func TestAChangeOfWhatSomebodyElseChanges(t *testing.T) {
	r := newRig(t, vcsim.Options{})
	spec := r.spec("web")
	id := r.create(spec)
	r.sim.FailTask("ReconfigVM_Task", "web", &types.ConcurrentAccess{}, 2)
	to := *spec
	to.Memory.SizeMiB = new(int64(512))
	r.becomes(id, &to, backends.Cold)
	r.sim.FailTask("ReconfigVM_Task", "web", &types.ConcurrentAccess{}, 100)
	to.Memory.SizeMiB = new(int64(1024))
	r.refused(r.try(id, &to, backends.Cold), backends.Locked, "")
}

// A creation whose answer is lost, or that ends half-way, is found again by its token.
func TestACreationThatIsRepeated(t *testing.T) {
	r := newRig(t, vcsim.Options{})
	spec := r.spec("web")
	spec.CreateToken, spec.CloudInit = "token", &backends.CloudInit{Hostname: new("web")}
	r.sim.FailTask("ReconfigVM_Task", "web", &types.GenericVmConfigFault{Reason: "no"}, 1)
	half, err := r.CreateVM(r.ctx, spec)
	if err == nil || half == "" {
		t.Fatalf("a creation that ended half-way answered %q, %v", half, err)
	}
	id := r.create(spec)
	r.matches(id, spec)
	if again := r.create(spec); again != id {
		t.Errorf("the repeated creation answered %s, want %s", again, id)
	}
	list, err := r.ListVMs(r.ctx, backends.VMFilter{Names: []string{"web"}})
	if err != nil || len(list) != 1 {
		t.Errorf("there are %d VMs of the name (%v)", len(list), err)
	}
	stranger := r.spec("web")
	_, err = r.CreateVM(r.ctx, stranger)
	r.refused(err, backends.Conflict, "name")
	if err == nil || !strings.Contains(err.Error(), string(id)) {
		t.Errorf("the message does not name the VM that there is: %v", err)
	}
}

func TestALostAnswerLosesNoVM(t *testing.T) {
	r := newRig(t, vcsim.Options{})
	r.create(r.spec("first"))
	r.sim.Lose("CreateVM_Task", "", 1)
	spec := r.spec("web")
	spec.CreateToken = "token"
	id, err := r.CreateVM(r.ctx, spec)
	if err == nil || backends.CodeOf(err) != backends.Transient {
		t.Fatalf("a lost answer is %v", err)
	}
	again, err := r.CreateVM(r.ctx, spec)
	for pause := time.Millisecond; backends.CodeOf(err) == backends.Locked; pause *= 2 {
		time.Sleep(pause) // vSphere still makes it
		again, err = r.CreateVM(r.ctx, spec)
	}
	if err != nil {
		t.Fatal(err)
	}
	r.matches(again, spec)
	if id != "" && again != id {
		t.Errorf("the VM was made twice: %s and %s", id, again)
	}
}

func TestProcessors(t *testing.T) {
	r := newRig(t, vcsim.Options{})
	spec := r.spec("web")
	spec.CPU = backends.CPU{
		Cores: new(int64(2)), Sockets: new(int64(2)), ReservationMHz: new(int64(200)), LimitMHz: new(int64(1500)),
		Shares: new(int64(3000)), Affinity: new("0-2,5"),
	}
	spec.Memory = backends.Memory{SizeMiB: new(int64(512)), ReservationMiB: new(int64(512)), LimitMiB: new(int64(1024)), Shares: new(int64(900))}
	id := r.create(spec)
	r.matches(id, spec)
	to := *spec
	to.CPU.Affinity, to.CPU.LimitMHz, to.CPU.Shares, to.CPU.ReservationMHz = new(""), new(int64(0)), new(int64(0)), new(int64(0))
	to.Memory.ReservationMiB, to.Memory.LimitMiB, to.Memory.Shares = new(int64(128)), new(int64(0)), new(int64(0))
	r.becomes(id, &to, backends.Cold)
	m, err := r.machine(r.ctx, id, "read")
	if err != nil {
		t.Fatal(err)
	}
	if hw := m.Config.Hardware; hw.NumCPU != 4 || value(hw.NumCoresPerSocket) != 2 {
		t.Errorf("%d processors, %d cores per socket", hw.NumCPU, value(hw.NumCoresPerSocket))
	}
	if value(m.Config.MemoryReservationLockedToMax) {
		t.Error("a part of the memory is reserved as all of it")
	}

	hot := r.spec("hot")
	hot.CPU = backends.CPU{Cores: new(int64(1)), MaxCores: new(int64(4))}
	hot.Memory = backends.Memory{SizeMiB: new(int64(256)), MaxMiB: new(int64(1024))}
	id = r.create(hot)
	r.power(id, backends.PowerOn)
	more := *hot
	more.CPU.Cores, more.Memory.SizeMiB = new(int64(3)), new(int64(512))
	r.becomes(id, &more, backends.Live)
	less := more
	less.CPU.Cores = new(int64(2))
	r.refused(r.try(id, &less, backends.Live), backends.Precondition, "cpu.cores")
	r.power(id, backends.PowerOff)
	r.becomes(id, &less, backends.Cold)
}

func TestWhatNoVMCanBe(t *testing.T) {
	r := newRig(t, vcsim.Options{})
	disk := func(d backends.Disk) func(*backends.VMSpec) {
		return func(s *backends.VMSpec) { s.Disks["data"] = d }
	}
	gib1 := new(int64(1))
	for path, test := range map[backends.Path]struct {
		code backends.Code
		edit func(*backends.VMSpec)
	}{
		"name":                        {backends.Invalid, func(s *backends.VMSpec) { s.Name = strings.Repeat("x", 81) }},
		"guest_os":                    {backends.Invalid, func(s *backends.VMSpec) { s.GuestOS = new("plan9") }},
		"cpu.affinity":                {backends.Invalid, func(s *backends.VMSpec) { s.CPU.Affinity = new("3-1") }},
		"cpu.threads":                 {backends.Invalid, func(s *backends.VMSpec) { s.CPU.Threads = new(int64(2)) }},
		"cpu.limit_mhz":               {backends.Invalid, func(s *backends.VMSpec) { s.CPU.LimitMHz, s.CPU.ReservationMHz = new(int64(100)), new(int64(200)) }},
		"memory.size_mib":             {backends.Invalid, func(s *backends.VMSpec) { s.Memory.SizeMiB = new(int64(255)) }},
		"memory.reservation_mib":      {backends.Invalid, func(s *backends.VMSpec) { s.Memory.ReservationMiB = new(int64(512)) }},
		"secure_boot":                 {backends.Invalid, func(s *backends.VMSpec) { s.SecureBoot = new(true) }},
		"tpm":                         {backends.Invalid, func(s *backends.VMSpec) { s.TPM = new(true) }},
		`disks["data"].slot`:          {backends.Invalid, disk(backends.Disk{SizeGiB: gib1, Slot: new("0:7")})},
		`disks["data"].iops_limit`:    {backends.Invalid, disk(backends.Disk{SizeGiB: gib1, IOPSLimit: new(int64(5))})},
		`disks["data"].provisioning`:  {backends.Invalid, disk(backends.Disk{SizeGiB: gib1, Shared: new(true), Provisioning: new("thin")})},
		`disks["data"].policy`:        {backends.Invalid, disk(backends.Disk{SizeGiB: gib1, Policy: new("gold"), Storage: new("datastore1")})},
		`disks["data"].storage`:       {backends.Exhausted, disk(backends.Disk{SizeGiB: new(int64(100)), Storage: new("small")})},
		`networks["lan"].mac`:         {backends.Invalid, func(s *backends.VMSpec) { s.Networks["lan"] = backends.NIC{MAC: new("01:00:5e:00:00:01")} }},
		`networks["lan"].network`:     {backends.NotFound, func(s *backends.VMSpec) { s.Networks["lan"] = backends.NIC{Network: new("nowhere")} }},
		"vsphere.latency_sensitivity": {backends.Invalid, func(s *backends.VMSpec) { s.VSphere = &backends.VSphereOptions{LatencySensitivity: new("high")} }},
		"vsphere.boot_delay_ms":       {backends.Invalid, func(s *backends.VMSpec) { s.VSphere = &backends.VSphereOptions{BootDelayMs: new(int64(-5))} }},
		"cdrom.iso":                   {backends.NotFound, func(s *backends.VMSpec) { s.CDROM = &backends.CDROM{ISO: "[datastore1] none.iso"} }},
	} {
		t.Run(string(path), func(t *testing.T) {
			r.t = t
			spec := r.spec("bad")
			test.edit(spec)
			r.sim.ResetCalls()
			id, err := r.CreateVM(r.ctx, spec)
			r.refused(err, test.code, path)
			if id != "" || r.sim.Calls()["CreateVM_Task"] > 0 {
				t.Errorf("vSphere was asked to make it: %v", r.sim.Calls())
			}
		})
	}
}

func TestGuestIdentifiers(t *testing.T) {
	for _, test := range []struct {
		name    string
		version int64
		want    string
	}{
		{"linux", 10, "otherLinux64Guest"},
		{"linux", 14, "other4xLinux64Guest"},
		{"linux", 19, "other5xLinux64Guest"},
		{"linux", 21, "other6xLinux64Guest"},
		{"windows", 14, "windows9Server64Guest"},
		{"windows", 19, "windows2019srvNext_64Guest"},
		{"other", 19, "otherGuest64"},
		{"ubuntu64Guest", 19, "ubuntu64Guest"},
	} {
		if got := guestID(test.name, test.version); got != test.want || !knownGuest(got) {
			t.Errorf("guestID(%q, %d) = %q, want %q", test.name, test.version, got, test.want)
		}
	}
}

func TestHostDevices(t *testing.T) {
	r := newRig(t, vcsim.Options{})
	ctx := r.sim.Context()
	for _, o := range ctx.Map.All("EnvironmentBrowser") {
		t.Log(o.Reference())
	}
	for _, o := range ctx.Map.AllReference("EnvironmentBrowser") {
		browser, ok := o.(*simulator.EnvironmentBrowser)
		if !ok {
			continue
		}
		browser.QueryConfigTargetResponse.Returnval = &types.ConfigTarget{
			PciPassthrough: []types.BaseVirtualMachinePciPassthroughInfo{&types.VirtualMachinePciPassthroughInfo{
				SystemId: "sys", PciDevice: types.HostPciDevice{Id: "0000:65:00.0", VendorId: 0x10de - 1<<15, DeviceId: 0x1bb3, DeviceName: "Tesla"},
			}},
			SharedGpuPassthroughTypes: []types.VirtualMachinePciSharedGpuPassthroughInfo{{Vgpu: "grid_t4-1q"}},
		}
	}
	spec := r.spec("gpu")
	spec.Memory.ReservationMiB = spec.Memory.SizeMiB
	spec.HostDevices = map[string]backends.HostDevice{"nic": {PCI: "0000:65:00.0"}, "gpu": {VGPU: "grid_t4-1q"}}
	id := r.create(spec)
	r.matches(id, spec)
	to := *spec
	to.HostDevices = map[string]backends.HostDevice{"gpu": {VGPU: "grid_t4-1q"}}
	r.becomes(id, &to, backends.Cold)
	to.HostDevices = map[string]backends.HostDevice{"gpu": {VGPU: "grid_t4-8q"}}
	r.refused(r.try(id, &to, backends.Cold), backends.NotFound, `host_devices["gpu"]`)
	to.HostDevices = map[string]backends.HostDevice{}
	r.becomes(id, &to, backends.Cold)
	if got := r.read(id).Config.HostDevices; len(got) != 0 {
		t.Errorf("devices that were taken away: %v", got)
	}
}

func TestVTPMNeedsAKeyProvider(t *testing.T) {
	r := newRig(t, vcsim.Options{NoKeyProvider: true})
	spec := r.spec("web")
	spec.Firmware, spec.TPM = new("uefi"), new(true)
	_, err := r.CreateVM(r.ctx, spec)
	r.refused(err, backends.Precondition, "tpm")
	if err == nil || !strings.Contains(err.Error(), "key provider") {
		t.Errorf("the message does not say what is missing: %v", err)
	}
}

func TestPortableNames(t *testing.T) {
	all := []string{}
	for _, set := range [][]int32{nil, {3}, {0, 1, 2, 3, 8}, {8, 2, 1}} {
		all = append(all, formatCPUs(set))
	}
	if want := []string{"", "3", "0-3,8", "1-2,8"}; !slices.Equal(all, want) {
		t.Errorf("got %q, want %q", all, want)
	}
}
