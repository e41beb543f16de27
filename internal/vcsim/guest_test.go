package vcsim_test

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/vmware/govmomi/event"
	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/vim25/types"

	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/vcsim"
)

const running = "guestToolsRunning"

// guest returns what a machine's tools tell, once they run.
func (l *lab) guest(vm *object.VirtualMachine) *types.GuestInfo {
	l.t.Helper()
	l.await("tools run", func() bool { return l.properties(vm).Guest.ToolsRunningStatus == running })
	return l.properties(vm).Guest
}

// Only a machine with a guest on its disk has tools, and only while it runs.
func TestGuestsAreOnDisks(t *testing.T) {
	l := newLab(t, vcsim.Options{})
	ctx := t.Context()
	vm := l.named("vm-one")
	if g := l.properties(vm).Guest; g.ToolsRunningStatus == running || g.IpAddress != "" || len(g.Net) > 0 {
		t.Errorf("a machine that is off tells %+v", g)
	}
	l.start(vm)
	g := l.guest(vm)
	mac := device[*types.VirtualVmxnet3](l, vm).MacAddress
	if len(g.Net) != 1 || g.Net[0].MacAddress != mac || g.Net[0].Network != l.Seed.Network || g.Net[0].DeviceConfigId == 0 {
		t.Fatalf("network: %+v", g.Net)
	}
	ip, err := netip.ParseAddr(g.IpAddress)
	if err != nil || !ip.Is4() || !slices.Contains(g.Net[0].IpAddress, g.IpAddress) || len(g.Disk) != 1 || g.HostName == "" {
		t.Errorf("the guest: %+v", g)
	}
	if s := l.properties(vm).Summary.Guest; s.IpAddress != g.IpAddress || s.ToolsRunningStatus != running {
		t.Errorf("the summary: %+v", s)
	}

	task, err := vm.PowerOff(ctx)
	if err := run(ctx, task, err); err != nil {
		t.Fatal(err)
	}
	if g := l.properties(vm).Guest; g.ToolsRunningStatus == running || g.IpAddress != "" {
		t.Errorf("after power off: %+v", g)
	}

	blank := l.vm("blank")
	clone := must[*object.VirtualMachine](t)(l.clone(vm, "copy", types.VirtualMachineCloneSpec{PowerOn: true}))
	l.start(blank)
	if other := l.guest(clone); other.IpAddress == g.IpAddress {
		t.Errorf("two machines have %s", g.IpAddress)
	}
	if g := l.properties(blank).Guest; g.ToolsRunningStatus == running {
		t.Errorf("a blank disk has a guest: %+v", g)
	}
	if err := blank.ShutdownGuest(ctx); faultOf(err) != "ToolsUnavailable" {
		t.Errorf("shutting down no guest: %v", err)
	}
}

func TestGuestsObey(t *testing.T) {
	l := newLab(t, vcsim.Options{})
	ctx := t.Context()
	vm := l.named("vm-one")
	power := func() types.VirtualMachinePowerState { return l.properties(vm).Runtime.PowerState }
	l.start(vm)
	l.guest(vm)
	booted := l.properties(vm).Runtime.BootTime
	if err := vm.RebootGuest(ctx); err != nil {
		t.Fatal(err)
	}
	l.await("rebooted", func() bool { p := l.properties(vm); return p.Runtime.BootTime.After(*booted) })
	l.guest(vm)

	l.IgnoreShutdown("vm-one", true)
	if err := vm.ShutdownGuest(ctx); err != nil {
		t.Fatal(err)
	}
	l.IgnoreShutdown("vm-one", false)
	time.Sleep(50 * time.Millisecond) // several times what a guest that obeys takes
	if power() != types.VirtualMachinePowerStatePoweredOn {
		t.Error("it did not ignore the request")
	}
	if err := vm.ShutdownGuest(ctx); err != nil {
		t.Fatal(err)
	}
	l.await("off", func() bool { return power() == types.VirtualMachinePowerStatePoweredOff })
	if g := l.properties(vm).Guest; g.IpAddress != "" {
		t.Errorf("after the shutdown: %+v", g)
	}

	l.start(vm)
	l.guest(vm)
	if err := vm.StandbyGuest(ctx); err != nil {
		t.Fatal(err)
	}
	l.await("suspended", func() bool { return power() == types.VirtualMachinePowerStateSuspended })
}

func packed(t *testing.T, text string) string {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	must[int](t)(z.Write([]byte(text)))
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(b.Bytes())
}

// Guests take their name and addresses from the properties that cloud-init reads.
func TestGuestReadsGuestInfo(t *testing.T) {
	l := newLab(t, vcsim.Options{})
	vm := l.named("vm-one")
	mac := device[*types.VirtualVmxnet3](l, vm).MacAddress
	meta := "instance-id: i-1\nlocal-hostname: web-01\nnetwork:\n  version: 2\n  ethernets:\n    lan:\n      match: {macaddress: \"" + mac + "\"}\n      addresses: [192.0.2.10/24, \"2001:db8::10/64\"]\n"
	for encoding, value := range map[string]string{
		"":            meta,
		"base64":      base64.StdEncoding.EncodeToString([]byte(meta)),
		"gzip+base64": packed(t, meta),
	} {
		if err := l.reconfigure(vm, types.VirtualMachineConfigSpec{ExtraConfig: []types.BaseOptionValue{
			&types.OptionValue{Key: "guestinfo.metadata", Value: value},
			&types.OptionValue{Key: "guestinfo.metadata.encoding", Value: encoding},
		}}); err != nil {
			t.Fatal(err)
		}
		l.start(vm)
		g := l.guest(vm)
		if g.HostName != "web-01" || g.IpAddress != "192.0.2.10" || !slices.Contains(g.Net[0].IpAddress, "2001:db8::10") {
			t.Errorf("%q: %s, %s, %v", encoding, g.HostName, g.IpAddress, g.Net[0].IpAddress)
		}
		task, err := vm.PowerOff(t.Context())
		if err := run(t.Context(), task, err); err != nil {
			t.Fatal(err)
		}
	}
}

func linuxSpec(hostname, address string) types.CustomizationSpec {
	return types.CustomizationSpec{
		Options:  &types.CustomizationLinuxOptions{},
		Identity: &types.CustomizationLinuxPrep{HostName: &types.CustomizationFixedName{Name: hostname}, Domain: "example.org"},
		NicSettingMap: []types.CustomizationAdapterMapping{{Adapter: types.CustomizationIPSettings{
			Ip: &types.CustomizationFixedIp{IpAddress: address}, SubnetMask: "255.255.255.0", Gateway: []string{"192.0.2.1"},
		}}},
	}
}

// A customization is applied at the first start, and events tell how it went.
func TestCustomization(t *testing.T) {
	l := newLab(t, vcsim.Options{})
	ctx := t.Context()
	spec := linuxSpec("web-01", "192.0.2.7")
	vm := must[*object.VirtualMachine](t)(l.clone(l.named("vm-one"), "custom", types.VirtualMachineCloneSpec{Customization: &spec}))
	if p := l.properties(vm); p.Config.Tools.PendingCustomization == "" {
		t.Error("nothing is pending")
	}
	l.start(vm)
	g := l.guest(vm)
	if g.HostName != "web-01.example.org" || g.IpAddress != "192.0.2.7" {
		t.Errorf("the guest: %s, %s", g.HostName, g.IpAddress)
	}
	if p := l.properties(vm); p.Config.Tools.PendingCustomization != "" || p.Guest.CustomizationInfo.CustomizationStatus != "TOOLSDEPLOYPKG_SUCCEEDED" {
		t.Errorf("still pending: %+v", p.Guest.CustomizationInfo)
	}

	sick := must[*object.VirtualMachine](t)(l.clone(l.named("vm-one"), "sick", types.VirtualMachineCloneSpec{}))
	l.FailCustomization("sick", "the reason")
	task, err := sick.Customize(ctx, linuxSpec("web-02", "192.0.2.8"))
	if err := run(ctx, task, err); err != nil {
		t.Fatal(err)
	}
	l.start(sick)
	if g := l.guest(sick); g.IpAddress == "192.0.2.8" {
		t.Error("a customization that failed was applied")
	}
	events := map[string]string{}
	for _, e := range must[[]types.BaseEvent](t)(event.NewManager(l.client.Client).QueryEvents(ctx, types.EventFilterSpec{
		Entity: &types.EventFilterSpecByEntity{Entity: sick.Reference(), Recursion: types.EventFilterSpecRecursionOptionSelf},
	})) {
		switch e := e.(type) {
		case *types.CustomizationFailed:
			events["failed"] = e.Reason
		case *types.CustomizationStartedEvent:
			events["started"] = "-"
		}
	}
	if events["failed"] != "the reason" || events["started"] == "" {
		t.Errorf("events: %v", events)
	}
}
