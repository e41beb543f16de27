package ovf

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/diskimage"
)

func sample(t testing.TB, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestParse(t *testing.T) {
	for name, want := range map[string]Descriptor{
		"vmware.ovf": {
			Name: "web", Description: "Serves the web & more.", OS: "linux", Firmware: "uefi",
			CPUs: 4, CoresPerSocket: 2, MemoryMiB: 3072,
			Disks: []Disk{
				{CapacityBytes: 2 << 30, PopulatedBytes: 983040, Bus: "scsi", File: "web-disk1.vmdk", FileBytes: -1},
				{CapacityBytes: 1536 << 20, PopulatedBytes: -1, Bus: "scsi", File: "web-disk2.vmdk", FileBytes: -1},
				{CapacityBytes: 5 << 30, PopulatedBytes: -1, Bus: "sata", FileBytes: -1},
			},
			NICs: []NIC{{Model: "vmxnet3", Network: "VM Network"}},
		},
		"virtualbox.ovf": {
			Name: "box", OS: "windows", Firmware: "uefi", CPUs: 2, MemoryMiB: 2048,
			Disks: []Disk{{CapacityBytes: 1<<30 + 1, PopulatedBytes: -1, Bus: "sata", File: "box-disk001.vmdk", FileBytes: -1}},
			NICs:  []NIC{{Model: "e1000", Network: "NAT"}},
		},
		"ovirt.ovf": {
			Name: "virt", Description: "From oVirt.", OS: "linux", CPUs: 4, CoresPerSocket: 2, MemoryMiB: 1024,
			Disks: []Disk{{CapacityBytes: 3 << 30, PopulatedBytes: -1, Bus: "scsi", File: "0c1f7b4e-2ab1-4d9b-a0ab-0a7a1de7bb11", FileBytes: 2 << 20}},
			NICs:  []NIC{{Model: "virtio", Network: "ovirtmgmt"}},
		},
		"ovf2.ovf": {
			Name: "two", CPUs: 8, MemoryMiB: 16 << 10,
			Disks: []Disk{{CapacityBytes: 10 << 30, PopulatedBytes: -1, Bus: "ide", File: "disks/a disk.qcow2", FileBytes: -1}},
			NICs:  []NIC{{Network: "lan"}},
		},
	} {
		got, err := Parse(sample(t, name))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if diff := cmp.Diff(&want, got); diff != "" {
			t.Errorf("%s (- want, + got):\n%s", name, diff)
		}
	}
}

func TestHardware(t *testing.T) {
	d, err := Parse(sample(t, "vmware.ovf"))
	if err != nil {
		t.Fatal(err)
	}
	want := backends.VMSpec{
		Name: "web", Description: new("Serves the web & more."), GuestOS: new("linux"), Firmware: new("uefi"),
		CPU:    backends.CPU{Cores: new(int64(2)), Sockets: new(int64(2))},
		Memory: backends.Memory{SizeMiB: new(int64(3072))},
		Disks: map[string]backends.Disk{
			"root":  {SizeGiB: new(int64(2)), Bus: new("scsi")},
			"disk2": {SizeGiB: new(int64(2)), Bus: new("scsi")},
			"disk3": {SizeGiB: new(int64(5)), Bus: new("sata")},
		},
		Networks: map[string]backends.NIC{"net1": {Model: new("vmxnet3"), Network: new("VM Network")}},
	}
	if diff := cmp.Diff(want, d.Hardware()); diff != "" {
		t.Errorf("(- want, + got):\n%s", diff)
	}
}

func TestParseRefuses(t *testing.T) {
	good := string(sample(t, "virtualbox.ovf"))
	change := func(old, now string) string {
		if !strings.Contains(good, old) {
			t.Fatalf("the sample has no %q", old)
		}
		return strings.Replace(good, old, now, 1)
	}
	system := good[strings.Index(good, "<VirtualSystem"):strings.Index(good, "</Envelope>")]
	for name, tt := range map[string]struct {
		text string
		kind diskimage.Kind
		says string
	}{
		"no XML":             {"virtual machine", diskimage.Damaged, "cannot be read"},
		"another document":   {"<html/>", diskimage.Damaged, "cannot be read"},
		"cut off":            {good[:len(good)/2], diskimage.Damaged, "cannot be read"},
		"entities":           {strings.Replace(good, "<Envelope", `<!DOCTYPE x [<!ENTITY a "b">]><Envelope`, 1), diskimage.Damaged, "document type"},
		"undefined entity":   {change("<Info>A virtual machine", "<Info>&lol;"), diskimage.Damaged, "cannot be read"},
		"long":               {good + strings.Repeat(" ", maxDescriptor), diskimage.TooLarge, "longer than 4 MiB"},
		"no system":          {strings.Replace(good, system, "", 1), diskimage.Damaged, "names no virtual machine"},
		"two systems":        {strings.Replace(good, system, system+system, 1), diskimage.Unsupported, "2 virtual machines"},
		"collection":         {strings.Replace(good, system, "<VirtualSystemCollection>"+system+system+"</VirtualSystemCollection>", 1), diskimage.Unsupported, "2 virtual machines"},
		"path":               {change("box-disk001.vmdk", "../../etc/passwd"), diskimage.Unsupported, "does not lie in the package"},
		"encoded path":       {change("box-disk001.vmdk", "%2e%2e/passwd"), diskimage.Unsupported, "does not lie in the package"},
		"absolute path":      {change("box-disk001.vmdk", "/etc/passwd"), diskimage.Unsupported, "does not lie in the package"},
		"Windows path":       {change("box-disk001.vmdk", `c:\disk.vmdk`), diskimage.Unsupported, "does not lie in the package"},
		"URL":                {change("box-disk001.vmdk", "http://169.254.169.254/latest"), diskimage.Unsupported, "does not lie in the package"},
		"host":               {change("box-disk001.vmdk", "//example.com/disk.vmdk"), diskimage.Unsupported, "does not lie in the package"},
		"chunks":             {change(`ovf:id="file1"`, `ovf:id="file1" ovf:chunkSize="1000"`), diskimage.Unsupported, "cut into chunks"},
		"compression":        {change(`ovf:id="file1"`, `ovf:id="file1" ovf:compression="gzip"`), diskimage.Unsupported, "compressed (gzip)"},
		"unknown file":       {change(`ovf:fileRef="file1"`, `ovf:fileRef="file9"`), diskimage.Damaged, `no file "file9"`},
		"unknown disk":       {change("/disk/vmdisk1", "/disk/vmdisk9"), diskimage.Damaged, "vmdisk9"},
		"no disk":            {change("<rasd:HostResource>/disk/vmdisk1</rasd:HostResource>", ""), diskimage.Unsupported, "has no disk"},
		"capacity":           {change("1073741825", "many"), diskimage.Damaged, `capacity of a disk is "many"`},
		"no capacity":        {change("1073741825", "0"), diskimage.Damaged, "has 0 bytes"},
		"huge capacity":      {change(`ovf:capacity="1073741825"`, `ovf:capacity="9223372036854775807" ovf:capacityAllocationUnits="byte * 2^20"`), diskimage.Damaged, "capacity"},
		"unit":               {change("MegaBytes", "bushels"), diskimage.Unsupported, `unknown unit "bushels"`},
		"processors":         {change("<rasd:VirtualQuantity>2<", "<rasd:VirtualQuantity>-2<"), diskimage.Damaged, "processors"},
		"differences":        {change(`ovf:fileRef="file1"`, `ovf:fileRef="file1" ovf:parentRef="vmdisk0"`), diskimage.Unsupported, "without snapshots"},
		"file with two ids":  {change("</References>", `<File ovf:id="file1" ovf:href="x"/></References>`), diskimage.Damaged, `the file "file1" twice`},
		"disk that is twice": {change("<rasd:HostResource>/disk/vmdisk1</rasd:HostResource>", "<rasd:HostResource>/disk/vmdisk1</rasd:HostResource><rasd:ResourceType>17</rasd:ResourceType></Item><Item><rasd:HostResource>/disk/vmdisk1</rasd:HostResource>"), diskimage.Unsupported, "twice"},
	} {
		_, err := Parse([]byte(tt.text))
		if diskimage.KindOf(err) != tt.kind || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestUnits(t *testing.T) {
	for text, want := range map[string]int64{
		"": 7, "byte": 1, "byte * 2^20": 1 << 20, "byte*2^30": 1 << 30, "bytes * 10^3": 1000, "byte * 1024": 1024,
		"MegaBytes": 1 << 20, "GB": 1 << 30, "KiB": 1 << 10,
	} {
		if got, ok := unit(text, 7); !ok || got != want {
			t.Errorf("%q is %d, %t", text, got, ok)
		}
	}
	for _, text := range []string{"byte * 2^63", "byte * 10^40", "byte * -1", "bit", "byte ^ 2", "hertz * 10^6"} {
		if got, ok := unit(text, 7); ok {
			t.Errorf("%q is %d", text, got)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, name := range []string{"vmware.ovf", "virtualbox.ovf", "ovirt.ovf", "ovf2.ovf"} {
		f.Add(sample(f, name))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		d, err := Parse(text)
		if err != nil {
			if diskimage.KindOf(err) == 0 {
				t.Errorf("an error without a kind: %v", err)
			}
			return
		}
		h := d.Hardware()
		if len(h.Disks) != len(d.Disks) || len(d.Disks) == 0 || h.Disks["root"].SizeGiB == nil || *h.Disks["root"].SizeGiB < 1 {
			t.Errorf("the disks %v became %v", d.Disks, h.Disks)
		}
		for _, disk := range d.Disks {
			if disk.File != "" && !filepath.IsLocal(disk.File) {
				t.Errorf("the file %q leads out of the package", disk.File)
			}
		}
	})
}

func FuzzManifest(f *testing.F) {
	f.Add([]byte("SHA256(a.ovf)= " + strings.Repeat("ab", 32) + "\nSHA1 (b) = " + strings.Repeat("0", 40)))
	f.Add([]byte(strings.Repeat("ab", 32) + "  a.ovf\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		m, err := parseManifest(text)
		if (err == nil) == (len(m) == 0) {
			t.Errorf("%d entries, %v", len(m), err)
		}
	})
}
