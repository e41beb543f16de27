package proxmox_test

import (
	"slices"
	"testing"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/proxmox"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/pvesim"
)

func disk(edit func(*backends.Disk)) func(*backends.VMSpec) {
	return func(s *backends.VMSpec) {
		d := s.Disks["data"]
		edit(&d)
		s.Disks["data"] = d
	}
}

func nic(edit func(*backends.NIC)) func(*backends.VMSpec) {
	return func(s *backends.VMSpec) {
		n := s.Networks["lan"]
		edit(&n)
		s.Networks["lan"] = n
	}
}

// alive are changes that a running VM with a guest takes, by what they change.
var alive = map[string]func(*backends.VMSpec){
	"name":                  func(s *backends.VMSpec) { s.Name = "renamed" },
	"description":           func(s *backends.VMSpec) { s.Description = new("text") },
	"tags":                  func(s *backends.VMSpec) { s.Tags = []string{"a", "b"} },
	"settings":              func(s *backends.VMSpec) { s.Settings = new("text") },
	"cores up":              func(s *backends.VMSpec) { s.CPU.Cores = new(int64(4)) },
	"limit_mhz":             func(s *backends.VMSpec) { s.CPU.LimitMHz = new(int64(1000)) },
	"cpu shares":            func(s *backends.VMSpec) { s.CPU.Shares = new(int64(500)) },
	"memory up":             func(s *backends.VMSpec) { s.Memory.SizeMiB = new(int64(2048)) },
	"disk added":            func(s *backends.VMSpec) { s.Disks["more"] = backends.Disk{SizeGiB: new(int64(1))} },
	"virtio disk added":     func(s *backends.VMSpec) { s.Disks["more"] = backends.Disk{SizeGiB: new(int64(1)), Bus: new("virtio")} },
	"disk removed":          func(s *backends.VMSpec) { delete(s.Disks, "data") },
	"disk grown":            disk(func(d *backends.Disk) { d.SizeGiB = new(int64(3)) }),
	"disk moved":            disk(func(d *backends.Disk) { d.Storage = new("local-lvm") }),
	"disk format":           disk(func(d *backends.Disk) { d.Format = new("raw") }),
	"disk iops_limit":       disk(func(d *backends.Disk) { d.IOPSLimit = new(int64(100)) }),
	"disk throughput_mib":   disk(func(d *backends.Disk) { d.ThroughputMiB = new(int64(10)) }),
	"disk keep_on_destroy":  disk(func(d *backends.Disk) { d.KeepOnDestroy = new(true) }),
	"disk option backup":    disk(func(d *backends.Disk) { d.Options = map[string]string{"backup": "0"} }),
	"disk option replicate": disk(func(d *backends.Disk) { d.Options = map[string]string{"replicate": "0"} }),
	"nic added":             func(s *backends.VMSpec) { s.Networks["dmz"] = backends.NIC{Network: new("vmbr1")} },
	"nic removed":           func(s *backends.VMSpec) { delete(s.Networks, "lan") },
	"nic network":           nic(func(n *backends.NIC) { n.Network = new("vmbr1") }),
	"nic vlan":              nic(func(n *backends.NIC) { n.VLAN = new(int64(7)) }),
	"nic connected":         nic(func(n *backends.NIC) { n.Connected = new(false) }),
	"nic bandwidth":         nic(func(n *backends.NIC) { n.BandwidthMbps = new(int64(100)) }),
	"nic option firewall":   nic(func(n *backends.NIC) { n.Options = map[string]string{"firewall": "1"} }),
	"nic option trunks":     nic(func(n *backends.NIC) { n.Options = map[string]string{"trunks": "7"} }),
	"autostart":             func(s *backends.VMSpec) { s.Proxmox = &backends.ProxmoxOptions{Autostart: new(true)} },
	"boot order":            func(s *backends.VMSpec) { s.Proxmox = &backends.ProxmoxOptions{BootOrder: []string{"lan", "root"}} },
	"option startup": func(s *backends.VMSpec) {
		s.Proxmox = &backends.ProxmoxOptions{Options: map[string]string{"startup": "order=1"}}
	},
	"option protection": func(s *backends.VMSpec) {
		s.Proxmox = &backends.ProxmoxOptions{Options: map[string]string{"protection": "1"}}
	},
	"option tablet": func(s *backends.VMSpec) {
		s.Proxmox = &backends.ProxmoxOptions{Options: map[string]string{"tablet": "0"}}
	},
	"option migrate_downtime": func(s *backends.VMSpec) {
		s.Proxmox = &backends.ProxmoxOptions{Options: map[string]string{"migrate_downtime": "1"}}
	},
	"option vmstatestorage": func(s *backends.VMSpec) {
		s.Proxmox = &backends.ProxmoxOptions{Options: map[string]string{"vmstatestorage": "local"}}
	},
	"option migrate_speed": func(s *backends.VMSpec) {
		s.Proxmox = &backends.ProxmoxOptions{Options: map[string]string{"migrate_speed": "10"}}
	},
	"cdrom changed": func(s *backends.VMSpec) { s.CDROM = &backends.CDROM{ISO: "local:iso/b.iso"} },
	"cdrom emptied": func(s *backends.VMSpec) { s.CDROM = &backends.CDROM{} },
	"pool":          func(s *backends.VMSpec) { s.Placement.Pool = new("team") },
}

// still are changes that are for the next start.
var still = map[string]func(*backends.VMSpec){
	"cores down":     func(s *backends.VMSpec) { s.CPU.Cores = new(int64(1)) },
	"cores beyond":   func(s *backends.VMSpec) { s.CPU.Cores, s.CPU.MaxCores = new(int64(8)), new(int64(8)) },
	"sockets":        func(s *backends.VMSpec) { s.CPU.Sockets = new(int64(2)) },
	"max_cores":      func(s *backends.VMSpec) { s.CPU.MaxCores = new(int64(8)) },
	"cpu model":      func(s *backends.VMSpec) { s.CPU.Model = new("x86-64-v3") },
	"memory down":    func(s *backends.VMSpec) { s.Memory.SizeMiB = new(int64(1024)) },
	"memory hot_add": func(s *backends.VMSpec) { s.Memory.HotAdd, s.Memory.MaxMiB = new(false), new(int64(1536)) },
	"ballooning":     func(s *backends.VMSpec) { s.Memory.Ballooning = new(false) },
	"guest_os":       func(s *backends.VMSpec) { s.GuestOS = new("windows") },
	"nested":         func(s *backends.VMSpec) { s.NestedVirtualization = new(true) },
	"sata disk added": func(s *backends.VMSpec) {
		s.Disks["more"] = backends.Disk{SizeGiB: new(int64(1)), Bus: new("sata")}
	},
	"disk cache":      disk(func(d *backends.Disk) { d.Cache = new("writeback") }),
	"disk discard":    disk(func(d *backends.Disk) { d.Discard = new(true) }),
	"disk ssd":        disk(func(d *backends.Disk) { d.SSD = new(true) }),
	"disk iothread":   disk(func(d *backends.Disk) { d.IOThread = new(true) }),
	"disk option aio": disk(func(d *backends.Disk) { d.Options = map[string]string{"aio": "native"} }),
	"console":         func(s *backends.VMSpec) { s.Console = &backends.ConsoleSpec{Type: new("spice")} },
	"watchdog":        func(s *backends.VMSpec) { s.Watchdog = new("reset") },
	"rng":             func(s *backends.VMSpec) { s.RNG = new(true) },
	"machine":         func(s *backends.VMSpec) { s.Proxmox = &backends.ProxmoxOptions{Machine: new("q35")} },
	"scsi_controller": func(s *backends.VMSpec) { s.Proxmox = &backends.ProxmoxOptions{SCSIController: new("virtio-scsi-pci")} },
	"option acpi": func(s *backends.VMSpec) {
		s.Proxmox = &backends.ProxmoxOptions{Options: map[string]string{"acpi": "0"}}
	},
}

// sooner are those of still that a guest may also take while it runs: the catalogue announces a restart, for it may as well not.
var sooner = []string{"cores down", "memory down"}

// base is the VM that is changed.
func base() *backends.VMSpec {
	spec := small("web")
	spec.CPU = backends.CPU{Cores: new(int64(2)), MaxCores: new(int64(4)), HotAdd: new(true)}
	spec.Memory = backends.Memory{SizeMiB: new(int64(1536)), MaxMiB: new(int64(4096)), HotAdd: new(true)}
	spec.Disks["data"] = backends.Disk{SizeGiB: new(int64(1)), Storage: new("local")}
	spec.Networks = map[string]backends.NIC{"lan": {Network: new("vmbr2")}}
	spec.CDROM = &backends.CDROM{ISO: "local:iso/a.iso"}
	return spec
}

// Each attribute is changed on a VM that runs: what the catalogue says of it is what happens.
func TestImpactIsWhatHappens(t *testing.T) {
	for _, version := range []int{8, 9} {
		c := clusterOf(t, pvesim.Options{Version: version, Guests: true}, proxmox.Defaults{})
		if err := c.hand.Post(t.Context(), "/pools", map[string]any{"poolid": "team"}, nil); err != nil {
			t.Fatal(err)
		}
		for _, iso := range []string{"a", "b"} {
			if err := c.sim.PutFile("pve1", "local:iso/"+iso+".iso", make([]byte, 4096)); err != nil {
				t.Fatal(err)
			}
		}
		info, err := c.Info(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for name, edit := range alive {
			t.Run(name, func(t *testing.T) { c.impact(t, info.Catalogue, edit, backends.EffectLive, false) })
		}
		for name, edit := range still {
			t.Run(name, func(t *testing.T) {
				c.impact(t, info.Catalogue, edit, backends.EffectRestart, slices.Contains(sooner, name))
			})
		}
	}
}

func (c *cluster) impact(t *testing.T, catalogue backends.Catalogue, edit func(*backends.VMSpec), want backends.Effect, sooner bool) {
	id := c.create(base())
	defer func() {
		c.set("pve1", id, map[string]any{"protection": false})
		if err := c.DeleteVM(t.Context(), id, backends.DeleteOptions{}); err != nil {
			t.Error(err)
		}
	}()
	c.power(id, backends.PowerOn)
	from, to := c.mustRead(id).Config, *base()
	edit(&to)
	changes := backends.Diff(&from, &to)
	if len(changes) == 0 {
		t.Fatal("nothing is changed")
	}
	effect, reason := backends.EffectLive, ""
	for _, ch := range changes {
		if i := catalogue.ImpactOf(&from, &to, ch); i.Effect > effect {
			effect, reason = i.Effect, i.Reason
		}
	}
	if effect != want {
		t.Fatalf("the catalogue says %d (%s), want %d: %v", effect, reason, want, changes)
	}
	r := backends.Reconfiguration{Desired: &to, Changes: changes, Mode: backends.Live}
	err := c.Reconfigure(t.Context(), id, r)
	if want == backends.EffectLive {
		if err != nil {
			t.Fatal(err)
		}
		vm := c.mustRead(id)
		if left := backends.Diff(&vm.Config, &to); len(left) > 0 {
			t.Errorf("left: %v", left)
		}
		if waits := c.waiting("pve1", id); len(waits) > 0 && !slices.Equal(waits, []string{"boot"}) {
			t.Errorf("%v waits", waits)
		}
		return
	}
	wants(t, err, backends.Precondition, "", "Stop the VM")
	if vm := c.mustRead(id); vm.Pending || len(backends.Diff(&vm.Config, &from)) > 0 {
		t.Errorf("a refused change left something: %v", backends.Diff(&vm.Config, &from))
	}
	// It is one that waits, where waiting is what was asked for.
	r.Mode = backends.Deferred
	if err := c.Reconfigure(t.Context(), id, r); err != nil {
		t.Fatal(err)
	}
	vm := c.mustRead(id)
	if left := backends.Diff(&vm.Config, &to); len(left) > 0 {
		t.Errorf("deferred, left: %v", left)
	}
	if !vm.Pending && !sooner {
		t.Errorf("a running VM takes this: %v", changes)
	}
	c.power(id, backends.PowerOff, backends.PowerOn)
	vm = c.mustRead(id)
	if left := backends.Diff(&vm.Config, &to); len(left) > 0 || vm.Pending {
		t.Errorf("started anew, left: %v", left)
	}
}

// A disk is not pulled from a running VM because it shall be on another bus after the next start.
func TestDeferredBus(t *testing.T) {
	c := clusterOf(t, pvesim.Options{Guests: true}, proxmox.Defaults{})
	spec := small("web")
	spec.Disks["data"] = backends.Disk{SizeGiB: new(int64(1)), Storage: new("local")}
	id := c.create(spec)
	c.power(id, backends.PowerOn)
	bus := disk(func(d *backends.Disk) { d.Bus = new("virtio") })
	wants(t, c.change(id, backends.Deferred, bus), backends.Precondition, `disks["data"].bus`, "Stop the VM")
	if conf := c.config("pve1", id); conf["scsi1"] == "" || conf["virtio0"] != "" {
		t.Errorf("%v", conf)
	}
	c.power(id, backends.PowerOff)
	if err := c.change(id, backends.Cold, bus); err != nil {
		t.Error(err)
	}
}

// A VM that runs gets a drive where one can be plugged.
func TestNewCDROMDrive(t *testing.T) {
	c := clusterOf(t, pvesim.Options{Guests: true}, proxmox.Defaults{})
	if err := c.sim.PutFile("pve1", "local:iso/a.iso", make([]byte, 4096)); err != nil {
		t.Fatal(err)
	}
	id := c.create(small("web"))
	c.power(id, backends.PowerOn)
	insert := func(s *backends.VMSpec) { s.CDROM = &backends.CDROM{ISO: "local:iso/a.iso"} }
	if err := c.change(id, backends.Live, insert); err != nil {
		t.Fatal(err)
	}
	if vm := c.mustRead(id); vm.Pending || vm.Config.CDROM == nil || vm.Config.CDROM.ISO != "local:iso/a.iso" {
		t.Errorf("%+v", vm)
	}
}
