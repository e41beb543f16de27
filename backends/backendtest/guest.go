package backendtest

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

const guestAspects = all | backends.AspectGuest | backends.AspectGuestDetail

// hostname is what cloud-init calls the shared guest.
const hostname = "conformance-guest"

var guestCases = []Case{
	{
		Name:   "guest/agent",
		Proves: []backends.Feature{backends.FeatureGuestAgent, backends.FeatureGuestTools, backends.FeatureAgentIntegration, backends.FeatureCloudInit},
		Needs:  []backends.Feature{backends.FeatureImageDownload},
		Lacks:  lacksGuest, Run: agent,
	},
	{
		Name: "guest/dhcp", Proves: []backends.Feature{backends.FeatureDHCP},
		Lacks: lacksGuest, Run: dhcp,
	},
	{
		Name: "guest/no_agent", Proves: []backends.Feature{backends.FeatureGuestAgent},
		Run: noAgent,
	},
	{
		Name: "guest/disk_hotplug", Proves: []backends.Feature{backends.FeatureDiskHotplug},
		Lacks: lacksGuest, Run: diskHotplug,
	},
	{
		Name: "guest/nic_hotplug", Proves: []backends.Feature{backends.FeatureNICHotplug},
		Lacks: either(lacksGuest, lacksSecond), Run: nicHotplug,
	},
	{
		Name: "guest/disk_growth", Proves: []backends.Feature{backends.FeatureDiskResize},
		Lacks: lacksGuest, Run: guestDiskGrowth,
	},
	{
		Name: "guest/survives_suspend", Proves: []backends.Feature{backends.FeatureSuspend},
		Lacks: lacksGuest, Run: survivesSuspend,
	},
}

// shutdownCases come last: they take the shared guest down.
var shutdownCases = []Case{
	{
		Name: "guest/reboot", Proves: []backends.Feature{backends.FeatureReboot},
		Lacks: lacksGuest, Run: reboot,
	},
	{
		Name: "guest/shutdown", Proves: []backends.Feature{backends.FeaturePower},
		Lacks: lacksGuest, Run: shutdown,
	},
}

func lacksGuest(h *Harness) string {
	if h.BootImage == nil {
		return "BootImage"
	}
	return lacksNetwork(h)
}

// bootImage returns the image that boots, fetched once.
func (e *Env) bootImage(t *testing.T) string {
	t.Helper()
	if e.boot == "" {
		e.boot = e.BootImage(e.root, e.Backend)
	}
	return e.boot
}

// guestSpec is a VM that boots, with a second disk to write on and room to grow
// while it runs.
func (e *Env) guestSpec(t *testing.T) *backends.VMSpec {
	t.Helper()
	return e.With(func(s *backends.VMSpec) {
		s.Image = e.bootImage(t)
		s.Networks = map[string]backends.NIC{"lan": {Network: new(e.Seed.Network)}}
		root := s.Disks["root"]
		root.SizeGiB = nil // the image's
		s.Disks = map[string]backends.Disk{"root": root, "data": {SizeGiB: new(int64(1)), Storage: root.Storage}}
		if e.Catalogue.Supports(backends.FeatureCloudInit) {
			s.CloudInit = &backends.CloudInit{Hostname: new(hostname)}
		}
		if e.Catalogue.Supports(backends.FeatureHotCPUAdd) {
			s.CPU.MaxCores = new(int64(2))
		}
		if e.Catalogue.Supports(backends.FeatureHotMemoryAdd) {
			hot := e.Traits.HotMemory
			s.Memory.SizeMiB = new(max(*s.Memory.SizeMiB, hot.LeastMiB))
			s.Memory.MaxMiB = new(max(512, *s.Memory.SizeMiB+hot.StepMiB))
		}
	})
}

// Guest returns a running VM whose agent answers. Cases share it, since a boot
// may cost seconds, and leave it running; one that is gone or hangs is replaced.
func (e *Env) Guest(t *testing.T) backends.ID {
	t.Helper()
	if e.shared != "" {
		got, err := e.GetVMs(e.Ctx(t), []backends.ID{e.shared}, guestAspects)
		if err == nil && got[e.shared].Err == nil && got[e.shared].VM.Guest != nil {
			return e.shared
		}
	}
	if e.shared != "" { // it hangs: it must not cost the next one its processor
		_ = e.DeleteVM(e.Ctx(t), e.shared, backends.DeleteOptions{})
		e.shared = ""
	}
	spec := e.guestSpec(t)
	id, err := e.CreateVM(e.Ctx(t), spec)
	e.DeleteLater(e.root, id)
	if err != nil {
		t.Fatalf("CreateVM of a guest: %v", err)
	}
	e.Matches(t, id, spec)
	e.bootGuest(t, id)
	e.shared = id
	return id
}

// bootGuest starts a VM and waits until its agent answers. Where guests are emulated
// one boot in a hundred hangs: a Run forgives one, which is stopped, started again and
// named in the log.
func (e *Env) bootGuest(t *testing.T, id backends.ID) *backends.VM {
	t.Helper()
	e.Power(t, id, backends.PowerOn)
	if e.Traits.RealGuest && !e.forgiven {
		ctx, cancel := context.WithTimeout(e.Ctx(t), e.Timeout/2)
		defer cancel()
		if missing := until(ctx, func() string { _, missing := e.agentMissing(t, id); return missing }); missing != "" {
			t.Logf("a boot hangs, it is tried once more: %s", missing)
			e.forgiven = true
			e.Power(t, id, backends.PowerOff)
			e.Power(t, id, backends.PowerOn)
		}
	}
	return e.awaitAgent(t, id)
}

// awaitAgent reads until the agent answers and the first NIC has an address.
func (e *Env) awaitAgent(t *testing.T, id backends.ID) (vm *backends.VM) {
	t.Helper()
	e.Eventually(t, "the agent's first answer with an address", func() (missing string) {
		vm, missing = e.agentMissing(t, id)
		return missing
	})
	return vm
}

// agentMissing reads a guest and says what it still lacks: an agent that answers, or
// an address.
func (e *Env) agentMissing(t *testing.T, id backends.ID) (vm *backends.VM, missing string) {
	t.Helper()
	vm = e.Read(t, id, guestAspects)
	switch {
	case vm.Guest == nil:
		return vm, "no agent answers"
	case !vm.Guest.AgentRunning:
		return vm, "the agent is said not to run"
	case len(vm.Networks["lan"].Addresses) == 0:
		return vm, fmt.Sprintf("no address; the agent reports %+v", vm.Guest.Interfaces)
	}
	return vm, ""
}

func agent(t *testing.T, e *Env) {
	id := e.Guest(t)
	vm := e.awaitAgent(t, id)
	g, err := e.GuestInfo(e.Ctx(t), id)
	if err != nil {
		t.Fatalf("GuestInfo: %v", err)
	}
	for from, g := range map[string]backends.Guest{"GuestInfo": g, "GetVMs": *vm.Guest} {
		if g.Hostname != hostname {
			t.Errorf("%s: the guest calls itself %q, cloud-init said %q", from, g.Hostname, hostname)
		}
		if !g.AgentRunning || g.AgentVersion == "" || g.OS == "" {
			t.Errorf("%s: the agent says too little: %+v", from, g)
		}
		mac := vm.Networks["lan"].MAC
		i := slices.IndexFunc(g.Interfaces, func(i backends.GuestInterface) bool { return i.MAC == mac })
		if i < 0 {
			t.Errorf("%s: no interface with the VM's MAC %s: %+v", from, mac, g.Interfaces)
			continue
		}
		for _, a := range vm.Networks["lan"].Addresses {
			if !slices.Contains(g.Interfaces[i].Addresses, a) {
				t.Errorf("%s: the guest does not report %s", from, a)
			}
		}
	}
	named := slices.ContainsFunc(g.Interfaces, func(i backends.GuestInterface) bool { return i.Name != "" })
	if named && vm.Networks["lan"].Device == "" {
		t.Error("the guest's name of the interface is missing")
	}
	// Nobody is asked who was not meant to be.
	if e.Read(t, id, all).Guest != nil {
		t.Error("the agent was asked without AspectGuest")
	}
}

func dhcp(t *testing.T, e *Env) {
	id := e.Guest(t)
	for _, a := range e.awaitAgent(t, id).Networks["lan"].Addresses {
		ip, err := netip.ParseAddr(a)
		if err != nil {
			t.Errorf("%q is no address: %v", a, err)
			continue
		}
		if ip.IsLinkLocalUnicast() || ip.IsLoopback() {
			t.Errorf("%s should not be reported", a)
		}
	}
	first := e.awaitAgent(t, id).Networks["lan"].Addresses[0]
	if ip, err := netip.ParseAddr(first); err != nil || !ip.Is4() {
		t.Errorf("the first address is %q, want the IPv4 one of the lease", first)
	}
}

func noAgent(t *testing.T, e *Env) {
	id := e.Create(t, e.Spec())
	_, err := e.GuestInfo(e.Ctx(t), id)
	WantCode(t, err, backends.Precondition)
	if e.Read(t, id, guestAspects).Guest != nil {
		t.Error("a stopped VM has a guest")
	}
}

// desired is what a VM has now, as something to ask for.
func (e *Env) desired(t *testing.T, id backends.ID) *backends.VMSpec {
	t.Helper()
	c := e.Read(t, id, all).Config
	return &backends.VMSpec{Name: c.Name, Disks: c.Disks, Networks: c.Networks}
}

// hotplugBus is one on which disks come and go while a VM runs.
func (e *Env) hotplugBus() *string {
	if all := e.Catalogue.Accepts["disks.bus"]; len(all) > 0 && !slices.Contains(all, "virtio") {
		return new("scsi")
	}
	return new("virtio")
}

func diskHotplug(t *testing.T, e *Env) {
	id := e.Guest(t)
	before := e.desired(t, id)
	e.Apply(t, id, withDisk(before, "hot", backends.Disk{SizeGiB: new(int64(1)), Bus: e.hotplugBus()}), backends.Live)
	e.InState(t, id, backends.Running)
	e.Apply(t, id, before, backends.Live)
	if d := e.Read(t, id, all).Disks; len(d) != len(before.Disks) {
		t.Errorf("disks after the removal: %+v", d)
	}
	e.InState(t, id, backends.Running)
}

func nicHotplug(t *testing.T, e *Env) {
	id := e.Guest(t)
	before := e.desired(t, id)
	nics := map[string]backends.NIC{"hot": {Network: new(e.Seed.SecondNetwork)}}
	for k, n := range before.Networks {
		nics[k] = n
	}
	e.Apply(t, id, withNICs(before, nics), backends.Live)
	mac := e.Read(t, id, all).Networks["hot"].MAC
	e.Eventually(t, "the guest seeing the interface", func() string {
		g := e.Read(t, id, guestAspects).Guest
		if g == nil {
			return "no agent answers"
		}
		if !slices.ContainsFunc(g.Interfaces, func(i backends.GuestInterface) bool { return i.MAC == mac }) {
			return fmt.Sprintf("no interface has MAC %s: %+v", mac, g.Interfaces)
		}
		return ""
	})
	e.Apply(t, id, before, backends.Live)
	e.InState(t, id, backends.Running)
}

func guestDiskGrowth(t *testing.T, e *Env) {
	id := e.Guest(t)
	to := e.desired(t, id)
	root := to.Disks["root"]
	root.SizeGiB = new(*root.SizeGiB + 1)
	e.Apply(t, id, withDisk(to, "root", root), backends.Live)
	vm := e.Read(t, id, guestAspects)
	if vm.Power != backends.Running || vm.Disks["root"].SizeBytes != *root.SizeGiB*gib {
		t.Errorf("after the growth the VM is %s with %+v", vm.Power, vm.Disks["root"])
	}
}

func survivesSuspend(t *testing.T, e *Env) {
	id := e.Guest(t)
	was := e.awaitAgent(t, id).Networks["lan"].Addresses
	e.Power(t, id, backends.Suspend)
	if e.Read(t, id, guestAspects).Guest != nil {
		t.Error("a suspended VM has a guest that answers")
	}
	e.Power(t, id, backends.Resume)
	if now := e.awaitAgent(t, id).Networks["lan"].Addresses; !slices.Equal(was, now) {
		t.Errorf("addresses %v became %v", was, now)
	}
}

func reboot(t *testing.T, e *Env) {
	id := e.Guest(t)
	e.Power(t, id, backends.Reboot)
	e.awaitAgent(t, id)
	if err := e.WaitPower(e.Ctx(t), id, backends.Running); err != nil { // the agent may have answered before it went down
		t.Error(err)
	}
}

func shutdown(t *testing.T, e *Env) {
	id := e.Guest(t)
	e.awaitAgent(t, id)
	e.Power(t, id, backends.Shutdown)
	if err := e.WaitPower(e.Ctx(t), id, backends.Stopped); err != nil {
		t.Fatalf("the guest was asked to shut down: %v", err)
	}
	vm := e.Read(t, id, guestAspects)
	if vm.Guest != nil || len(vm.Networks["lan"].Addresses) > 0 {
		t.Errorf("a stopped VM answers with %+v and addresses %v", vm.Guest, vm.Networks["lan"].Addresses)
	}
	e.shared = ""
}
