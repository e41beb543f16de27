package vmconf_test

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/proxmox/vmconf"
)

// recorded are configurations as Proxmox VE 8.4 answered them.
func recorded(t testing.TB) (configs []map[string]any, pending [][]map[string]any) {
	t.Helper()
	text, err := os.ReadFile("testdata/recorded.json")
	if err != nil {
		t.Fatal(err)
	}
	var all []struct {
		Kind string
		Data json.RawMessage
	}
	if err := json.Unmarshal(text, &all); err != nil {
		t.Fatal(err)
	}
	for _, a := range all {
		if a.Kind == "config" {
			var c map[string]any
			err = json.Unmarshal(a.Data, &c)
			configs = append(configs, c)
		} else {
			var rows []map[string]any
			err = json.Unmarshal(a.Data, &rows)
			pending = append(pending, rows)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return configs, pending
}

// TestRecordedUnchanged: what Proxmox VE wrote is printed as it was read, by every type that reads it.
func TestRecordedUnchanged(t *testing.T) {
	configs, _ := recorded(t)
	if len(configs) < 10 {
		t.Fatalf("%d configurations", len(configs))
	}
	drives, nics := 0, 0
	for _, raw := range configs {
		c := vmconf.Values(raw)
		if _, ok := c["digest"]; ok || len(c) != len(raw)-1 {
			t.Errorf("%d of %d values are read, the digest among them: %v", len(c), len(raw), ok)
		}
		for key, text := range c {
			if got := vmconf.ParseProps(text).String(); got != text {
				t.Errorf("%s %q is printed as %q", key, text, got)
			}
		}
		for _, key := range append(c.Drives(), "efidisk0", "tpmstate0") {
			drives++
			d := c.Drive(key)
			if got := d.WithVolume(d.Volume()).Put("size", d.Get("size")); c[key] != "" && got.String() != c[key] {
				t.Errorf("%s %q becomes %q", key, c[key], got)
			}
		}
		for _, key := range c.NICs() {
			nics++
			n := c.NIC(key)
			if got := n.WithCard(n.Model(), n.MAC()); got.String() != c[key] {
				t.Errorf("%s %q becomes %q", key, c[key], got)
			}
		}
		for _, key := range c.Numbered("ipconfig") {
			if got := vmconf.ParseIPConfig(c[key]); vmconf.ParseIPConfig(got.String()).IP != got.IP || got.IP == "" {
				t.Errorf("%s %q becomes %q", key, c[key], got)
			}
		}
		if order, ok := c.Boot(); ok && len(order) > 0 && vmconf.FormatBoot(order) != c["boot"] {
			t.Errorf("boot %q becomes %q", c["boot"], vmconf.FormatBoot(order))
		}
	}
	if drives == 0 || nics == 0 {
		t.Errorf("%d drives and %d interfaces were looked at", drives, nics)
	}
}

func TestPending(t *testing.T) {
	_, all := recorded(t)
	for _, rows := range all {
		if p := vmconf.ParsePending(rows); len(p.Digest) != 40 || p.Configured["digest"] != "" {
			t.Errorf("digest %q", p.Digest)
		}
	}
	p := vmconf.ParsePending([]map[string]any{
		{"key": "memory", "value": "128", "pending": "256"},
		{"key": "cpu", "pending": "qemu64"},
		{"key": "net1", "value": "virtio=BC:24:11:81:03:4F,bridge=vmbr0", "delete": float64(1)},
		{"key": "cores", "value": json.Number("2")},
		{"key": "onboot", "value": true},
		{"key": "kvm", "value": float64(0), "delete": nil},
		{"key": "tags", "value": "a", "delete": "2"},
		{"key": 7, "value": nil},
		{"value": "no key"},
		{},
	})
	want := vmconf.Pending{
		Current:    vmconf.Config{"memory": "128", "net1": "virtio=BC:24:11:81:03:4F,bridge=vmbr0", "cores": "2", "onboot": "1", "kvm": "0", "tags": "a"},
		Configured: vmconf.Config{"memory": "256", "cpu": "qemu64", "cores": "2", "onboot": "1", "kvm": "0"},
		Keys:       []string{"cpu", "memory", "net1", "tags"},
	}
	if diff := cmp.Diff(want, p); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestSizes(t *testing.T) {
	for text, want := range map[string]int64{
		"32G": 32 << 30, "3500M": 3500 << 20, "528K": 528 << 10, "0T": 0, "1.5G": 3 << 29, "4096": 4096, "1t": 1 << 40, " 1G ": 1 << 30,
	} {
		if got, ok := vmconf.ParseSize(text); !ok || got != want {
			t.Errorf("%q is %d (%v), want %d", text, got, ok, want)
		}
	}
	for _, text := range []string{"", "G", "abc", "-1G", "1e30G", "NaN", "InfG", "99999999999T"} {
		if got, ok := vmconf.ParseSize(text); ok {
			t.Errorf("%q is %d, want none", text, got)
		}
	}
	for bytes, want := range map[int64]string{32 << 30: "32G", 3500 << 20: "3500M", 1 << 40: "1T", 1000: "1000", 528 << 10: "528K"} {
		if got := vmconf.FormatSize(bytes); got != want {
			t.Errorf("%d is %q, want %q", bytes, got, want)
		}
	}
}

func TestLists(t *testing.T) {
	for text, want := range map[string][]string{"zeta;alpha": {"alpha", "zeta"}, " ": {}, "": {}, "b,a C;;a": {"C", "a", "b"}} {
		if got := vmconf.ParseTags(text); got == nil || !slices.Equal(got, want) {
			t.Errorf("tags %q are %v, want %v", text, got, want)
		}
	}
	if got := vmconf.FormatTags([]string{"b", "a", "C", "B"}); got != "a;b;c" {
		t.Errorf("tags are written as %q", got)
	}
	keys := []string{"ssh-ed25519 AAAA+/x= user@host", "ssh-rsa BBBB"}
	text := vmconf.EncodeSSHKeys(keys)
	if strings.ContainsAny(text, "+ \n") || !slices.Equal(vmconf.DecodeSSHKeys(text), keys) {
		t.Errorf("keys are written as %q, and read as %q", text, vmconf.DecodeSSHKeys(text))
	}
	// As recorded.
	if got := vmconf.EncodeSSHKeys([]string{"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGJ0 user@host"}); got != "ssh-ed25519%20AAAAC3NzaC1lZDI1NTE5AAAAIGJ0%20user%40host%0A" {
		t.Errorf("a key is written as %q", got)
	}
	if got := vmconf.DecodeSSHKeys("100% broken"); !slices.Equal(got, []string{"100% broken"}) {
		t.Errorf("a text that is no encoding is read as %q", got)
	}
}

func TestVolumes(t *testing.T) {
	for id, want := range map[string]struct {
		owner        int64
		format, base string
	}{
		"local:110/vm-110-disk-0.raw":                               {110, "raw", ""},
		"local:110/vm-110-disk-1.qcow2":                             {110, "qcow2", ""},
		"local-lvm:vm-9000-disk-0":                                  {9000, "raw", ""},
		"local:9000/base-9000-disk-0.qcow2/137/vm-137-disk-0.qcow2": {137, "qcow2", "local:9000/base-9000-disk-0.qcow2"},
		"data:base-100-disk-0/vm-101-disk-0":                        {101, "raw", "data:base-100-disk-0"},
		"local:iso/debian.iso":                                      {0, "raw", ""},
		"none":                                                      {0, "raw", ""},
		"/dev/sdb":                                                  {0, "raw", ""},
		"local:database/vm-1-x":                                     {1, "raw", ""},
	} {
		v := vmconf.ParseVolume(id)
		if v.Owner() != want.owner || v.Format() != want.format || v.Base() != want.base || v.String() != id {
			t.Errorf("%s: owner %d, format %s, base %q, printed %s", id, v.Owner(), v.Format(), v.Base(), v)
		}
	}
	for text, want := range map[string][2]bool{ // CD-ROM, cloud-init
		"local:110/vm-110-cloudinit.qcow2,media=cdrom": {true, true},
		"local-lvm:vm-110-cloudinit,media=cdrom":       {true, true},
		"local:cloudinit":                              {false, true},
		"none,media=cdrom":                             {true, false},
		"cdrom":                                        {true, false},
		"local:iso/cloudinit.iso,media=cdrom":          {true, false},
		"local:110/vm-110-disk-0.raw,size=1G":          {false, false},
		"file=local:110/vm-110-disk-0.raw,size=1G":     {false, false},
	} {
		if d := vmconf.ParseDrive(text); d.IsCDROM() != want[0] || d.IsCloudInit() != want[1] {
			t.Errorf("%s: CD-ROM %v, cloud-init %v", text, d.IsCDROM(), d.IsCloudInit())
		}
	}
}

func TestNICs(t *testing.T) {
	for text, want := range map[string][2]string{
		"virtio=BC:24:11:AA:BB:CC,bridge=vmbr0": {"virtio", "bc:24:11:aa:bb:cc"},
		"virtio,bridge=vmbr0":                   {"virtio", ""},
		"model=e1000,macaddr=52:54:00:00:00:01": {"e1000", "52:54:00:00:00:01"},
		"bridge=vmbr0,e1000e=52:54:00:00:00:01": {"e1000e", "52:54:00:00:00:01"},
		"virtio=junk":                           {"virtio", ""},
	} {
		if n := vmconf.ParseNIC(text); n.Model() != want[0] || n.MAC() != want[1] {
			t.Errorf("%s: %s %s", text, n.Model(), n.MAC())
		}
	}
	got := vmconf.ParseNIC("virtio=BC:24:11:AA:BB:CC,bridge=vmbr0,x-new=1").WithCard("e1000", "bc:24:11:aa:bb:cc").Put("tag", "30").Put("firewall", "1").String()
	if want := "e1000=BC:24:11:AA:BB:CC,bridge=vmbr0,firewall=1,tag=30,x-new=1"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestOrder(t *testing.T) {
	c := vmconf.Config{"virtio0": "a:1", "scsi10": "a:1", "scsi2": "a:1", "ide0": "a:1", "sata1": "a:1", "scsi31": "no place", "scsi02": "no key", "unused0": "a:1", "net10": "virtio", "net9": "virtio", "net": "x", "numa": "1"}
	if got := c.Drives(); !slices.Equal(got, []string{"ide0", "scsi2", "scsi10", "virtio0", "sata1"}) {
		t.Errorf("drives %v", got)
	}
	if got := c.NICs(); !slices.Equal(got, []string{"net9", "net10"}) {
		t.Errorf("interfaces %v", got)
	}
	if got := c.FreeNumber("net", 32); got != "net0" {
		t.Errorf("free is %s", got)
	}
}

func TestHotplug(t *testing.T) {
	for text, want := range map[string]string{
		"": "network,disk,usb", "1": "network,disk,usb", "0": "", "memory,disk,cpu": "disk,cpu,memory", "disk,future": "future,disk",
	} {
		if got := strings.Join(vmconf.Config{"hotplug": text}.Hotplug(), ","); got != want {
			t.Errorf("hotplug %q is %s, want %s", text, got, want)
		}
	}
}

// FuzzConfig: no text makes anything panic, and what is set can be read back.
func FuzzConfig(f *testing.F) {
	configs, _ := recorded(f)
	for _, raw := range configs[:5] {
		for key, text := range vmconf.Values(raw) {
			f.Add(key, text)
		}
	}
	f.Add("net0", "virtio=,=,,trunks=99999999999-;-1;5-4;0-4095")
	f.Add("cpu", "flags=;;,=host")
	f.Fuzz(func(t *testing.T, key, text string) {
		c := vmconf.Config{key: text, "net0": text, "scsi0": text, "cpu": text, "agent": text, "boot": text, "startup": text, "hotplug": text, "vga": text, "memory": text, "watchdog": text, "hostpci0": text, "usb0": text, "machine": text, "smbios1": text, "tags": text}
		_, _, _, _ = c.Drives(), c.NICs(), c.Hotplug(), c.UUID()
		_, _ = c.Boot()
		_, _, _, _ = c.MemoryMiB(), c.Machine(), c.IsQ35(), c.Agent().Enabled()
		_, _, _ = c.Watchdog().Action(), c.HostDevice("hostpci0").Host(), c.HostDevice("usb0").Mapping()
		_, _ = vmconf.ParseTags(text), vmconf.DecodeSSHKeys(text)
		_, _ = vmconf.ParseIPConfig(text).String(), vmconf.ParseWords(text)
		d, n, cpu := c.Drive("scsi0"), c.NIC("net0"), c.CPU()
		_, _, _, _, _ = d.Bytes(), d.IsCDROM(), d.IsCloudInit(), d.Format(), d.Storage()
		_, _ = n.MAC(), n.Model()
		v := vmconf.ParseVolume(d.Volume())
		_, _, _ = v.Owner(), v.Base(), v.Format()
		if got := d.Put("cache", "none"); got.Get("cache") != "none" || vmconf.ParseDrive(got.String()).Get("cache") != "none" {
			t.Errorf("%q loses what is set: %q", text, got)
		}
		if got := n.WithCard("e1000", "bc:24:11:00:00:01"); got.Model() != "e1000" || got.MAC() != "bc:24:11:00:00:01" {
			t.Errorf("%q loses the card: %q", text, got)
		}
		if got := cpu.WithType("host"); got.Type() != "host" {
			t.Errorf("%q loses the model: %q", text, got)
		}
		if got := c.Agent().WithEnabled(true); !got.Enabled() {
			t.Errorf("%q stays off: %q", text, got)
		}
	})
}
