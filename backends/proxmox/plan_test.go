package proxmox

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/proxmox/vmconf"
)

// TestCreate is what Proxmox VE is sent for a VM, word for word.
func TestCreate(t *testing.T) {
	for name, c := range map[string]struct {
		edit   func(*backends.VMSpec)
		image  string
		bytes  int64
		want   vmconf.Config // beside those of plain
		resize []resize
	}{
		"plain": {edit: func(*backends.VMSpec) {}},
		"image": {
			edit: disk(func(d *backends.Disk) {
				*d = backends.Disk{SizeGiB: new(int64(2)), Storage: new("thin"), SSD: new(true), Discard: new(true)}
			}),
			image: "local:import/debian.qcow2", bytes: 3 << 30,
			want: vmconf.Config{
				"scsi0": "local:0,format=qcow2,import-from=local:import/debian.qcow2",
				"scsi1": "thin:2,discard=on,ssd=1",
			},
			resize: []resize{{Slot: "scsi0", Bytes: 4 << 30, Path: `disks["root"].size_gib`}},
		},
		"image of that size": {
			edit: func(*backends.VMSpec) {}, image: "local:import/a.raw", bytes: 4 << 30,
			want: vmconf.Config{"scsi0": "local:0,format=qcow2,import-from=local:import/a.raw"},
		},
		"hot add": {
			edit: func(s *backends.VMSpec) {
				s.CPU = backends.CPU{Cores: new(int64(2)), Sockets: new(int64(2)), MaxCores: new(int64(4)), LimitMHz: new(int64(3000)), Model: new("host-passthrough")}
				s.Memory = backends.Memory{SizeMiB: new(int64(1024)), MaxMiB: new(int64(8192)), ReservationMiB: new(int64(512))}
			},
			want: vmconf.Config{
				"cores": "4", "sockets": "2", "vcpus": "4", "cpulimit": "1.5", "cpu": "host", "memory": "1024", "balloon": "512",
				"hotplug": "network,disk,usb,cpu,memory", "numa": "1",
			},
		},
		"firmware": {
			edit: func(s *backends.VMSpec) { s.Firmware, s.SecureBoot, s.TPM = new("uefi"), new(true), new(true) },
			want: vmconf.Config{
				"bios": "ovmf", "machine": "q35", "efidisk0": "local:1,efitype=4m,format=qcow2,pre-enrolled-keys=1",
				"tpmstate0": "local:1,version=v2.0",
			},
		},
		"devices": {
			edit: func(s *backends.VMSpec) {
				s.Watchdog, s.RNG, s.Console = new("reset"), new(true), &backends.ConsoleSpec{Type: new("serial")}
				s.CDROM = &backends.CDROM{ISO: "local:iso/a.iso"}
				s.HostDevices = map[string]backends.HostDevice{"gpu": {Mapping: "gpu"}, "key": {Mapping: "stick"}}
			},
			want: vmconf.Config{
				"watchdog": "i6300esb,action=reset", "rng0": "source=/dev/urandom", "vga": "serial0", "serial0": "socket",
				"ide2": "local:iso/a.iso,media=cdrom", "hostpci0": "mapping=gpu", "usb0": "mapping=stick", "boot": "order=scsi0;ide2;net0",
			},
		},
		"network": {
			edit: func(s *backends.VMSpec) {
				s.Networks = map[string]backends.NIC{
					"a": {Order: new(int64(2)), VLAN: new(int64(30)), MAC: new("52:54:00:C0:FF:EE"), MTU: new(int64(1400))},
					"b": {Order: new(int64(1)), Network: new("vmbr1"), Model: new("e1000"), Connected: new(false), BandwidthMbps: new(int64(100)), Options: map[string]string{"firewall": "1"}},
				}
			},
			want: vmconf.Config{
				"net0": "e1000=BC:24:11:00:00:AA,bridge=vmbr1,firewall=1,link_down=1,rate=11.920929",
				"net1": "virtio=52:54:00:C0:FF:EE,bridge=vmbr0,mtu=1400,tag=30",
			},
		},
		"cloud-init": {
			edit: func(s *backends.VMSpec) {
				s.CloudInit = &backends.CloudInit{SSHKeys: []string{"ssh-ed25519 AAAA+ ada"}}
				s.DNS = &backends.DNS{Servers: []string{"10.0.0.2", "10.0.0.3"}, Search: []string{"example.org"}}
				s.Networks["lan"] = backends.NIC{Network: new("vmbr0"), IPv4: &backends.IPConfig{Address: "10.0.0.5/24", Gateway: "10.0.0.1"}}
			},
			want: vmconf.Config{
				"ide0": "local:cloudinit", "sshkeys": "ssh-ed25519%20AAAA%2B%20ada%0A", "ciupgrade": "0",
				"nameserver": "10.0.0.2 10.0.0.3", "searchdomain": "example.org", "ipconfig0": "gw=10.0.0.1,ip=10.0.0.5/24",
			},
		},
		"seed of users, who are made beside the image's own": {
			edit: func(s *backends.VMSpec) {
				s.CloudInit = &backends.CloudInit{Users: []backends.CloudUser{{Name: "ada", PasswordHash: "$6$x$y"}}}
			},
			want: vmconf.Config{"ide0": "local:iso/seed.iso,media=cdrom"},
		},
		"seed": {
			edit: func(s *backends.VMSpec) { s.CloudInit = &backends.CloudInit{UserData: new("#cloud-config\n{}\n")} },
			want: vmconf.Config{"ide0": "local:iso/seed.iso,media=cdrom"},
		},
		"thick": {
			edit: disk(func(d *backends.Disk) { d.Provisioning = new("thick") }),
			want: vmconf.Config{"scsi1": "thick:2"},
		},
		"boot": {
			edit: func(s *backends.VMSpec) {
				s.Disks["root"] = backends.Disk{SizeGiB: new(int64(4)), Bus: new("virtio")}
				s.Proxmox = &backends.ProxmoxOptions{BootOrder: []string{"lan", "root"}}
			},
			want: vmconf.Config{"virtio0": "local:4,format=qcow2", "scsi0": "local:2,format=qcow2", "scsi1": "", "boot": "order=net0;virtio0"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			spec := plain()
			c.edit(spec)
			r := newRequest(spec)
			r.Import, r.ImportBytes = c.image, c.bytes
			p := must(t, r)
			want := vmconf.Config{
				"name": "web", "cores": "1", "memory": "512", "scsihw": "virtio-scsi-single", "agent": "1", "smbios1": "uuid=" + r.UUID,
				"scsi0": "local:4,format=qcow2", "scsi1": "local:2,format=qcow2", "net0": "virtio=BC:24:11:00:00:AA,bridge=vmbr0", "boot": "order=scsi0;net0",
			}
			for key, text := range c.want {
				if want[key] = text; text == "" {
					delete(want, key)
				}
			}
			if !strings.HasPrefix(p.Set["description"], markStart) {
				t.Errorf("the description is %q", p.Set["description"])
			}
			if diff := cmp.Diff(want, p.Set.Without("description")); diff != "" {
				t.Errorf("parameters (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(c.resize, p.Resize); diff != "" || len(p.Delete)+len(p.Detach)+len(p.Move)+len(p.Free) != 0 {
				t.Errorf("and %+v; resize (-want +got):\n%s", p, diff)
			}
			if (p.Seed != nil) != strings.HasPrefix(name, "seed") {
				t.Errorf("seed: %+v", p.Seed)
			}
		})
	}
}

// made is a VM of plain, with an edit, that Proxmox VE keeps.
func made(t *testing.T, edit func(*backends.VMSpec)) (*keeper, vmconf.Config) {
	t.Helper()
	spec := plain()
	if edit != nil {
		edit(spec)
	}
	k := &keeper{t: t, vmid: 100, world: testWorld()}
	return k, k.apply(nil, must(t, newRequest(spec)))
}

// TestEdit: steps of a change, beside the description.
func TestEdit(t *testing.T) {
	for name, c := range map[string]struct {
		from, to func(*backends.VMSpec)
		want     plan
	}{
		"nothing": {to: func(*backends.VMSpec) {}},
		"grow and move": {
			to: disk(func(d *backends.Disk) { d.SizeGiB, d.Storage = new(int64(3)), new("thin") }),
			want: plan{
				Resize: []resize{{Slot: "scsi1", Bytes: 3 << 30, Path: `disks["data"].size_gib`}},
				Move:   []move{{Slot: "scsi1", Storage: "thin", Path: `disks["data"].storage`}},
			},
		},
		"convert": {
			to:   disk(func(d *backends.Disk) { d.Format = new("raw") }),
			want: plan{Move: []move{{Slot: "scsi1", Storage: "local", Format: "raw", Path: `disks["data"].format`}}},
		},
		"remove": {
			to:   func(s *backends.VMSpec) { delete(s.Disks, "data") },
			want: plan{Detach: []detach{{Slot: "scsi1", Volume: "local:100/vm-100-disk-X.qcow2", Delete: true, Path: `disks["data"]`}}},
		},
		"keep": {
			from: disk(func(d *backends.Disk) { d.KeepOnDestroy = new(true) }),
			to:   func(s *backends.VMSpec) { delete(s.Disks, "data") },
			want: plan{Detach: []detach{{Slot: "scsi1", Volume: "local:100/vm-100-disk-X.qcow2", Path: `disks["data"]`}}},
		},
		"another bus": {
			to: disk(func(d *backends.Disk) { d.Bus = new("virtio") }),
			want: plan{
				Detach: []detach{{Slot: "scsi1", Volume: "local:100/vm-100-disk-X.qcow2", Attach: "virtio0", Path: `disks["data"].bus`}},
				Set:    vmconf.Config{"virtio0": "local:100/vm-100-disk-X.qcow2,size=2G"},
			},
		},
		"detach a volume": {
			from: func(s *backends.VMSpec) { s.Disks["data"] = backends.Disk{Volume: new("thin:vm-999-disk-0")} },
			to:   func(s *backends.VMSpec) { delete(s.Disks, "data") },
			want: plan{Detach: []detach{{Slot: "scsi1", Volume: "thin:vm-999-disk-0", Path: `disks["data"]`}}},
		},
		"cores live": {
			from: func(s *backends.VMSpec) { s.CPU.MaxCores = new(int64(4)) },
			to:   func(s *backends.VMSpec) { s.CPU = backends.CPU{Cores: new(int64(3))} },
			want: plan{Set: vmconf.Config{"vcpus": "3"}},
		},
		"no TPM": {
			from: func(s *backends.VMSpec) { s.TPM = new(true) },
			to:   func(s *backends.VMSpec) { s.TPM = new(false) },
			want: plan{Detach: []detach{{Slot: "tpmstate0", Volume: "local:100/vm-100-disk-X.raw", Delete: true, Path: "tpm"}}},
		},
		"secure boot": {
			from: func(s *backends.VMSpec) { s.Firmware = new("uefi") },
			to:   func(s *backends.VMSpec) { s.Firmware, s.SecureBoot = new("uefi"), new(true) },
			want: plan{
				Detach: []detach{{Slot: "efidisk0", Volume: "local:100/vm-100-disk-X.qcow2", Delete: true, Path: "firmware"}},
				Set:    vmconf.Config{"machine": "q35", "efidisk0": "local:1,efitype=4m,format=qcow2,pre-enrolled-keys=1"},
			},
		},
		"media": {
			from: func(s *backends.VMSpec) { s.CDROM = &backends.CDROM{ISO: "local:iso/a.iso"} },
			to:   func(s *backends.VMSpec) { s.CDROM = &backends.CDROM{} },
			want: plan{Set: vmconf.Config{"ide2": "none,media=cdrom"}},
		},
		"limits go": {
			from: func(s *backends.VMSpec) {
				s.CPU.LimitMHz, s.CPU.Shares, s.Watchdog = new(int64(500)), new(int64(7)), new("none")
			},
			to: func(s *backends.VMSpec) {
				s.CPU.LimitMHz, s.CPU.Shares, s.Watchdog = new(int64(0)), new(int64(0)), new("")
			},
			want: plan{Delete: []string{"cpulimit", "cpuunits", "watchdog"}},
		},
		"options go": {
			from: proxmox(func(o *backends.ProxmoxOptions) { o.Options = map[string]string{"tablet": "0", "agent": "0"} }),
			to:   proxmox(func(o *backends.ProxmoxOptions) { o.Options = map[string]string{} }),
			want: plan{Delete: []string{"tablet"}, Set: vmconf.Config{"agent": "1"}},
		},
		"another network keeps the MAC": {
			to:   nic(func(n *backends.NIC) { n.Network = new("vmbr1") }),
			want: plan{Set: vmconf.Config{"net0": "virtio=BC:24:11:00:00:AA,bridge=vmbr1"}},
		},
		"native cloud-init instead of a seed": {
			from: seed(func(c *backends.CloudInit) { c.UserData = new("#!/bin/sh\n") }),
			to:   seed(func(c *backends.CloudInit) { c.UserData = new("#!/bin/sh\necho\n") }),
			want: plan{Set: vmconf.Config{"ide0": "local:iso/seed-2.iso,media=cdrom"}, Free: []string{"local:iso/seed.iso"}},
		},
		"pool and node": {
			to:   func(s *backends.VMSpec) { s.Placement.Pool, s.Placement.Host = new("web"), new("pve2") },
			want: plan{Pool: new("web"), Node: new("pve2")},
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, config := made(t, c.from)
			to := plain()
			if c.from != nil {
				c.from(to)
			}
			c.to(to)
			r := newRequest(to)
			r.Have, r.SeedVolume = read(t, 100, config), "local:iso/seed-2.iso"
			p := must(t, r)
			got := plan{Detach: p.Detach, Set: p.Set.Without("description"), Delete: p.Delete, Move: p.Move, Resize: p.Resize, Free: p.Free, Pool: p.Pool, Node: p.Node}
			for i := range got.Detach {
				got.Detach[i].Volume = anyNumber(got.Detach[i].Volume)
			}
			for key := range got.Set {
				got.Set[key] = anyNumber(got.Set[key])
			}
			if c.want.Set == nil {
				c.want.Set = vmconf.Config{}
			}
			if diff := cmp.Diff(c.want, got, cmp.AllowUnexported(plan{})); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// anyNumber hides which of a VM's volumes it is.
func anyNumber(volume string) string {
	head, rest, ok := strings.Cut(volume, "vm-100-disk-")
	if !ok {
		return volume
	}
	return head + "vm-100-disk-X" + strings.TrimLeft(rest, "0123456789")
}

// TestRefused: what only the driver can refuse blames its attribute.
func TestRefused(t *testing.T) {
	for path, edit := range map[backends.Path]func(*backends.VMSpec){
		"name":                       func(s *backends.VMSpec) { s.Name = "under_score" },
		"tags":                       func(s *backends.VMSpec) { s.Tags = []string{"a b"} },
		"guest_os":                   func(s *backends.VMSpec) { s.GuestOS = new("beos") },
		"cpu.threads":                func(s *backends.VMSpec) { s.CPU.Threads = new(int64(2)) },
		"cpu.max_cores":              func(s *backends.VMSpec) { s.CPU.MaxCores, s.CPU.HotAdd = new(int64(4)), new(false) },
		"cpu.limit_mhz":              func(s *backends.VMSpec) { s.CPU.LimitMHz = new(int64(1 << 40)) },
		"cpu.shares":                 func(s *backends.VMSpec) { s.CPU.Shares = new(int64(1 << 40)) },
		"cpu.affinity":               func(s *backends.VMSpec) { s.CPU.Affinity = new("all") },
		"nested_virtualization":      func(s *backends.VMSpec) { s.CPU.Model, s.NestedVirtualization = new("kvm64"), new(true) },
		"memory.size_mib":            func(s *backends.VMSpec) { s.Memory.HotAdd = new(true) }, // 512 MiB
		"memory.reservation_mib":     func(s *backends.VMSpec) { s.Memory.ReservationMiB = new(int64(600)) },
		"memory.max_mib":             func(s *backends.VMSpec) { s.Memory.MaxMiB = new(int64(100)) },
		"secure_boot":                func(s *backends.VMSpec) { s.SecureBoot = new(true) },
		"watchdog":                   func(s *backends.VMSpec) { s.Watchdog = new("bark") },
		"console.type":               func(s *backends.VMSpec) { s.Console = &backends.ConsoleSpec{Type: new("teletype")} },
		"cdrom.iso":                  func(s *backends.VMSpec) { s.CDROM = &backends.CDROM{ISO: "a.iso"} },
		`host_devices["x"]`:          func(s *backends.VMSpec) { s.HostDevices = map[string]backends.HostDevice{"x": {Mapping: "none"}} },
		`disks["data"].size_gib`:     disk(func(d *backends.Disk) { d.SizeGiB = nil }),
		`disks["data"].storage`:      disk(func(d *backends.Disk) { d.Storage = new("isos") }),
		`disks["data"].format`:       disk(func(d *backends.Disk) { d.Storage, d.Format = new("thin"), new("qcow2") }),
		`disks["data"].provisioning`: disk(func(d *backends.Disk) { d.Storage, d.Provisioning = new("thin"), new("thick") }),
		`disks["data"].bus`:          disk(func(d *backends.Disk) { d.Bus = new("nvme") }),
		`disks["data"].ssd`:          disk(func(d *backends.Disk) { d.Bus, d.SSD = new("virtio"), new(true) }),
		`disks["data"].iothread`:     disk(func(d *backends.Disk) { d.Bus, d.IOThread = new("sata"), new(true) }),
		`disks["data"].cache`:        disk(func(d *backends.Disk) { d.Cache = new("magic") }),
		`disks["data"].options`:      disk(func(d *backends.Disk) { d.Options = map[string]string{"size": "5G"} }),
		`disks["data"].volume`:       disk(func(d *backends.Disk) { *d = backends.Disk{Volume: new("nothing")} }),
		`networks["lan"].mac`:        nic(func(n *backends.NIC) { n.MAC = new("01:00:00:00:00:00") }),
		`networks["lan"].vlan`:       nic(func(n *backends.NIC) { n.VLAN = new(int64(4095)) }),
		`networks["lan"].mtu`:        nic(func(n *backends.NIC) { n.Model, n.MTU = new("e1000"), new(int64(1400)) }),
		`networks["lan"].options`:    nic(func(n *backends.NIC) { n.Options = map[string]string{"firewall": "on"} }),
		"proxmox.machine":            proxmox(func(o *backends.ProxmoxOptions) { o.Machine = new("vax") }),
		"proxmox.boot_order":         proxmox(func(o *backends.ProxmoxOptions) { o.BootOrder = []string{"floppy"} }),
		"proxmox.options":            proxmox(func(o *backends.ProxmoxOptions) { o.Options = map[string]string{"scsi5": "local:1"} }),
		"proxmox.snippets": func(s *backends.VMSpec) {
			s.Proxmox = &backends.ProxmoxOptions{Snippets: map[string]string{"user": "local:snippets/a"}}
			s.CloudInit = &backends.CloudInit{UserData: new("x")}
		},
		"description": func(s *backends.VMSpec) { s.Description = new(strings.Repeat("x", 8192)) },
	} {
		spec := plain()
		edit(spec)
		_, err := makePlan(newRequest(spec))
		e, ok := err.(*backends.Error)
		if !ok || e.Path != path || !slices.Contains([]backends.Code{backends.Invalid, backends.NotFound}, e.Code) {
			t.Errorf("%s: %v", path, err)
		}
	}
}

// What says how a request is made is no option of a VM: it would never be read back.
func TestRequestIsNoOption(t *testing.T) {
	for _, key := range []string{"bwlimit", "unique", "live-restore", "background_delay", "import-working-storage"} {
		spec := plain()
		spec.Proxmox = &backends.ProxmoxOptions{Options: map[string]string{key: "1"}}
		if _, err := makePlan(newRequest(spec)); backends.CodeOf(err) != backends.Invalid {
			t.Errorf("%s: %v", key, err)
		}
	}
}

// TestSeedRefused: where nothing takes an ISO, the way out is named.
func TestSeedRefused(t *testing.T) {
	spec := plain()
	spec.CloudInit = &backends.CloudInit{UserData: new("#!/bin/sh\n")}
	r := newRequest(spec)
	r.SeedVolume = ""
	_, err := makePlan(r)
	if e, ok := err.(*backends.Error); !ok || e.Code != backends.Precondition || e.Path != "cloud_init" || !strings.Contains(e.Remedy, "snippets") {
		t.Errorf("%v", err)
	}
}
