package libvirt

import (
	"context"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/inherit"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/libvirt/storage"
)

var update = flag.Bool("update", false, "write the golden files anew")

// testHost is a host like the ones that tests run on.
func testHost() *hostFacts {
	return &hostFacts{
		hostname: "host", arch: "x86_64", emulator: "/usr/bin/qemu-system-x86_64", cpus: 8, mhz: 2500, memMiB: 16384,
		uefi: true, secureBoot: true, tpm: true, systemDaemon: true,
		cpuModes: []string{"maximum", "host-model", "custom"}, cpuModels: []string{"Nehalem", "qemu64"},
	}
}

const testUUID = "11111111-2222-4333-8444-555555555555"

// testBlueprint lays a VM out the way a creation does, with made-up volumes.
func testBlueprint(spec *backends.VMSpec) *blueprint {
	c := &creation{Backend: &Backend{cfg: Config{StoragePool: "default", Network: "default"}}, spec: spec, host: testHost(), uuid: testUUID}
	c.macs = map[string]string{}
	for i, key := range nicOrder(spec.Networks) {
		c.macs[key] = "52:54:00:00:00:0" + itoa(i)
		if mac := spec.Networks[key].MAC; mac != nil {
			c.macs[key] = *mac
		}
	}
	pools := map[string]backends.Storage{"default": {Name: "default", Kind: "dir", Active: true, FreeBytes: 1 << 40}, "fast": {Name: "fast", Kind: "logical", Active: true}}
	c.pools = pools
	for _, key := range diskOrder(spec.Disks) {
		disk := spec.Disks[key]
		disk.Volume = nil // looked up elsewhere
		s := *spec
		s.Image = ""
		s.Disks = map[string]backends.Disk{key: disk}
		v, err := c.planVolume(context.Background(), &s, key, pools)
		if err != nil {
			panic(err)
		}
		v.create.Name = "vol-" + key
		v.spec = spec.Disks[key]
		c.volumes = append(c.volumes, v)
	}
	b := c.blueprint()
	for i, v := range c.volumes {
		b.disks[i].source, _ = c.sourceOf(context.Background(), storageVolume(v), v.kind)
	}
	if b.seed != nil {
		b.mark.Seed.Volume = "seed.iso"
		b.seed.source = source{Kind: "file", Path: "/pool/seed.iso"}
	}
	if b.cdrom != nil && spec.CDROM.ISO != "" {
		b.cdrom.source = source{Kind: "file", Path: "/pool/rescue.iso"}
		b.mark.CDROM.ISO, b.mark.CDROM.Path = spec.CDROM.ISO, "/pool/rescue.iso"
	}
	return b
}

var roundTrips = map[string]*backends.VMSpec{
	"least": {
		Name:  "least",
		Disks: map[string]backends.Disk{"root": {SizeGiB: ptr(int64(1))}},
	},
	"most": {
		Name:        "most <&> möglich",
		Description: ptr("two\nlines & <angles>"),
		Tags:        []string{"prod", "a b"},
		GuestOS:     ptr("linux"),
		CPU: backends.CPU{
			Cores: ptr(int64(2)), Sockets: ptr(int64(2)), Threads: ptr(int64(1)), MaxCores: ptr(int64(4)),
			Model: ptr("Nehalem"), HotAdd: ptr(true), Affinity: ptr("0,1,2,3"),
		},
		Memory:     backends.Memory{SizeMiB: ptr(int64(1024)), MaxMiB: ptr(int64(4096)), HotAdd: ptr(true), Ballooning: ptr(true)},
		Firmware:   ptr("uefi"),
		SecureBoot: ptr(true),
		TPM:        ptr(true),
		Disks: map[string]backends.Disk{
			"root":                   {SizeGiB: ptr(int64(20)), Format: ptr("qcow2"), Provisioning: ptr("thin"), Storage: ptr("default")},
			"data":                   {SizeGiB: ptr(int64(5)), Bus: ptr("virtio"), IOThread: ptr(true), Cache: ptr("none"), Discard: ptr(true), KeepOnDestroy: ptr(true)},
			"fast":                   {SizeGiB: ptr(int64(3)), Storage: ptr("fast"), SSD: ptr(true)},
			"sata":                   {SizeGiB: ptr(int64(1)), Bus: ptr("sata"), Format: ptr("raw"), Provisioning: ptr("thick")},
			"a very long key, with.": {SizeGiB: ptr(int64(1)), Bus: ptr("scsi")},
		},
		CDROM: &backends.CDROM{ISO: "default/rescue.iso"},
		Networks: map[string]backends.NIC{
			"lan":   {Network: ptr("prod"), Model: ptr("e1000e"), MAC: ptr("52:54:00:aa:bb:cc"), MTU: ptr(int64(9000)), Connected: ptr(false)},
			"ovs":   {Network: ptr("ovs:br-int"), VLAN: ptr(int64(30)), Order: ptr(int64(0))},
			"wire":  {Network: ptr("direct:eth1")},
			"plain": {Network: ptr("bridge:br0"), Connected: ptr(true)},
		},
		CloudInit:   &backends.CloudInit{Hostname: ptr("most")},
		Placement:   backends.PlacementSpec{Storage: ptr("default")},
		Libvirt:     &backends.LibvirtOptions{Machine: ptr("q35"), DomainType: ptr("qemu")},
		CreateToken: "token",
	},
	"bios_pc": {
		Name:     "old",
		Firmware: ptr("bios"),
		GuestOS:  ptr("windows"),
		Memory:   backends.Memory{SizeMiB: ptr(int64(512)), Ballooning: ptr(false)},
		CPU:      backends.CPU{Cores: ptr(int64(1)), MaxCores: ptr(int64(1)), Model: ptr("host-passthrough")},
		Disks:    map[string]backends.Disk{"root": {SizeGiB: ptr(int64(1)), Bus: ptr("ide")}},
		CDROM:    &backends.CDROM{},
		Networks: map[string]backends.NIC{"nic": {Model: ptr("rtl8139")}},
		Libvirt:  &backends.LibvirtOptions{DomainType: ptr("kvm")},
	},
	"loader": {
		Name:     "own-firmware",
		Firmware: ptr("uefi"),
		Disks:    map[string]backends.Disk{"root": {SizeGiB: ptr(int64(1))}},
		Libvirt:  &backends.LibvirtOptions{Loader: ptr("/fw/code.fd"), Machine: ptr("pc-q35-7.2")},
	},
	"tuned": {
		Name:   "tuned",
		CPU:    backends.CPU{Cores: ptr(int64(2)), Shares: ptr(int64(2048)), LimitMHz: ptr(int64(1001))},
		Memory: backends.Memory{SizeMiB: ptr(int64(512)), LimitMiB: ptr(int64(512)), ReservationMiB: ptr(int64(512))},
		Disks: map[string]backends.Disk{
			"root": {SizeGiB: ptr(int64(1)), IOPSLimit: ptr(int64(500))},
			"data": {SizeGiB: ptr(int64(1)), ThroughputMiB: ptr(int64(10)), IOPSLimit: ptr(int64(0))},
		},
		Networks:             map[string]backends.NIC{"lan": {BandwidthMbps: ptr(int64(100))}, "dmz": {BandwidthMbps: ptr(int64(0))}},
		NestedVirtualization: ptr(true),
		Watchdog:             ptr("poweroff"),
		RNG:                  ptr(false),
		Console: &backends.ConsoleSpec{
			Type: ptr("spice"), Address: ptr("10.0.0.1"), Port: ptr(int64(5999)), TLS: ptr(true),
			Password: ptr("secret that is long"), PasswordVersion: ptr(int64(3)),
		},
	},
	"serial": {
		Name:                 "headless",
		Memory:               backends.Memory{SizeMiB: ptr(int64(256)), HotAdd: ptr(true), ReservationMiB: ptr(int64(0))},
		NestedVirtualization: ptr(false),
		Watchdog:             ptr(""),
		RNG:                  ptr(true),
		Console:              &backends.ConsoleSpec{Type: ptr("serial")},
	},
	"no_console": {
		Name:    "closed",
		Console: &backends.ConsoleSpec{Type: ptr("none")},
	},
}

// TestRoundTrip builds domains and observes them again: a plan after the creation is empty.
func TestRoundTrip(t *testing.T) {
	for name, spec := range roundTrips {
		t.Run(name, func(t *testing.T) {
			x, err := buildDomain(testBlueprint(spec))
			if err != nil {
				t.Fatal(err)
			}
			text, err := x.Marshal()
			if err != nil {
				t.Fatal(err)
			}
			golden(t, name+".xml", text)
			d, err := parseDomain(text)
			if err != nil {
				t.Fatal(err)
			}
			sz := sizes{}
			for i, key := range diskKeys(d.xml, d.mark) {
				if key != "" {
					sz[targetOf(&d.xml.Devices.Disks[i])] = uint64(*spec.Disks[key].SizeGiB) * gib
				}
			}
			got := d.observeSpec(sz, nil)
			want := *spec
			want.CloudInit = nil // the seed's to tell
			for _, c := range backends.Diff(&got, &want) {
				t.Errorf("the next plan would %s", c)
			}
			if got.CreateToken != spec.CreateToken {
				t.Errorf("the token became %q", got.CreateToken)
			}
			if again := backends.Diff(&got, &got); len(again) != 0 {
				t.Errorf("the observation differs from itself: %v", again)
			}
		})
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.TrimSpace(string(want)), strings.TrimSpace(got)); diff != "" {
		t.Errorf("%s differs (-want +got); -update writes it anew:\n%s", path, diff)
	}
}

// TestRoundTrip_canonical observes what libvirt makes of a definition: names, aliases and
// addresses that it invents are no difference.
func TestRoundTrip_canonical(t *testing.T) {
	d := readTestDomain(t, "canonical.xml")
	got := d.observeSpec(sizes{"vda": 1 * gib, "sda": 2*gib + 5}, nil)
	want := &backends.VMSpec{
		Name: "smoke", Description: ptr("hello"), Tags: []string{"b", "a"},
		CPU:      backends.CPU{Cores: ptr(int64(2)), MaxCores: ptr(int64(4))},
		Memory:   backends.Memory{SizeMiB: ptr(int64(256)), MaxMiB: ptr(int64(512))},
		Firmware: ptr("uefi"), SecureBoot: ptr(true), TPM: ptr(true),
		Disks: map[string]backends.Disk{
			"root": {SizeGiB: ptr(int64(1)), Bus: ptr("virtio"), Format: ptr("qcow2"), Storage: ptr("default"), Provisioning: ptr("thin")},
			"data": {SizeGiB: ptr(int64(2)), Bus: ptr("scsi")},
		},
		Networks: map[string]backends.NIC{"lan": {Network: ptr("default"), Model: ptr("virtio"), Connected: ptr(true)}},
		Libvirt:  &backends.LibvirtOptions{Machine: ptr("q35"), DomainType: ptr("qemu")},
	}
	for _, c := range backends.Diff(&got, want) {
		t.Errorf("the next plan would %s", c)
	}
	vm := &backends.VM{Config: got}
	d.observeStatus(vm, sizes{"vda": 1 * gib, "sda": 2*gib + 5}, nil)
	if s := vm.Disks["data"]; s.Device != "sda" || s.SizeBytes != 2*gib+5 || !s.Owned || !strings.HasPrefix(s.VolumeID, "default/smoke-data-") || s.Path == "" {
		t.Errorf("status of the disk: %+v", s)
	}
	if vm.ConsoleType != "vnc" {
		t.Errorf("console is %q", vm.ConsoleType)
	}
}

// TestObserve_foreign reads a VM that somebody else made: its devices have their natural names.
func TestObserve_foreign(t *testing.T) {
	d := readTestDomain(t, "foreign.xml")
	pools := poolPaths{"/var/lib/libvirt/images": "default", "/isos": "iso"}
	got := d.observeSpec(sizes{"vda": 10 * gib, "sda": 20 * gib, "hda": 0}, pools)
	if d.mark != nil {
		t.Error("a mark was seen where there is none")
	}
	want := backends.VMSpec{
		Name: "legacy", Description: ptr(""), Tags: []string{},
		CPU: backends.CPU{Cores: ptr(int64(3)), Sockets: ptr(int64(1)), Threads: ptr(int64(1)), MaxCores: ptr(int64(6)), Model: ptr("host-passthrough")},
		Memory: backends.Memory{
			SizeMiB: ptr(int64(1024)), MaxMiB: ptr(int64(2048)), Ballooning: ptr(true), ReservationMiB: ptr(int64(0)),
		},
		Console:  &backends.ConsoleSpec{Type: ptr("spice"), Port: ptr(int64(0)), TLS: ptr(false)},
		Watchdog: ptr(""), RNG: ptr(false),
		Firmware: ptr("bios"), SecureBoot: ptr(false), TPM: ptr(false),
		Disks: map[string]backends.Disk{
			"vda": {
				SizeGiB: ptr(int64(10)), Storage: ptr("default"), Format: ptr("qcow2"), Bus: ptr("virtio"), Cache: ptr("none"),
				Discard: ptr(true), SSD: ptr(false), IOThread: ptr(false), KeepOnDestroy: ptr(false),
			},
			"sda": {
				SizeGiB: ptr(int64(20)), Format: ptr("raw"), Bus: ptr("scsi"),
				Discard: ptr(false), SSD: ptr(true), IOThread: ptr(false), KeepOnDestroy: ptr(false),
			},
		},
		CDROM: &backends.CDROM{ISO: "iso/install.iso"},
		Networks: map[string]backends.NIC{
			"net0": {Network: ptr("bridge:br0"), Model: ptr("virtio"), MAC: ptr("52:54:00:6b:3c:58"), Connected: ptr(true)},
			"net1": {Network: ptr("ovs:ovsbr0"), VLAN: ptr(int64(42)), Model: ptr("e1000"), MAC: ptr("52:54:00:6b:3c:59"), Connected: ptr(false)},
			"net2": {Network: ptr("user"), Model: ptr("rtl8139"), MAC: ptr("52:54:00:6b:3c:5a"), Connected: ptr(true)},
		},
		Libvirt: &backends.LibvirtOptions{Machine: ptr("pc"), DomainType: ptr("kvm")},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("observed (-want +got):\n%s", diff)
	}
}

// TestObserve_missingVolume leaves out a disk whose volume is gone, so that it is planned anew.
func TestObserve_missingVolume(t *testing.T) {
	d := readTestDomain(t, "canonical.xml")
	got := d.observeSpec(sizes{"vda": gib}, nil)
	if _, ok := got.Disks["data"]; ok || len(got.Disks) != 1 {
		t.Errorf("disks are %v", got.Disks)
	}
}

func readTestDomain(t *testing.T, name string) *domain {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	d, err := parseDomain(string(text))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// FuzzObserve reads whatever claims to be a domain: no panic, and a spec that is like itself.
func FuzzObserve(f *testing.F) {
	files, err := filepath.Glob("testdata/*.xml")
	if err != nil || len(files) == 0 {
		f.Fatal("no seeds", err)
	}
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text))
	}
	f.Add(`<domain><vcpu current="9">1</vcpu><cpu><topology sockets="0" cores="-1" threads="7"/></cpu><memory unit="EiB">18446744073709551615</memory></domain>`)
	f.Add(`<domain><devices><disk/><disk device="disk"><source/></disk><interface/><interface type="bridge"><virtualport type="openvswitch"/></interface></devices></domain>`)
	f.Fuzz(func(t *testing.T, text string) {
		d, err := parseDomain(text)
		if err != nil {
			return
		}
		spec := d.observeSpec(nil, poolPaths{"/a": "a"})
		if changes := backends.Diff(&spec, &spec); len(changes) != 0 {
			t.Errorf("the observation differs from itself: %v", changes)
		}
		d.observeStatus(&backends.VM{Config: spec}, sizes{}, nil)
		d.seedNICs()
		_ = inherit.Merge(&spec, &backends.VMSpec{})
		if d.mark != nil {
			if err := writeMark(d.xml, d.mark); err != nil {
				t.Errorf("the mark cannot be written back: %v", err)
			}
		}
	})
}

func storageVolume(v newVolume) storage.Volume {
	return storage.Volume{Ref: v.create.Ref, Path: "/" + v.create.Pool + "/" + v.create.Name, Format: v.create.Format}
}
