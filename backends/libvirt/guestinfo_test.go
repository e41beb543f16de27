package libvirt

import (
	"testing"
	"time"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/libvirtlab"
)

// TestGuestInfo reads what a customized guest tells of itself.
func TestGuestInfo(t *testing.T) {
	l := libvirtlab.Shared(t)
	b := openLab(t, l)
	id, spec := bootTiny(t, l, b, func(s *backends.VMSpec) {
		s.Customization = &backends.Customization{Hostname: "told", Domain: "example.org", TimeZone: "Europe/Madrid"}
	})
	g, err := b.GuestInfo(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	if g.Hostname != "told.example.org" && g.Hostname != "told" {
		t.Errorf("the guest calls itself %q", g.Hostname)
	}
	if d := time.Since(g.Time); d < -time.Minute || d > time.Minute {
		t.Errorf("the guest's clock says %s", g.Time)
	}
	boot := false
	for _, f := range g.FileSystems {
		boot = boot || f.MountPoint == "/boot" && f.Type == "vfat" && f.UsedBytes > 1<<20 && f.TotalBytes > f.UsedBytes && f.Device != ""
	}
	if !boot {
		t.Errorf("the guest's file systems are %+v", g.FileSystems)
	}
	if g.Users == nil || len(g.Users) != 0 || g.TimeZone != "UTC" {
		t.Errorf("users %v, time zone %q", g.Users, g.TimeZone)
	}
	for _, c := range backends.Diff(&get(t, b, id).Config, spec) {
		t.Errorf("the next plan would %s", c)
	}
	spec.Customization = &backends.Customization{Hostname: "renamed"}
	change(t, b, id, spec, backends.Live)
}

func TestGuestDetails(t *testing.T) {
	const all = 1 | 4 | 16 // users, time zone, file systems
	var g backends.Guest
	addGuestDetails(all, map[string]any{
		"user.count": uint32(1), "user.0.name": "root", "user.0.login-time": uint64(1700000000000),
		"timezone.name": "CET", "timezone.offset": int32(3600),
		"fs.count":  uint32(2),
		"fs.0.name": "vda1", "fs.0.mountpoint": "/", "fs.0.fstype": "ext4", "fs.0.total-bytes": uint64(100), "fs.0.used-bytes": uint64(40),
		"fs.1.name": "sr0", "fs.1.mountpoint": "/mnt", "fs.1.fstype": "iso9660",
	}, &g)
	if len(g.Users) != 1 || g.Users[0].Name != "root" || !g.Users[0].Since.Equal(time.Unix(1700000000, 0)) || g.TimeZone != "CET" {
		t.Errorf("users %+v, time zone %q", g.Users, g.TimeZone)
	}
	want := []backends.GuestFileSystem{
		{MountPoint: "/", Type: "ext4", Device: "vda1", TotalBytes: 100, UsedBytes: 40},
		{MountPoint: "/mnt", Type: "iso9660", Device: "sr0", TotalBytes: -1, UsedBytes: -1},
	}
	if len(g.FileSystems) != 2 || g.FileSystems[0] != want[0] || g.FileSystems[1] != want[1] {
		t.Errorf("file systems %+v", g.FileSystems)
	}
}
