package proxmox

import (
	"reflect"
	"strings"
	"testing"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/catalogues"
)

// leaves lists the attributes of a specification by reflection, as paths of Go names.
func leaves(t reflect.Type, prefix string) []string {
	switch t.Kind() {
	case reflect.Pointer, reflect.Map:
		if t.Elem().Kind() == reflect.Struct {
			return leaves(t.Elem(), prefix)
		}
	case reflect.Struct:
		var all []string
		for i := range t.NumField() {
			name := t.Field(i).Name
			if prefix != "" {
				name = prefix + "." + name
			}
			all = append(all, leaves(t.Field(i).Type, name)...)
		}
		return all
	}
	return []string{prefix}
}

const testKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDuxoeK4HJ0jh7wCcAfwacXbCKagpVDtldXKwDU9eAKq test"

// askFor are examples of every attribute that a VM on Proxmox VE can have: what it changes of a plain VM must be observed.
var askFor = map[string]func(*backends.VMSpec){
	"Name":                  func(s *backends.VMSpec) { s.Name = "other" },
	"Description":           func(s *backends.VMSpec) { s.Description = new("text\n<!-- not a mark -->") },
	"Tags":                  func(s *backends.VMSpec) { s.Tags = []string{"Web", "prod"} },
	"GuestOS":               func(s *backends.VMSpec) { s.GuestOS = new("windows") },
	"CPU.Cores":             func(s *backends.VMSpec) { s.CPU.Cores = new(int64(3)) },
	"CPU.Sockets":           func(s *backends.VMSpec) { s.CPU.Sockets = new(int64(2)) },
	"CPU.Threads":           func(s *backends.VMSpec) { s.CPU.Threads = new(int64(1)) },
	"CPU.MaxCores":          func(s *backends.VMSpec) { s.CPU.MaxCores = new(int64(8)) },
	"CPU.Model":             func(s *backends.VMSpec) { s.CPU.Model = new("Haswell") },
	"CPU.HotAdd":            func(s *backends.VMSpec) { s.CPU.HotAdd = new(true) },
	"CPU.LimitMHz":          func(s *backends.VMSpec) { s.CPU.LimitMHz = new(int64(1333)) },
	"CPU.Shares":            func(s *backends.VMSpec) { s.CPU.Shares = new(int64(2048)) },
	"CPU.Affinity":          func(s *backends.VMSpec) { s.CPU.Affinity = new("0-3,8") },
	"Memory.SizeMiB":        func(s *backends.VMSpec) { s.Memory.SizeMiB = new(int64(768)) },
	"Memory.MaxMiB":         func(s *backends.VMSpec) { s.Memory.MaxMiB, s.Memory.SizeMiB = new(int64(4096)), new(int64(1024)) },
	"Memory.HotAdd":         func(s *backends.VMSpec) { s.Memory.HotAdd, s.Memory.SizeMiB = new(true), new(int64(1024)) },
	"Memory.ReservationMiB": func(s *backends.VMSpec) { s.Memory.ReservationMiB = new(int64(256)) },
	"Memory.Shares":         func(s *backends.VMSpec) { s.Memory.Shares = new(int64(2000)) },
	"Memory.Ballooning":     func(s *backends.VMSpec) { s.Memory.Ballooning = new(false) },
	"Firmware":              func(s *backends.VMSpec) { s.Firmware = new("uefi") },
	"SecureBoot":            func(s *backends.VMSpec) { s.Firmware, s.SecureBoot = new("uefi"), new(true) },
	"TPM":                   func(s *backends.VMSpec) { s.TPM = new(true) },
	"NestedVirtualization":  func(s *backends.VMSpec) { s.NestedVirtualization = new(true) },
	"Disks.SizeGiB":         disk(func(d *backends.Disk) { d.SizeGiB = new(int64(9)) }),
	"Disks.Storage":         disk(func(d *backends.Disk) { d.Storage = new("thin") }),
	"Disks.Provisioning":    disk(func(d *backends.Disk) { d.Provisioning = new("thick") }),
	"Disks.Format":          disk(func(d *backends.Disk) { d.Format = new("raw") }),
	"Disks.Bus":             disk(func(d *backends.Disk) { d.Bus = new("virtio") }),
	"Disks.Cache":           disk(func(d *backends.Disk) { d.Cache = new("writeback") }),
	"Disks.Discard":         disk(func(d *backends.Disk) { d.Discard = new(true) }),
	"Disks.SSD":             disk(func(d *backends.Disk) { d.SSD = new(true) }),
	"Disks.IOThread":        disk(func(d *backends.Disk) { d.IOThread = new(true) }),
	"Disks.KeepOnDestroy":   disk(func(d *backends.Disk) { d.KeepOnDestroy = new(true) }),
	"Disks.IOPSLimit":       disk(func(d *backends.Disk) { d.IOPSLimit = new(int64(500)) }),
	"Disks.ThroughputMiB":   disk(func(d *backends.Disk) { d.ThroughputMiB = new(int64(20)) }),
	"Disks.Options":         disk(func(d *backends.Disk) { d.Options = map[string]string{"backup": "0", "aio": "threads"} }),
	"Disks.Volume": func(s *backends.VMSpec) {
		s.Disks["data"] = backends.Disk{Volume: new("thin:vm-999-disk-0")}
	},
	"CDROM.ISO":              func(s *backends.VMSpec) { s.CDROM = &backends.CDROM{ISO: "local:iso/a.iso"} },
	"Networks.Network":       nic(func(n *backends.NIC) { n.Network = new("vmbr9") }),
	"Networks.VLAN":          nic(func(n *backends.NIC) { n.VLAN = new(int64(30)) }),
	"Networks.Model":         nic(func(n *backends.NIC) { n.Model = new("e1000") }),
	"Networks.MAC":           nic(func(n *backends.NIC) { n.MAC = new("52:54:00:c0:ff:ee") }),
	"Networks.MTU":           nic(func(n *backends.NIC) { n.MTU = new(int64(1400)) }),
	"Networks.Connected":     nic(func(n *backends.NIC) { n.Connected = new(false) }),
	"Networks.Order":         nic(func(n *backends.NIC) { n.Order = new(int64(7)) }),
	"Networks.BandwidthMbps": nic(func(n *backends.NIC) { n.BandwidthMbps = new(int64(100)) }),
	"Networks.Options":       nic(func(n *backends.NIC) { n.Options = map[string]string{"firewall": "1", "trunks": "10;20"} }),
	"Networks.IPv4.Address":  nic(func(n *backends.NIC) { n.IPv4 = &backends.IPConfig{Address: "10.0.0.5/24"} }),
	"Networks.IPv4.Gateway":  nic(func(n *backends.NIC) { n.IPv4 = &backends.IPConfig{Address: "10.0.0.5/24", Gateway: "10.0.0.1"} }),
	"Networks.IPv4.Routes": nic(func(n *backends.NIC) {
		n.IPv4 = &backends.IPConfig{Address: "10.0.0.5/24", Routes: []backends.Route{{To: "10.9.0.0/16", Via: "10.0.0.9"}}}
	}),
	"Networks.IPv4.Extra": nic(func(n *backends.NIC) {
		n.IPv4 = &backends.IPConfig{Address: "10.0.0.5/24", Extra: []string{"10.0.0.6/24"}}
	}),
	"Networks.IPv6.Address": nic(func(n *backends.NIC) { n.IPv6 = &backends.IPConfig{Address: "2001:db8::5/64"} }),
	"Networks.IPv6.Gateway": nic(func(n *backends.NIC) { n.IPv6 = &backends.IPConfig{Address: "2001:db8::5/64", Gateway: "2001:db8::1"} }),
	"Networks.IPv6.Routes": nic(func(n *backends.NIC) {
		n.IPv6 = &backends.IPConfig{Address: "2001:db8::5/64", Routes: []backends.Route{{To: "2001:db9::/64", Via: "2001:db8::9"}}}
	}),
	"Networks.IPv6.Extra": nic(func(n *backends.NIC) {
		n.IPv6 = &backends.IPConfig{Address: "2001:db8::5/64", Extra: []string{"2001:db8::6/64"}}
	}),
	"DNS.Servers":             func(s *backends.VMSpec) { s.DNS = &backends.DNS{Servers: []string{"10.0.0.2", "10.0.0.3"}} },
	"DNS.Search":              func(s *backends.VMSpec) { s.DNS = &backends.DNS{Search: []string{"a.example", "b.example"}} },
	"CloudInit.Hostname":      seed(func(c *backends.CloudInit) { c.Hostname = new("elsewhere") }),
	"CloudInit.UserData":      seed(func(c *backends.CloudInit) { c.UserData = new("#cloud-config\n{}\n") }),
	"CloudInit.VendorData":    seed(func(c *backends.CloudInit) { c.VendorData = new("#cloud-config\n{}\n") }),
	"CloudInit.MetaData":      seed(func(c *backends.CloudInit) { c.MetaData = new("a: 1") }),
	"CloudInit.NetworkConfig": seed(func(c *backends.CloudInit) { c.NetworkConfig = new("version: 2") }),
	"CloudInit.Users": seed(func(c *backends.CloudInit) {
		c.Users = []backends.CloudUser{{Name: "ada", SSHKeys: []string{testKey}, PasswordHash: "$6$x$y"}}
	}),
	"CloudInit.SSHKeys":         seed(func(c *backends.CloudInit) { c.SSHKeys = []string{testKey} }),
	"CloudInit.Datasource":      seed(func(c *backends.CloudInit) { c.Datasource = new("configdrive") }),
	"CloudInit.InstanceID":      seed(func(c *backends.CloudInit) { c.InstanceID = new("i-1") }),
	"CloudInit.UserDataVersion": seed(func(c *backends.CloudInit) { c.UserData, c.UserDataVersion = new("#cloud-config\n{}\n"), new(int64(3)) }),
	"Customization.Hostname":    func(s *backends.VMSpec) { s.Customization = &backends.Customization{Hostname: "elsewhere"} },
	"Customization.Domain":      func(s *backends.VMSpec) { s.Customization = &backends.Customization{Domain: "example.org"} },
	"Customization.TimeZone":    func(s *backends.VMSpec) { s.Customization = &backends.Customization{TimeZone: "Europe/Madrid"} },
	"Placement.Storage":         func(s *backends.VMSpec) { s.Placement.Storage = new("thin") },
	"HostDevices.Mapping": func(s *backends.VMSpec) {
		s.HostDevices = map[string]backends.HostDevice{"a": {Mapping: "gpu"}, "b": {Mapping: "stick"}}
	},
	"HostDevices.PCI":        func(s *backends.VMSpec) { s.HostDevices = map[string]backends.HostDevice{"a": {PCI: "0000:65:00.0"}} },
	"HostDevices.USB":        func(s *backends.VMSpec) { s.HostDevices = map[string]backends.HostDevice{"a": {USB: "1d6b:0002"}} },
	"Console.Type":           func(s *backends.VMSpec) { s.Console = &backends.ConsoleSpec{Type: new("serial")} },
	"Watchdog":               func(s *backends.VMSpec) { s.Watchdog = new("poweroff") },
	"RNG":                    func(s *backends.VMSpec) { s.RNG = new(true) },
	"Settings":               func(s *backends.VMSpec) { s.Settings = new(`{"a":"` + strings.Repeat("b", 3000) + `"}`) },
	"Proxmox.VMID":           proxmox(func(o *backends.ProxmoxOptions) { o.VMID = new(int64(100)) }),
	"Proxmox.Machine":        proxmox(func(o *backends.ProxmoxOptions) { o.Machine = new("pc-q35-9.2+pve1") }),
	"Proxmox.SCSIController": proxmox(func(o *backends.ProxmoxOptions) { o.SCSIController = new("virtio-scsi-pci") }),
	"Proxmox.Autostart":      proxmox(func(o *backends.ProxmoxOptions) { o.Autostart = new(true) }),
	"Proxmox.BootOrder":      proxmox(func(o *backends.ProxmoxOptions) { o.BootOrder = []string{"lan", "root"} }),
	"Proxmox.Snippets": proxmox(func(o *backends.ProxmoxOptions) {
		o.Snippets = map[string]string{"user": "local:snippets/a.yaml", "meta": "local:snippets/m.yaml"}
	}),
	"Proxmox.Options": proxmox(func(o *backends.ProxmoxOptions) {
		o.Options = map[string]string{"tablet": "0", "startup": "order=1,up=5", "hugepages": "2", "cpu": "x86-64-v2-AES,flags=+aes", "kvm": "0", "agent": "1,fstrim_cloned_disks=1"}
	}),
}

// elsewhere are the attributes that are no part of a configuration, with who carries them out.
var elsewhere = map[string]string{
	"Image": "the disk root is made by import", "Template": "a clone", "Linked": "a clone", "CreateToken": "the mark, not part of Diff",
	"Placement.Host": "plan.Node", "Placement.Pool": "plan.Pool",
	"Console.Password": "known by its version only",
}

func disk(edit func(*backends.Disk)) func(*backends.VMSpec) {
	return func(s *backends.VMSpec) { d := s.Disks["data"]; edit(&d); s.Disks["data"] = d }
}

func nic(edit func(*backends.NIC)) func(*backends.VMSpec) {
	return func(s *backends.VMSpec) { n := s.Networks["lan"]; edit(&n); s.Networks["lan"] = n }
}

func seed(edit func(*backends.CloudInit)) func(*backends.VMSpec) {
	return func(s *backends.VMSpec) { s.CloudInit = &backends.CloudInit{}; edit(s.CloudInit) }
}

func proxmox(edit func(*backends.ProxmoxOptions)) func(*backends.VMSpec) {
	return func(s *backends.VMSpec) { s.Proxmox = &backends.ProxmoxOptions{}; edit(s.Proxmox) }
}

// plain is a VM with one disk more than it needs.
func plain() *backends.VMSpec {
	return &backends.VMSpec{
		Name: "web", CPU: backends.CPU{Cores: new(int64(1))}, Memory: backends.Memory{SizeMiB: new(int64(512))},
		Disks:    map[string]backends.Disk{"root": {SizeGiB: new(int64(4))}, "data": {SizeGiB: new(int64(2))}},
		Networks: map[string]backends.NIC{"lan": {Network: new("vmbr0")}},
	}
}

// TestEveryField: each attribute of a specification is refused by the catalogue, or a VM that is made with it, or changed to it, has it.
func TestEveryField(t *testing.T) {
	cat := catalogues.Proxmox()
	for _, name := range leaves(reflect.TypeFor[backends.VMSpec](), "") {
		switch edit := askFor[name]; {
		case strings.HasPrefix(name, "Libvirt.") || strings.HasPrefix(name, "VSphere."): // of others, as a whole
		case elsewhere[name] != "":
		case edit != nil:
			t.Run(name, func(t *testing.T) { hasField(t, cat, edit) })
		default:
			t.Run(name, func(t *testing.T) { lacksField(t, cat, name) })
		}
	}
}

func hasField(t *testing.T, cat backends.Catalogue, edit func(*backends.VMSpec)) {
	spec := plain()
	edit(spec)
	if err := backends.Vet(cat, &backends.VMSpec{}, spec, backends.Requirements(spec), "create", "VM"); err != nil {
		t.Fatalf("the catalogue refuses it: %v", err)
	}
	made := &keeper{t: t, vmid: 100, world: testWorld()}
	config := made.apply(nil, must(t, newRequest(spec)))
	unmetOf(t, "made", config, spec)

	base := plain()
	changed := &keeper{t: t, vmid: 100, world: testWorld()}
	config = changed.apply(nil, must(t, newRequest(base)))
	before := read(t, 100, config).observe(testWorld(), true)
	if len(backends.Diff(&before.Spec, spec)) == 0 && spec.CPU.Threads == nil && (spec.Proxmox == nil || spec.Proxmox.VMID == nil) && spec.Placement.Storage == nil {
		t.Error("a plain VM has it already: the example shows nothing")
	}
	if d := spec.Disks["data"]; d.Provisioning != nil {
		return // decided when it is made
	}
	r := newRequest(spec)
	r.Have = read(t, 100, config)
	config = changed.apply(config, must(t, r))
	unmetOf(t, "changed", config, spec)

	// And back, as far as a plain VM says anything of it.
	r = newRequest(base)
	r.Have = read(t, 100, config)
	if d := base.Disks["data"]; *d.SizeGiB < 9 {
		d.SizeGiB = nil
		base.Disks["data"] = d
	}
	if spec.Disks["data"].Volume != nil {
		base.Disks["data"] = backends.Disk{SizeGiB: new(int64(2))}
	}
	if value(spec.Memory.HotAdd) || spec.Memory.MaxMiB != nil {
		base.Memory.SizeMiB = nil
	}
	config = changed.apply(config, must(t, r))
	unmetOf(t, "back", config, base)
}

func newRequest(spec *backends.VMSpec) request {
	return request{
		World: testWorld(), VMID: 100, Node: "pve1", Want: spec, UUID: "11111111-2222-3333-4444-555555555555",
		SeedVolume: "local:iso/seed.iso", MAC: func() string { return "bc:24:11:00:00:aa" },
	}
}

func unmetOf(t *testing.T, what string, config map[string]string, want *backends.VMSpec) {
	t.Helper()
	o := read(t, 100, config).observe(testWorld(), true)
	for _, c := range backends.Diff(&o.Spec, want) {
		t.Errorf("%s: the next plan would %s", what, c)
	}
}

// lacksField: what has no example is refused by the catalogue, at plan.
func lacksField(t *testing.T, cat backends.Catalogue, name string) {
	spec := plain()
	fill(reflect.ValueOf(spec).Elem(), strings.Split(name, "."))
	if err := backends.Vet(cat, &backends.VMSpec{}, spec, backends.Requirements(spec), "create", "VM"); err == nil {
		t.Errorf("%s is neither mapped nor refused", name)
	}
}

// fill sets a field to something.
func fill(v reflect.Value, names []string) {
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), names)
	case reflect.Map:
		if v.Type().Elem().Kind() == reflect.String {
			v.Set(reflect.ValueOf(map[string]string{"a": "b"}))
			return
		}
		e := reflect.New(v.Type().Elem()).Elem()
		if v.IsNil() {
			v.Set(reflect.MakeMap(v.Type()))
		}
		fill(e, names)
		v.SetMapIndex(reflect.ValueOf("x"), e)
	case reflect.Struct:
		if len(names) > 0 {
			fill(v.FieldByName(names[0]), names[1:])
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
	case reflect.String:
		v.SetString("x")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int64:
		v.SetInt(7)
	}
}
