package libvirt

import (
	"context"
	"errors"
	"strings"
	"testing"

	rpc "github.com/digitalocean/go-libvirt"
	"github.com/google/go-cmp/cmp"
	"libvirt.org/go/libvirtxml"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/catalogues"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/inherit"
)

func TestSerialOf(t *testing.T) {
	for key, want := range map[string]string{"root": "root", "data_1-b": "data_1-b", "twenty-characters-xx": "twenty-characters-xx"} {
		if got := serialOf(key); got != want {
			t.Errorf("serialOf(%q) = %q, want %q", key, got, want)
		}
	}
	seen := map[string]string{}
	for _, key := range []string{"a.b", "a b", "ab", "ä", "über-lang", "one-and-twenty-signs-a", "one-and-twenty-signs-b"} {
		s := serialOf(key)
		if !plainSerial.MatchString(s) {
			t.Errorf("serialOf(%q) = %q does not fit", key, s)
		}
		if other, twice := seen[s]; twice {
			t.Errorf("%q and %q have one serial, %q", key, other, s)
		}
		seen[s] = key
	}
}

func TestFreeTarget(t *testing.T) {
	taken := map[string]bool{"sda": true}
	for _, c := range []struct{ bus, want string }{
		{"virtio", "vda"}, {"virtio", "vdb"}, {"scsi", "sdb"}, {"sata", "sdc"}, {"ide", "hda"},
	} {
		if got := freeTarget(c.bus, taken); got != c.want {
			t.Errorf("on %s: %q, want %q", c.bus, got, c.want)
		}
	}
	if got := letters(25) + letters(26) + letters(26*27); got != "zaaaaa" {
		t.Errorf("letters: %q", got)
	}
}

func TestCPUSet(t *testing.T) {
	for _, same := range [][2]string{{"0-3,8", "0,1,2,3,8"}, {"0-3,^2", "0-1,3"}, {"5", "5"}, {"1, 2", "1-2"}} {
		if !sameCPUSet(same[0], same[1]) {
			t.Errorf("%q and %q are told apart", same[0], same[1])
		}
	}
	for _, bad := range []string{"", "a", "3-1", "-1", "1-99999999", "^1", "1,,2"} {
		if _, ok := parseCPUSet(bad); ok {
			t.Errorf("%q is taken for a list", bad)
		}
	}
	if sameCPUSet("0-3", "0-2") || sameCPUSet("x", "x") {
		t.Error("what differs counts as the same")
	}
}

func TestMebibytes(t *testing.T) {
	for _, c := range []struct {
		value uint64
		unit  string
		want  int64
	}{{1048576, "KiB", 1024}, {1048576, "", 1024}, {2, "GiB", 2048}, {1000, "MB", 953}, {1 << 63, "TiB", 1 << 42}} {
		if got := mebibytes(c.value, c.unit); got != c.want {
			t.Errorf("%d %s are %d MiB, want %d", c.value, c.unit, got, c.want)
		}
	}
}

func TestGuestAddresses(t *testing.T) {
	g := &backends.Guest{Interfaces: []backends.GuestInterface{
		{Name: "lo", MAC: "00:00:00:00:00:00", Addresses: []string{"127.0.0.1", "::1"}},
		{Name: "docker0", MAC: "52:54:00:00:00:01", Addresses: []string{"172.17.0.1"}},
		{Name: "eth0", MAC: "52:54:00:00:00:01", Addresses: []string{"fe80::1", "2001:db8::5", "10.0.0.5", "169.254.1.1", "10.0.0.5", "rubbish"}},
		{Name: "eth0.30", MAC: "52:54:00:00:00:01", Addresses: []string{"10.30.0.5"}},
		{Name: "eth1", MAC: "52:54:00:00:00:02", Addresses: []string{"10.1.0.5"}},
	}}
	addresses, device := g.AddressesOf("52:54:00:00:00:01")
	if diff := cmp.Diff([]string{"10.0.0.5", "10.30.0.5", "2001:db8::5"}, addresses); diff != "" || device != "eth0" {
		t.Errorf("on %q (-want +got):\n%s", device, diff)
	}
}

// TestHeardAddresses takes what the host has heard of a NIC, whatever the host calls its end.
func TestHeardAddresses(t *testing.T) {
	heard := []rpc.DomainInterface{
		{Name: "vnet0", Hwaddr: rpc.OptString{"52:54:00:AA:00:01"}, Addrs: []rpc.DomainIPAddr{{Addr: "fe80::1"}, {Addr: "2001:db8::5"}, {Addr: "10.0.0.5"}}},
		{Name: "vnet1", Hwaddr: rpc.OptString{"52:54:00:aa:00:02"}, Addrs: []rpc.DomainIPAddr{{Addr: "10.1.0.5"}}},
		{Name: "vnet2", Addrs: []rpc.DomainIPAddr{{Addr: "10.2.0.5"}}},
	}
	if diff := cmp.Diff([]string{"10.0.0.5", "2001:db8::5"}, heardAddresses(heard, "52:54:00:aa:00:01")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := heardAddresses(heard, "52:54:00:aa:00:03"); got != nil {
		t.Errorf("an address that was never heard has %v", got)
	}
}

// TestFactsOf takes numbers in whatever type a libvirt sends them.
func TestFactsOf(t *testing.T) {
	param := func(field string, v any) rpc.TypedParam {
		return rpc.TypedParam{Field: field, Value: rpc.TypedParamValue{I: v}}
	}
	f := factsOf(rpc.DomainStatsRecord{Params: []rpc.TypedParam{
		param("state.state", int32(rpc.DomainRunning)), param("block.count", uint32(3)),
		param("block.0.name", "vda"), param("block.0.capacity", uint64(gib)),
		param("block.1.name", "vdb"), // no capacity: its file is gone
		param("block.2.name", "vdc"), param("block.2.capacity", int64(5)),
		param("block.3.capacity", "rubbish"), param("block.", true), param("block", nil), param("state.state.x", 1),
	}})
	if f.state != rpc.DomainRunning {
		t.Errorf("state is %v", f.state)
	}
	if diff := cmp.Diff(sizes{"vda": gib, "vdc": 5}, f.sizes); diff != "" {
		t.Error(diff)
	}
}

// TestKVMDefect knows a KVM that hangs VMs from one that runs them.
func TestKVMDefect(t *testing.T) {
	caps := func(modes ...libvirtxml.DomainCapsCPUMode) *libvirtxml.DomainCaps {
		return &libvirtxml.DomainCaps{CPU: &libvirtxml.DomainCapsCPU{Modes: modes}}
	}
	hostModel := func(policy, feature string) libvirtxml.DomainCapsCPUMode {
		return libvirtxml.DomainCapsCPUMode{
			Name: "host-model", Supported: "yes",
			Features: []libvirtxml.DomainCapsCPUFeature{{Policy: policy, Name: feature}},
		}
	}
	passthrough := libvirtxml.DomainCapsCPUMode{Name: "host-passthrough", Supported: "yes"}
	for name, c := range map[string]struct {
		caps   *libvirtxml.DomainCaps
		broken bool
	}{
		"works":          {caps(passthrough, hostModel("disable", "svm")), false},
		"without SSE3":   {caps(passthrough, hostModel("disable", "pni")), true},
		"no passthrough": {caps(libvirtxml.DomainCapsCPUMode{Name: "host-passthrough", Supported: "no"}), true},
		"says nothing":   {&libvirtxml.DomainCaps{}, false},
	} {
		if got := kvmDefect("x86_64", c.caps); (got != "") != c.broken {
			t.Errorf("%s: %q", name, got)
		}
	}
}

func TestDomainType(t *testing.T) {
	asked := &backends.LibvirtOptions{DomainType: ptr("qemu")}
	for _, c := range []struct {
		host hostFacts
		o    *backends.LibvirtOptions
		want string
	}{
		{hostFacts{kvm: true}, nil, "kvm"},
		{hostFacts{}, nil, "qemu"},
		{hostFacts{kvm: true}, asked, "qemu"},
		{hostFacts{kvm: true, configured: "qemu"}, nil, "qemu"},
		{hostFacts{configured: "kvm"}, nil, "kvm"},
	} {
		if got := c.host.domainType(c.o); got != c.want {
			t.Errorf("%+v with %v: %s, want %s", c.host, c.o, got, c.want)
		}
	}
}

// TestMerge keeps what is not asked for, and takes what is.
func TestMerge(t *testing.T) {
	for name, spec := range roundTrips {
		if diff := cmp.Diff(spec, inherit.Merge(spec, &backends.VMSpec{CreateToken: spec.CreateToken})); diff != "" {
			t.Errorf("%s: asking for nothing changes (-want +got):\n%s", name, diff)
		}
	}
	from := &backends.VMSpec{CPU: backends.CPU{Cores: ptr(int64(2)), MaxCores: ptr(int64(2))}, Memory: backends.Memory{SizeMiB: ptr(int64(512)), MaxMiB: ptr(int64(1024))}}
	to := inherit.Merge(from, &backends.VMSpec{CPU: backends.CPU{Cores: ptr(int64(4))}, Memory: backends.Memory{SizeMiB: ptr(int64(2048))}})
	if to.CPU.MaxCores != nil || to.Memory.MaxMiB != nil || to.CPU.MaxVCPUs() != 4 {
		t.Errorf("a maximum below the size stays: %+v %+v", to.CPU, to.Memory)
	}
}

func TestValidate(t *testing.T) {
	big := int64(1 << 50)
	for name, c := range map[string]struct {
		edit func(*backends.VMSpec)
		path backends.Path
	}{
		"no name":           {func(s *backends.VMSpec) { s.Name = "" }, "name"},
		"slash":             {func(s *backends.VMSpec) { s.Name = "a/b" }, "name"},
		"control character": {func(s *backends.VMSpec) { s.Description = ptr("a\x00b") }, "description"},
		"empty tag":         {func(s *backends.VMSpec) { s.Tags = []string{""} }, "tags"},
		"no cores":          {func(s *backends.VMSpec) { s.CPU.Cores = ptr(int64(0)) }, "cpu.cores"},
		"few max cores":     {func(s *backends.VMSpec) { s.CPU.Cores, s.CPU.MaxCores = ptr(int64(4)), ptr(int64(2)) }, "cpu.max_cores"},
		"affinity":          {func(s *backends.VMSpec) { s.CPU.Affinity = ptr("all") }, "cpu.affinity"},
		"model":             {func(s *backends.VMSpec) { s.CPU.Model = ptr("i486dx") }, "cpu.model"},
		"negative memory":   {func(s *backends.VMSpec) { s.Memory.SizeMiB = ptr(int64(-1)) }, "memory.size_mib"},
		"endless memory":    {func(s *backends.VMSpec) { s.Memory.SizeMiB = &big }, "memory.size_mib"},
		"little max memory": {func(s *backends.VMSpec) { s.Memory.MaxMiB = ptr(int64(1)) }, "memory.max_mib"},
		"no balloon": {func(s *backends.VMSpec) {
			s.Memory.SizeMiB, s.Memory.MaxMiB, s.Memory.Ballooning = ptr(int64(1)), ptr(int64(2)), ptr(false)
		}, "memory.max_mib"},
		"tiny weight":     {func(s *backends.VMSpec) { s.CPU.Shares = ptr(int64(1)) }, "cpu.shares"},
		"huge weight":     {func(s *backends.VMSpec) { s.CPU.Shares = ptr(int64(262145)) }, "cpu.shares"},
		"hardly any time": {func(s *backends.VMSpec) { s.CPU.LimitMHz = ptr(int64(2)) }, "cpu.limit_mhz"},
		"lethal limit":    {func(s *backends.VMSpec) { s.Memory.LimitMiB = ptr(int64(127)) }, "memory.limit_mib"},
		"limit below the balloon": {func(s *backends.VMSpec) {
			s.Memory.LimitMiB, s.Memory.MaxMiB = ptr(int64(128)), ptr(int64(256))
		}, "memory.limit_mib"},
		"part of the memory": {func(s *backends.VMSpec) { s.Memory.ReservationMiB = ptr(int64(64)) }, "memory.reservation_mib"},
		"more than the host": {func(s *backends.VMSpec) {
			s.Memory.SizeMiB, s.Memory.ReservationMiB = ptr(int64(16385)), ptr(int64(16385))
		}, "memory.reservation_mib"},
		"negative IOPS": {func(s *backends.VMSpec) {
			s.Disks["root"] = backends.Disk{SizeGiB: ptr(int64(1)), IOPSLimit: ptr(int64(-1))}
		}, `disks["root"].iops_limit`},
		"negative bandwidth": {func(s *backends.VMSpec) { s.Networks = map[string]backends.NIC{"n": {BandwidthMbps: ptr(int64(-1))}} }, `networks["n"].bandwidth_mbps`},
		"no such console":    {func(s *backends.VMSpec) { s.Console = &backends.ConsoleSpec{Type: ptr("x11")} }, "console.type"},
		"VNC by TLS":         {func(s *backends.VMSpec) { s.Console = &backends.ConsoleSpec{TLS: ptr(true)} }, "console.tls"},
		"VNC port":           {func(s *backends.VMSpec) { s.Console = &backends.ConsoleSpec{Port: ptr(int64(443))} }, "console.port"},
		"long VNC password":  {func(s *backends.VMSpec) { s.Console = &backends.ConsoleSpec{Password: ptr("nine char")} }, "console.password_wo"},
		"empty password":     {func(s *backends.VMSpec) { s.Console = &backends.ConsoleSpec{Password: ptr("")} }, "console.password_wo"},
		"port of a serial one": {func(s *backends.VMSpec) {
			s.Console = &backends.ConsoleSpec{Type: ptr("serial"), Port: ptr(int64(5900))}
		}, "console.port"},
		"secure BIOS": {func(s *backends.VMSpec) { s.Firmware, s.SecureBoot = ptr("bios"), ptr(true) }, "secure_boot"},
		"secure pc": {func(s *backends.VMSpec) {
			s.SecureBoot, s.Libvirt = ptr(true), &backends.LibvirtOptions{Machine: ptr("pc")}
		}, "secure_boot"},
		"disk of nothing": {func(s *backends.VMSpec) { s.Disks["d"] = backends.Disk{SizeGiB: ptr(int64(0))} }, `disks["d"].size_gib`},
		"no size":         {func(s *backends.VMSpec) { s.Disks["d"] = backends.Disk{} }, `disks["d"].size_gib`},
		"virtio SSD": {func(s *backends.VMSpec) {
			s.Disks["d"] = backends.Disk{SizeGiB: ptr(int64(1)), Bus: ptr("virtio"), SSD: ptr(true)}
		}, `disks["d"].ssd`},
		"scsi iothread": {func(s *backends.VMSpec) {
			s.Disks["d"] = backends.Disk{SizeGiB: ptr(int64(1)), Bus: ptr("scsi"), IOThread: ptr(true)}
		}, `disks["d"].iothread`},
		"IDE on q35": {func(s *backends.VMSpec) {
			s.Disks["d"] = backends.Disk{SizeGiB: ptr(int64(1)), Bus: ptr("ide")}
			s.Libvirt = &backends.LibvirtOptions{Machine: ptr("q35")}
		}, `disks["d"].bus`},
		"no root":   {func(s *backends.VMSpec) { s.Image = "a/b"; s.Disks = nil }, "disks"},
		"VLAN":      {func(s *backends.VMSpec) { s.Networks = map[string]backends.NIC{"n": {VLAN: ptr(int64(4095))}} }, `networks["n"].vlan`},
		"MTU":       {func(s *backends.VMSpec) { s.Networks = map[string]backends.NIC{"n": {MTU: ptr(int64(1))}} }, `networks["n"].mtu`},
		"bad MAC":   {func(s *backends.VMSpec) { s.Networks = map[string]backends.NIC{"n": {MAC: ptr("52:54")}} }, `networks["n"].mac`},
		"multicast": {func(s *backends.VMSpec) { s.Networks = map[string]backends.NIC{"n": {MAC: ptr("53:54:00:00:00:01")}} }, `networks["n"].mac`},
		"MAC twice": {func(s *backends.VMSpec) {
			s.Networks = map[string]backends.NIC{"a": {MAC: ptr("52:54:00:00:00:01")}, "b": {MAC: ptr("52-54-00-00-00-01")}}
		}, `networks["b"].mac`},
		"nameless bridge": {func(s *backends.VMSpec) { s.Networks = map[string]backends.NIC{"n": {Network: ptr("bridge:")}} }, `networks["n"].network`},
		"static address": {func(s *backends.VMSpec) {
			s.Networks = map[string]backends.NIC{"n": {IPv4: &backends.IPConfig{Address: "1.2.3"}}}
		}, `networks["n"].ipv4.address`},
	} {
		t.Run(name, func(t *testing.T) {
			spec := blank("vm")
			c.edit(spec)
			var e *backends.Error
			if err := validate(spec, testHost()); !errors.As(err, &e) || e.Path != c.path {
				t.Errorf("refused with %v, want %q blamed", err, c.path)
			}
		})
	}
	for name, spec := range roundTrips {
		if spec.Libvirt != nil && deref(spec.Libvirt.DomainType) == "kvm" {
			continue
		}
		if err := validate(spec, testHost()); err != nil {
			t.Errorf("%s is refused: %v", name, err)
		}
	}
}

// TestLocks gives one object to one caller at a time, others at once, and lets those who wait leave.
func TestLocks(t *testing.T) {
	var l locks
	unlock, err := l.lock(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	other, err := l.lock(t.Context(), "b")
	if err != nil {
		t.Fatal("another object is locked as well")
	}
	other()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := l.lock(ctx, "a"); !errors.Is(err, context.Canceled) {
		t.Errorf("waiting with an ended context: %v", err)
	}
	got := make(chan func())
	go func() {
		u, err := l.lock(context.WithoutCancel(ctx), "a")
		if err != nil {
			t.Error(err)
		}
		got <- u
	}()
	unlock()
	(<-got)()
	if len(l.held) != 0 {
		t.Errorf("locks that nobody has are kept: %v", l.held)
	}
}

// TestWithoutKVM says why a VM cannot have KVM, whoever asks for it.
func TestWithoutKVM(t *testing.T) {
	asked, open := &backends.VMSpec{Libvirt: &backends.LibvirtOptions{DomainType: ptr("kvm")}}, &backends.VMSpec{}
	absent, broken, works, configured := testHost(), testHost(), testHost(), testHost()
	broken.kvmNote, works.kvm, configured.configured = "it has no SSE3", true, "kvm"
	for _, c := range []struct {
		name string
		host *hostFacts
		spec *backends.VMSpec
		want string
	}{
		{"absent", absent, asked, "the host has no KVM"},
		{"broken", broken, asked, "it has no SSE3"},
		{"of the provider", configured, open, "the host has no KVM"},
		{"works", works, asked, ""},
		{"not asked", absent, open, ""},
	} {
		err := validateDomainType(c.spec, c.host)
		if c.want == "" {
			if err != nil {
				t.Errorf("%s: %v", c.name, err)
			}
			continue
		}
		if e := wantCode(t, err, backends.Unsupported); e.Path != "libvirt.domain_type" || !strings.Contains(e.Error(), c.want) {
			t.Errorf("%s: %v at %q", c.name, e, e.Path)
		}
	}
	if got := works.narrow(catalogues.Libvirt()).Accepts["libvirt.domain_type"]; len(got) != 2 {
		t.Errorf("with KVM the types are %q", got)
	}
}

// TestGuestOSOfAForeignVM leaves alone what its maker set up: to say which system is in it
// changes nothing. Another system does.
func TestGuestOSOfAForeignVM(t *testing.T) {
	d, err := parseDomain(`<domain type="kvm"><name>w</name><os><type>hvm</type></os><clock offset="localtime"><timer name="tsc" mode="native"/></clock>
		<features><hyperv mode="passthrough"/></features></domain>`)
	if err != nil {
		t.Fatal(err)
	}
	e := &edit{d: d, from: &backends.VMSpec{}, to: &backends.VMSpec{GuestOS: ptr("windows")}}
	e.ensureMark()
	before, _ := d.xml.Marshal()
	if err := e.coldChange(t.Context(), backends.Change{Path: "guest_os", Action: backends.Set, To: "windows"}); err != nil {
		t.Fatal(err)
	}
	if after, _ := d.xml.Marshal(); after != before {
		t.Errorf("before:\n%s\nafter:\n%s", before, after)
	}
	if err := e.coldChange(t.Context(), backends.Change{Path: "guest_os", Action: backends.Set, From: "linux", To: "windows"}); err != nil {
		t.Fatal(err)
	}
	if after, _ := d.xml.Marshal(); after == before {
		t.Error("another system changes nothing")
	}
}
