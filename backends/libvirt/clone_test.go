package libvirt

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/inherit"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/cloudinit"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/libvirtlab"
)

// clone makes a clone that goes with the test.
func clone(t *testing.T, b *Backend, spec *backends.CloneSpec) backends.ID {
	t.Helper()
	id, err := b.CloneVM(t.Context(), spec)
	deleteLater(t, b, id)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func deleteLater(t *testing.T, b *Backend, id backends.ID) {
	t.Helper()
	if id == "" {
		return
	}
	t.Cleanup(func() {
		err := b.DeleteVM(context.WithoutCancel(t.Context()), id, backends.DeleteOptions{})
		if err != nil && !errors.Is(err, backends.ErrNotFound) {
			t.Error(err)
		}
	})
}

func remove(t *testing.T, b *Backend, id backends.ID) {
	t.Helper()
	if err := b.DeleteVM(t.Context(), id, backends.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
}

// scribble writes a pattern into a disk of a stopped VM, as its guest would.
func scribble(t *testing.T, l *libvirtlab.Lab, b *Backend, id backends.ID, key, pattern string) {
	t.Helper()
	probe(t, l, "write -q -P "+pattern+" 1M 64k", diskPath(t, b, id, key))
}

// reads checks that a disk of a stopped VM holds a pattern.
func reads(t *testing.T, l *libvirtlab.Lab, b *Backend, id backends.ID, key, pattern string) {
	t.Helper()
	if out := probe(t, l, "read -P "+pattern+" 1M 64k", diskPath(t, b, id, key)); strings.Contains(out, "verification failed") {
		t.Errorf("disk %q of %s does not hold %s:\n%s", key, get(t, b, id).Config.Name, pattern, out)
	}
}

func diskPath(t *testing.T, b *Backend, id backends.ID, key string) string {
	t.Helper()
	return get(t, b, id).Disks[key].Path
}

func probe(t *testing.T, l *libvirtlab.Lab, command, path string) string {
	t.Helper()
	head := make([]byte, 4)
	f, err := os.Open(path)
	if err == nil {
		_, err = f.Read(head)
		_ = f.Close() // read only
	}
	if err != nil {
		t.Fatal(err)
	}
	format := choose(bytes.HasPrefix(head, []byte("QFI")), "qcow2", "raw")
	out, err := l.Exec(t.Context(), "qemu-io", "-f", format, "-c", command, path)
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return out
}

// same fails where two VMs' configurations differ in more than what a clone has of its own.
func same(t *testing.T, b *Backend, source, clone backends.ID) {
	t.Helper()
	from, to := get(t, b, source).Config, get(t, b, clone).Config
	for _, c := range backends.Diff(&to, inherit.Clone(&from, &backends.VMSpec{Name: to.Name, Tags: to.Tags})) {
		t.Errorf("the clone lacks: %s", c)
	}
}

// TestFullClone copies a stopped VM, as it is and with everything else, and proves whose content is whose.
func TestFullClone(t *testing.T) {
	l := libvirtlab.Shared(t)
	b := openLab(t, l)
	l.DirPool(t, "copies")
	spec := blank("source")
	spec.Description, spec.Tags, spec.GuestOS = ptr("what it is for"), []string{"a", "b"}, ptr("linux")
	spec.CPU = backends.CPU{Cores: ptr(int64(2)), MaxCores: ptr(int64(4))}
	spec.Firmware, spec.TPM = ptr("uefi"), ptr(true)
	spec.Settings = ptr("mine")
	spec.Watchdog, spec.RNG = ptr("pause"), ptr(true)
	spec.Console = &backends.ConsoleSpec{Type: ptr("vnc"), Address: ptr("127.0.0.1"), Port: ptr(int64(5977)), Password: ptr("hidden"), PasswordVersion: ptr(int64(1))}
	spec.Disks["data"] = backends.Disk{SizeGiB: ptr(int64(1)), Format: ptr("raw"), Bus: ptr("scsi"), SSD: ptr(true), KeepOnDestroy: ptr(false)}
	spec.Networks = map[string]backends.NIC{
		"lan": {Model: ptr("e1000"), IPv4: &backends.IPConfig{Address: "192.168.150.9/24"}},
		"dmz": {Network: ptr(libvirtlab.StaticNetwork)},
	}
	spec.CloudInit = &backends.CloudInit{Hostname: ptr("original"), UserData: ptr("#cloud-config\nruncmd: [secret]\n"), UserDataVersion: ptr(int64(3)), MetaData: ptr("role: db\ninstance-id: i-1\n")}
	source := create(t, b, spec)
	scribble(t, l, b, source, "root", "0xaa")
	scribble(t, l, b, source, "data", "0xbb")
	power(t, b, source, backends.PowerOn)
	power(t, b, source, backends.PowerOff)
	before := l.Virsh(t, "dumpxml", "--inactive", "source")

	plain := clone(t, b, &backends.CloneSpec{Source: source, Spec: backends.VMSpec{Name: "plain"}})
	if after := l.Virsh(t, "dumpxml", "--inactive", "source"); after != before {
		t.Errorf("the source's definition changed from\n%s\nto\n%s", before, after)
	}
	same(t, b, source, plain)
	was, now := get(t, b, source), get(t, b, plain)
	if now.UUID == was.UUID || now.Power != backends.Stopped || now.Config.Settings != nil || !now.Owned {
		t.Errorf("the clone is %+v", now)
	}
	for key, nic := range now.Networks {
		if nic.MAC == was.Networks[key].MAC {
			t.Errorf("the clone has the source's address on %q", key)
		}
	}
	ci := now.Config.CloudInit
	if ci == nil || ci.Hostname != nil || deref(ci.UserDataVersion) != 3 || deref(ci.MetaData) != "role: db\n" || now.Config.Networks["lan"].IPv4 != nil {
		t.Errorf("the clone's seed is made of %+v, addresses %+v", ci, now.Config.Networks["lan"].IPv4)
	}
	files := seedOf(t, b, plain)
	if !strings.Contains(files.UserData, "secret") || !strings.Contains(files.MetaData, "local-hostname: plain") ||
		!strings.Contains(files.MetaData, string(plain)) || strings.Contains(files.NetworkConfig, was.Networks["lan"].MAC) {
		t.Errorf("the clone's seed is\n%s\n%s\n%s", files.UserData, files.MetaData, files.NetworkConfig)
	}
	if own := l.Virsh(t, "dumpxml", "--inactive", "--security-info", "plain"); strings.Contains(own, "5977") || strings.Contains(own, "hidden") || !strings.Contains(own, "listen='127.0.0.1'") || !strings.Contains(own, "action='pause'") {
		t.Errorf("the clone's console and watchdog:\n%s", own)
	}
	reads(t, l, b, plain, "root", "0xaa")
	reads(t, l, b, plain, "data", "0xbb")
	scribble(t, l, b, plain, "root", "0xcc")
	reads(t, l, b, source, "root", "0xaa")
	power(t, b, plain, backends.PowerOn)
	if n := len(l.NVRAM()); n != 2 {
		t.Errorf("there are %d files of firmware variables, want one for each VM: %v", n, l.NVRAM())
	}
	power(t, b, plain, backends.PowerOff)

	other := &backends.VMSpec{
		Name: "other", Description: ptr(""), Tags: []string{"c"}, CPU: backends.CPU{Cores: ptr(int64(1))}, Memory: backends.Memory{SizeMiB: ptr(int64(192))},
		Firmware: ptr("bios"), TPM: ptr(false), Settings: ptr("theirs"), Watchdog: ptr("reset"), RNG: ptr(false),
		Console: &backends.ConsoleSpec{Type: ptr("vnc"), Address: ptr("0.0.0.0"), Port: ptr(int64(5978))},
		Disks: map[string]backends.Disk{
			"root": {SizeGiB: ptr(int64(3)), Storage: ptr("copies"), Format: ptr("raw"), Bus: ptr("sata"), KeepOnDestroy: ptr(false), IOPSLimit: ptr(int64(500))},
			"more": {SizeGiB: ptr(int64(1))},
		},
		Networks:  map[string]backends.NIC{"new": {MAC: ptr("52:54:00:12:34:56")}, "lan": {Model: ptr("virtio"), IPv4: &backends.IPConfig{Address: "192.168.150.7/24"}}},
		CloudInit: &backends.CloudInit{Hostname: ptr("otherhost")},
		Libvirt:   &backends.LibvirtOptions{Autostart: ptr(true)},
	}
	changed := clone(t, b, &backends.CloneSpec{Source: source, Spec: *other})
	for _, c := range backends.Diff(&get(t, b, changed).Config, other) {
		t.Errorf("the next plan would %s", c)
	}
	reads(t, l, b, changed, "root", "0xaa")
	if files := seedOf(t, b, changed); !strings.Contains(files.UserData, "secret") || !strings.Contains(files.NetworkConfig, "192.168.150.7") || !strings.Contains(files.MetaData, "otherhost") {
		t.Errorf("the clone's seed is\n%s\n%s\n%s", files.UserData, files.MetaData, files.NetworkConfig)
	}
	power(t, b, changed, backends.PowerOn)
	power(t, b, changed, backends.PowerOff)
	if volumes := l.Volumes(t, "copies"); len(volumes) != 2 { // the seed goes with the root disk
		t.Errorf("the pool of the copies has %v", volumes)
	}
	remove(t, b, changed)
	remove(t, b, plain)
	reads(t, l, b, source, "data", "0xbb")
}

// TestRefusedClones refuses before anything is made, and leaves the source alone.
func TestRefusedClones(t *testing.T) {
	l := libvirtlab.Shared(t)
	b := openLab(t, l)
	source := create(t, b, blank("source"))
	create(t, b, blank("taken"))
	before := append(l.Domains(t), l.Volumes(t, "default")...)
	spec := func(edit func(*backends.CloneSpec)) *backends.CloneSpec {
		s := &backends.CloneSpec{Source: source, Spec: backends.VMSpec{Name: "clone"}}
		edit(s)
		return s
	}
	root := func(d backends.Disk) map[string]backends.Disk { return map[string]backends.Disk{"root": d} }
	for name, c := range map[string]struct {
		spec *backends.CloneSpec
		code backends.Code
		path backends.Path
		says string
	}{
		"name taken":     {spec(func(s *backends.CloneSpec) { s.Spec.Name = "taken" }), backends.Conflict, "name", "taken"},
		"own name":       {spec(func(s *backends.CloneSpec) { s.Spec.Name = "source" }), backends.Conflict, "name", "source"},
		"no name":        {spec(func(s *backends.CloneSpec) { s.Spec.Name = "" }), backends.Invalid, "name", ""},
		"no source":      {spec(func(s *backends.CloneSpec) { s.Source = "00000000-0000-4000-8000-000000000000" }), backends.NotFound, "source_vm", ""},
		"not an id":      {spec(func(s *backends.CloneSpec) { s.Source = "web" }), backends.NotFound, "source_vm", "web"},
		"no snapshot":    {spec(func(s *backends.CloneSpec) { s.Snapshot = "gone" }), backends.NotFound, "source_snapshot", "gone"},
		"no network":     {spec(func(s *backends.CloneSpec) { s.Spec.Networks = map[string]backends.NIC{"x": {Network: ptr("nope")}} }), backends.NotFound, `networks["x"].network`, "nope"},
		"no pool":        {spec(func(s *backends.CloneSpec) { s.Spec.Disks = root(backends.Disk{Storage: ptr("nope")}) }), backends.NotFound, `disks["root"].storage`, "nope"},
		"shared and raw": {spec(func(s *backends.CloneSpec) { s.Linked = true; s.Spec.Disks = root(backends.Disk{Format: ptr("raw")}) }), backends.Invalid, `disks["root"].format`, "full copy"},
		"shared and thick": {spec(func(s *backends.CloneSpec) {
			s.Linked = true
			s.Spec.Disks = root(backends.Disk{Provisioning: ptr("thick")})
		}), backends.Invalid, `disks["root"].provisioning`, ""},
		"format":           {spec(func(s *backends.CloneSpec) { s.Spec.Disks = root(backends.Disk{Format: ptr("vmdk")}) }), backends.Invalid, `disks["root"].format`, "vmdk"},
		"new without size": {spec(func(s *backends.CloneSpec) { s.Spec.Disks = map[string]backends.Disk{"x": {}} }), backends.Invalid, `disks["x"].size_gib`, ""},
		"policy":           {spec(func(s *backends.CloneSpec) { s.Spec.Disks = root(backends.Disk{Policy: ptr("gold")}) }), backends.Unsupported, `disks["root"].policy`, ""},
		"thick and no room": {spec(func(s *backends.CloneSpec) {
			s.Spec.Disks = root(backends.Disk{Format: ptr("raw"), Provisioning: ptr("thick"), SizeGiB: ptr(int64(1 << 20))})
		}), backends.Exhausted, `disks["root"].size_gib`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			id, err := b.CloneVM(t.Context(), c.spec)
			if id != "" {
				t.Errorf("an id was returned: %s", id)
				deleteLater(t, b, id)
			}
			e := wantCode(t, err, c.code)
			if e.Path != c.path || !strings.Contains(e.Error()+e.Remedy, c.says) {
				t.Errorf("the error is %v (%s) at %q, want %q at %q", e, e.Remedy, e.Path, c.says, c.path)
			}
		})
	}
	if after := append(l.Domains(t), l.Volumes(t, "default")...); !slices.Equal(before, after) {
		t.Errorf("before there were %v, now %v", before, after)
	}
	big := create(t, b, &backends.VMSpec{Name: "big", Disks: root(backends.Disk{SizeGiB: ptr(int64(2))})})
	_, err := b.CloneVM(t.Context(), &backends.CloneSpec{Source: big, Spec: backends.VMSpec{Name: "clone", Disks: root(backends.Disk{SizeGiB: ptr(int64(1))})}})
	if e := wantCode(t, err, backends.Invalid); e.Path != `disks["root"].size_gib` {
		t.Errorf("the error blames %q", e.Path)
	}
}

// TestCloneForeign clones a VM that was made elsewhere: with its natural keys, and with what no
// specification has words for.
func TestCloneForeign(t *testing.T) {
	l := libvirtlab.Shared(t)
	b := openLab(t, l, "theirs.raw", "theirs.iso")
	for _, v := range []string{"theirs.raw", "theirs.iso"} {
		l.Virsh(t, "vol-create-as", "default", v, "8M", "--format", "raw")
		t.Cleanup(func() { _, _ = l.TryVirsh(context.WithoutCancel(t.Context()), "vol-delete", v, "default") })
	}
	pool := filepath.Join(l.Dir, "pool")
	l.Define(t, "", `<domain type='qemu'><name>foreign</name><genid>11111111-2222-4333-8444-555555555555</genid><memory unit='MiB'>64</memory><vcpu>2</vcpu>
		<metadata><other:note xmlns:other="urn:other">keep me</other:note></metadata>
		<os><type arch='x86_64' machine='pc'>hvm</type><boot dev='hd'/></os><cpu mode='custom' match='exact' check='none'><model fallback='forbid'>Skylake-Client</model></cpu>
		<devices><disk type='file' device='disk'><driver name='qemu' type='raw' cache='unsafe'/><source file='`+pool+`/theirs.raw'/><target dev='hda' bus='ide'/></disk>
		<disk type='file' device='cdrom'><source file='`+pool+`/theirs.iso'/><target dev='hdc' bus='ide'/><readonly/></disk>
		<interface type='network'><source network='default'/><model type='rtl8139'/></interface>
		<graphics type='vnc' port='5999' autoport='no' passwd='hidden'/>
		<watchdog model='i6300esb' action='reset'/><sound model='ich6'/></devices></domain>`)
	source := backends.ID(l.Virsh(t, "domuuid", "foreign"))
	t.Cleanup(func() { _, _ = l.TryVirsh(context.WithoutCancel(t.Context()), "undefine", "foreign") })
	scribble(t, l, b, source, "hda", "0xaa")

	id := clone(t, b, &backends.CloneSpec{Source: source, Spec: backends.VMSpec{Name: "copy", Tags: []string{"mine"}}})
	after := l.Virsh(t, "dumpxml", "--inactive", "--security-info", "copy")
	for _, want := range []string{"keep me", "i6300esb", "ich6", "Skylake-Client", "unsafe", "theirs.iso", "rtl8139", "bus='ide'"} {
		if !strings.Contains(after, want) {
			t.Errorf("the clone lacks %q", want)
		}
	}
	for _, theirs := range []string{"theirs.raw", "5999", "hidden", "11111111-2222", string(source), get(t, b, source).Networks["net0"].MAC} {
		if strings.Contains(after, theirs) {
			t.Errorf("the clone has %q, which is the source's own", theirs)
		}
	}
	same(t, b, source, id)
	if vm := get(t, b, id); !vm.Owned || !vm.Disks["hda"].Owned || vm.Disks["hda"].SizeBytes != 8<<20 {
		t.Errorf("the clone is %+v, its disk %+v", vm, vm.Disks["hda"])
	}
	reads(t, l, b, id, "hda", "0xaa")
	power(t, b, id, backends.PowerOn)
	power(t, b, id, backends.PowerOff)
	remove(t, b, id)
	if get(t, b, source).Owned {
		t.Error("the source was given a mark")
	}
}

// TestCloneForeignSeed gives the clone of a VM that was made elsewhere with a seed one of its own.
func TestCloneForeignSeed(t *testing.T) {
	l := libvirtlab.Shared(t)
	b := openLab(t, l, "theirs.raw", "theirs-seed.iso")
	iso, err := cloudinit.ISO(cloudinit.Seed{UserData: "#cloud-config\npackages: [secret]\n", MetaData: "instance-id: i-1\nlocal-hostname: theirs\nrole: db\n"})
	if err != nil {
		t.Fatal(err)
	}
	pool := filepath.Join(l.Dir, "pool")
	for name, content := range map[string][]byte{"theirs.raw": make([]byte, 1<<20), "theirs-seed.iso": iso} {
		if err := os.WriteFile(filepath.Join(pool, name), content, 0o644); err != nil { //nolint:gosec // QEMU reads it
			t.Fatal(err)
		}
	}
	l.Virsh(t, "pool-refresh", "default")
	t.Cleanup(func() {
		for _, name := range []string{"theirs.raw", "theirs-seed.iso"} {
			_, _ = l.TryVirsh(context.WithoutCancel(t.Context()), "vol-delete", name, "default")
		}
	})
	l.Define(t, "", `<domain type='qemu'><name>seeded</name><memory unit='MiB'>64</memory><vcpu>1</vcpu><os><type arch='x86_64' machine='q35'>hvm</type></os>
		<devices><disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='`+pool+`/theirs.raw'/><target dev='vda' bus='virtio'/></disk>
		<disk type='file' device='cdrom'><source file='`+pool+`/theirs-seed.iso'/><target dev='sda' bus='sata'/><readonly/></disk></devices></domain>`)
	t.Cleanup(func() { _, _ = l.TryVirsh(context.WithoutCancel(t.Context()), "undefine", "seeded") })
	id := clone(t, b, &backends.CloneSpec{Source: backends.ID(l.Virsh(t, "domuuid", "seeded")), Spec: backends.VMSpec{Name: "copy"}})
	seed := seedOf(t, b, id)
	if !strings.Contains(seed.UserData, "secret") || !strings.Contains(seed.MetaData, "local-hostname: copy") || !strings.Contains(seed.MetaData, "role: db") || !strings.Contains(seed.MetaData, string(id)) {
		t.Errorf("the clone's seed is\n%s\n%s", seed.UserData, seed.MetaData)
	}
	if after := l.Virsh(t, "dumpxml", "copy"); strings.Contains(after, "theirs-seed.iso") || strings.Count(after, "device='cdrom'") != 1 {
		t.Errorf("the clone has the source's seed:\n%s", after)
	}
	if vm := get(t, b, id); vm.Config.CDROM != nil {
		t.Errorf("the seed is taken for the user's medium: %+v", vm.Config.CDROM)
	}
	power(t, b, id, backends.PowerOn)
	power(t, b, id, backends.PowerOff)
}
