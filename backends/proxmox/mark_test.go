package proxmox

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/proxmox/vmconf"
)

func TestMark(t *testing.T) {
	m := &mark{VM: 100, Token: "t", GuestOS: "linux", Settings: strings.Repeat("-->", 900), Disks: map[string]diskMark{"root": {Slot: "scsi0", Keep: true}}}
	for _, text := range []string{"", "plain", "two\nlines\n", "# Markdown\n<!-- a comment -->", "ünï", "<!-- virtrigaud "} {
		described, err := m.describe(text)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Count(described, "-->") != 1+strings.Count(text, "-->") {
			t.Errorf("the comment is ended from inside: %q", described)
		}
		got, rest, err := readMark(described, 100)
		if err != nil || rest != text || got == nil || got.Settings != m.Settings || got.Disks["root"].Slot != "scsi0" {
			t.Errorf("%q is read as %q with %+v (%v)", text, rest, got, err)
		}
		// A copy made by hand carries another VM's.
		if got, rest, err := readMark(described, 101); got != nil || rest != text || err != nil {
			t.Errorf("another VM's mark is read as %+v, %q (%v)", got, rest, err)
		}
		// Somebody writes below it.
		if _, rest, err := readMark(described+"\nmore", 100); err != nil || !strings.HasSuffix(rest, "more") || strings.Contains(rest, "scsi0") {
			t.Errorf("with more below it is read as %q (%v)", rest, err)
		}
	}
	for _, broken := range []string{markStart + "{", markStart + "{]" + markEnd, markStart + `{"v":99,"vm":100}` + markEnd} {
		if m, _, err := readMark(broken, 100); err == nil || m != nil {
			t.Errorf("%q is read as %+v", broken, m)
		}
	}
	if m, rest, err := readMark("nothing\n", 100); m != nil || rest != "nothing\n" || err != nil {
		t.Errorf("a VM without a mark is read as %+v, %q (%v)", m, rest, err)
	}
}

// TestLongSeed: of inputs that do not fit beside the description the longest is left out, and the VM can still be made.
func TestLongSeed(t *testing.T) {
	var random strings.Builder
	state := uint32(1)
	for range 6000 { // what does not compress well
		state = state*1664525 + 1013904223
		random.WriteByte('!' + byte(state>>24)%90)
	}
	spec := plain()
	spec.Description = new(strings.Repeat("ü", 3000))
	spec.CloudInit = &backends.CloudInit{UserData: new("#!/bin/sh\n" + random.String()), VendorData: new("#cloud-config\n{}\n")}
	p := must(t, newRequest(spec))
	if n := utf8.RuneCountInString(p.Set["description"]); n > maxDescription {
		t.Errorf("the description has %d characters", n)
	}
	o := read(t, 100, p.Set).observe(testWorld(), true)
	ci := o.Spec.CloudInit
	if ci == nil || ci.UserData != nil || ci.VendorData == nil || len(p.Mark.Seed.Left["user_data"]) != 64 {
		t.Errorf("told back is %+v, left out %v", ci, p.Mark.Seed.Left)
	}
	// A change that has to make the seed anew, without being told the text again, is refused.
	r := newRequest(&backends.VMSpec{Name: "web", DNS: &backends.DNS{Servers: []string{"10.0.0.1"}}})
	r.Have = read(t, 100, p.Set)
	if _, err := makePlan(r); backends.CodeOf(err) != backends.Precondition {
		t.Errorf("a seed without its user data: %v", err)
	}
}

// TestForeign: a VM that was made elsewhere has its devices' names for keys, and a change leaves alone what it does not name.
func TestForeign(t *testing.T) {
	config := vmconf.Config{
		"name": "old", "description": "notes", "cores": "2", "sockets": "2", "vcpus": "3", "memory": "2048", "ostype": "win10", "bios": "ovmf",
		"virtio0": "thin:vm-100-disk-0,aio=native,size=32G", "scsi3": "local:100/vm-100-disk-1.qcow2,size=1500M,x-new=1", "ide2": "none,media=cdrom",
		"ide0": "local:100/vm-100-cloudinit.qcow2,media=cdrom", "ciuser": "admin", "sshkeys": "ssh-ed25519%20AAAA", "ipconfig1": "ip=10.0.0.5/24,gw=10.0.0.1",
		"net1": "virtio=BC:24:11:AA:BB:CC,bridge=vmbr0,firewall=1,tag=30", "boot": "order=scsi3;net1", "hostpci0": "0000:65:00.0,x-vga=1", "args": "-foo",
		"smbios1": "uuid=D8ED871E-1f2c-401e-be94-2ecbad4ba446", "agent": "enabled=1,type=isa", "unused0": "local:100/vm-100-disk-9.raw",
	}
	h := read(t, 100, config)
	o := h.observe(testWorld(), true)
	s := o.Spec
	switch {
	case o.Owned || !o.Agent || o.UUID != "d8ed871e-1f2c-401e-be94-2ecbad4ba446" || o.ConsoleType != "vnc":
		t.Errorf("%+v", o)
	case len(s.Disks) != 2 || *s.Disks["virtio0"].SizeGiB != 32 || *s.Disks["scsi3"].SizeGiB != 1 || *s.Disks["scsi3"].Format != "qcow2":
		t.Errorf("disks %+v", s.Disks)
	case len(s.Networks) != 1 || *s.Networks["net1"].MAC != "bc:24:11:aa:bb:cc" || *s.Networks["net1"].VLAN != 30 || s.Networks["net1"].IPv4 == nil:
		t.Errorf("networks %+v", s.Networks)
	case *s.GuestOS != "win10" || *s.Firmware != "uefi" || *s.SecureBoot || s.CDROM == nil || s.CDROM.ISO != "" || *s.Description != "notes":
		t.Errorf("%+v", s)
	case len(s.CloudInit.Users) != 1 || s.CloudInit.Users[0].Name != "admin" || s.HostDevices["hostpci0"].PCI != "0000:65:00.0":
		t.Errorf("%+v, %+v", s.CloudInit, s.HostDevices)
	}
	if diff := cmp.Diff([]string{"scsi3", "net1"}, s.Proxmox.BootOrder); diff != "" {
		t.Errorf("order of boot (-want +got):\n%s", diff)
	}
	r := newRequest(&backends.VMSpec{Name: "new", GuestOS: new("windows"), Memory: backends.Memory{SizeMiB: new(int64(4096))}})
	r.Have = h
	p := must(t, r)
	if diff := cmp.Diff(vmconf.Config{"name": "new", "memory": "4096"}, p.Set.Without("description")); diff != "" || len(p.Delete)+len(p.Detach)+len(p.Free) > 0 {
		t.Errorf("a change of two values sets (-want +got):\n%s\nand deletes %v, detaches %v", diff, p.Delete, p.Detach)
	}
	config["description"] = p.Set["description"]
	if o := read(t, 100, config).observe(testWorld(), true); o.Owned || *o.Spec.GuestOS != "windows" || *o.Spec.Description != "notes" {
		t.Errorf("once adopted: owned %v, guest %s, %q", o.Owned, *o.Spec.GuestOS, *o.Spec.Description)
	}
}

// TestKeysFollow: a disk keeps its key when somebody attaches it elsewhere, or its volume gets another id.
func TestKeysFollow(t *testing.T) {
	_, config := made(t, nil)
	h := read(t, 100, config)
	r := newRequest(plain())
	r.Have = h
	config["description"] = must(t, r).Set["description"] // now the volumes are known
	config["virtio5"] = config["scsi1"]
	delete(config, "scsi1")
	if slots := read(t, 100, config).diskSlots(); slots["data"] != "virtio5" || slots["root"] != "scsi0" {
		t.Errorf("after a disk was attached elsewhere: %v", slots)
	}
	config["scsi0"] = "thin:vm-100-disk-7,size=4G"
	if slots := read(t, 100, config).diskSlots(); slots["root"] != "scsi0" {
		t.Errorf("after a disk was moved: %v", slots)
	}
	config["scsi9"] = "thin:vm-100-disk-8,size=4G"
	if slots := read(t, 100, config).diskSlots(); slots["scsi9"] != "scsi9" || len(slots) != 3 {
		t.Errorf("with a disk that somebody added: %v", slots)
	}
}

// TestForClone: a clone's mark knows devices by slot, and frees nothing of its source's.
func TestForClone(t *testing.T) {
	_, config := made(t, seed(func(c *backends.CloudInit) { c.UserData = new("#!/bin/sh\n") }))
	source := read(t, 100, config)
	m := source.Mark.forClone(200, "token")
	clone := &hardware{VMID: 200, Config: config, Mark: m}
	if slots := clone.diskSlots(); slots["data"] != "scsi1" {
		t.Errorf("disks %v", slots)
	}
	want := plain()
	want.Name, want.CloudInit = "clone", &backends.CloudInit{UserData: new("#!/bin/sh\n")}
	r := newRequest(want)
	r.VMID, r.Have, r.SeedVolume = 200, clone, "local:iso/seed-200.iso"
	p := must(t, r)
	if len(p.Free) != 0 || p.Seed == nil || !p.Seed.Input.Clone || p.Set["ide0"] != "local:iso/seed-200.iso,media=cdrom" {
		t.Errorf("free %v, seed %+v, ide0 %q", p.Free, p.Seed, p.Set["ide0"])
	}
	if (*mark)(nil).forClone(200, "").Disks == nil {
		t.Error("of no mark there is none to write to")
	}
}
