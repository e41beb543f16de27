package inherit

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// TestClone holds what a clone inherits against the rules of backends.CloneSpec.
func TestClone(t *testing.T) {
	from := &backends.VMSpec{
		Name: "source", Description: new("d"), Tags: []string{"t"}, GuestOS: new("linux"), Settings: new("mine"), CreateToken: "token",
		CPU: backends.CPU{Cores: new(int64(2)), Model: new("Nehalem")}, Memory: backends.Memory{SizeMiB: new(int64(512))}, Firmware: new("uefi"),
		Disks: map[string]backends.Disk{
			"root": {SizeGiB: new(int64(5)), Bus: new("scsi"), KeepOnDestroy: new(true), Storage: new("fast")},
			"data": {Volume: new("fast/pgdata"), Cache: new("none")},
		},
		Networks: map[string]backends.NIC{
			"lan": {Network: new("prod"), MAC: new("52:54:00:00:00:01"), IPv4: &backends.IPConfig{Address: "10.0.0.5/24"}},
			"dmz": {Network: new("dmz")},
		},
		DNS: &backends.DNS{Servers: []string{"10.0.0.1"}},
		CloudInit: &backends.CloudInit{
			Hostname: new("old"), InstanceID: new("i-1"), NetworkConfig: new("{}"), MetaData: new("instance-id: x"),
			VendorData: new("v"), UserDataVersion: new(int64(2)), SSHKeys: []string{"k"},
		},
		Console: &backends.ConsoleSpec{Type: new("vnc"), Port: new(int64(5901)), PasswordVersion: new(int64(1))},
	}
	got := Clone(from, &backends.VMSpec{Name: "clone", Console: &backends.ConsoleSpec{}})
	want := &backends.VMSpec{
		Name: "clone", Description: new("d"), Tags: []string{"t"}, GuestOS: new("linux"), CPU: from.CPU, Memory: from.Memory, Firmware: new("uefi"),
		Disks: map[string]backends.Disk{
			"root": {SizeGiB: new(int64(5)), Bus: new("scsi"), Storage: new("fast")},
			"data": {Cache: new("none")},
		},
		Networks: map[string]backends.NIC{"lan": {Network: new("prod")}, "dmz": {Network: new("dmz")}},
		DNS:      from.DNS, CloudInit: &backends.CloudInit{VendorData: new("v"), UserDataVersion: new(int64(2)), SSHKeys: []string{"k"}},
	}
	got.Console, want.Console = nil, nil // see below
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("inherited (-want +got):\n%s", diff)
	}
	if c := heritage(from).Console; c.Type == nil || c.Port != nil || c.PasswordVersion != nil {
		t.Errorf("of the console %+v is inherited", c)
	}

	some := Clone(from, &backends.VMSpec{
		Name:      "some",
		Disks:     map[string]backends.Disk{"root": {SizeGiB: new(int64(9))}, "new": {SizeGiB: new(int64(1))}},
		Networks:  map[string]backends.NIC{},
		Placement: backends.PlacementSpec{Storage: new("slow")},
	})
	if len(some.Disks) != 2 || *some.Disks["root"].SizeGiB != 9 || *some.Disks["root"].Bus != "scsi" || *some.Disks["root"].Storage != "slow" || some.Disks["new"].Bus != nil || len(some.Networks) != 0 {
		t.Errorf("maps that name all gave %+v, %+v", some.Disks, some.Networks)
	}
	if *from.Disks["root"].Storage != "fast" || from.Networks["lan"].MAC == nil || from.CloudInit.Hostname == nil {
		t.Error("the source's own specification was changed")
	}
}

// TestCloneOptions: the boot order of a clone names nothing that was left out.
func TestCloneOptions(t *testing.T) {
	from := &backends.VMSpec{
		Disks:    map[string]backends.Disk{"root": {}, "data": {}},
		Networks: map[string]backends.NIC{"lan": {}},
		VSphere:  &backends.VSphereOptions{BootOrder: []string{"lan", "data", "root", "cdrom"}, ExtraConfig: map[string]string{"a": "1"}},
		CPU:      backends.CPU{ReservationMHz: new(int64(100))},
		Memory:   backends.Memory{SizeMiB: new(int64(512)), ReservationMiB: new(int64(512)), Shares: new(int64(7))},
	}
	got := Clone(from, &backends.VMSpec{
		Disks: map[string]backends.Disk{"root": {}}, Networks: map[string]backends.NIC{},
		VSphere: &backends.VSphereOptions{BootDelayMs: new(int64(5))}, Memory: backends.Memory{SizeMiB: new(int64(1024))},
	})
	want := &backends.VSphereOptions{BootOrder: []string{"root", "cdrom"}, BootDelayMs: new(int64(5)), ExtraConfig: map[string]string{"a": "1"}}
	if diff := cmp.Diff(want, got.VSphere); diff != "" {
		t.Errorf("options (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(backends.Memory{SizeMiB: new(int64(1024)), ReservationMiB: new(int64(1024)), Shares: new(int64(7))}, got.Memory); diff != "" {
		t.Errorf("memory that was reserved whole (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(from.CPU, got.CPU); diff != "" {
		t.Errorf("CPU (-want +got):\n%s", diff)
	}
	if len(from.VSphere.BootOrder) != 4 || from.VSphere.BootDelayMs != nil {
		t.Error("the source's own options were changed")
	}
}
