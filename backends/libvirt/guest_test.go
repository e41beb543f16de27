package libvirt

import (
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/libvirtlab"
)

// importTinyImage brings the quick guest's image into the pool, for the time of the test.
func importTinyImage(t *testing.T, l *libvirtlab.Lab, b *Backend) string {
	t.Helper()
	path := l.TinyImage(t)
	image, err := b.ImportImage(t.Context(), backends.ImageSpec{Name: "tiny.qcow2", Kind: "disk"}, backends.ImageSource{
		Open: func(context.Context) (*backends.Content, error) {
			f, err := os.Open(path)
			return &backends.Content{Reader: f, Format: "qcow2", Size: -1, VirtualSize: -1}, err
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.DeleteImage(context.WithoutCancel(t.Context()), image.ID); err != nil {
			t.Error(err)
		}
	})
	return image.ID
}

// bootTiny starts a VM from the quick guest's image, whose agent answers.
func bootTiny(t *testing.T, l *libvirtlab.Lab, b *Backend, edit func(*backends.VMSpec)) (backends.ID, *backends.VMSpec) {
	t.Helper()
	image := importTinyImage(t, l, b)
	spec := blank("guest")
	spec.Image = image
	spec.Memory = backends.Memory{SizeMiB: ptr(int64(256)), MaxMiB: ptr(int64(384))}
	spec.CPU = backends.CPU{Cores: ptr(int64(1)), MaxCores: ptr(int64(2))}
	spec.Networks = map[string]backends.NIC{"lan": {}}
	edit(spec)
	id := create(t, b, spec)
	power(t, b, id, backends.PowerOn)
	eventually(t, "the agent's answer", func() string {
		if _, err := b.GuestInfo(t.Context(), id); err != nil {
			return err.Error()
		}
		return ""
	})
	return id, spec
}

func eventually(t *testing.T, what string, missing func() string) {
	t.Helper()
	deadline := time.Now().Add(2 * time.Minute)
	for {
		why := missing()
		if why == "" {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s did not come: %s", what, why)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// TestGuest changes a running guest in every way that needs its help, and asks it what it sees.
func TestGuest(t *testing.T) {
	l := libvirtlab.Shared(t)
	b := openLab(t, l)
	id, spec := bootTiny(t, l, b, func(s *backends.VMSpec) { s.CloudInit = &backends.CloudInit{Hostname: ptr("first")} })
	sh := func(script string) string {
		t.Helper()
		r, err := b.GuestExec(t.Context(), id, backends.GuestCommand{Path: "/bin/sh", Args: []string{"-c", script}})
		if err != nil {
			t.Fatal(err)
		}
		return string(r.Stdout)
	}
	see := func(script, want string) {
		t.Helper()
		eventually(t, want, func() string {
			if out := sh(script); !strings.Contains(out, want) {
				return out
			}
			return ""
		})
	}

	r, err := b.GuestExec(t.Context(), id, backends.GuestCommand{
		Path: "/bin/sh", Args: []string{"-c", "cat; echo $GREETING >&2; exit 3"}, Env: []string{"GREETING=hello"}, Stdin: []byte("in\x00put"),
	})
	if err != nil || r.ExitCode != 3 || string(r.Stdout) != "in\x00put" || strings.TrimSpace(string(r.Stderr)) != "hello" {
		t.Errorf("the command gave %d, %q, %q, %v", r.ExitCode, r.Stdout, r.Stderr, err)
	}
	_, err = b.GuestExec(t.Context(), id, backends.GuestCommand{Path: "/no/such/program"})
	if e := wantCode(t, err, backends.Invalid); !strings.Contains(e.Error(), "/no/such/program") {
		t.Errorf("the error does not name the program: %v", e)
	}
	short, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	_, err = b.GuestExec(short, id, backends.GuestCommand{Path: "/bin/sleep", Args: []string{"60"}})
	wantCode(t, err, backends.Timeout)

	spec.Disks["hot"] = backends.Disk{SizeGiB: ptr(int64(1)), IOThread: ptr(true), Cache: ptr("none")}
	spec.Disks["slow"] = backends.Disk{SizeGiB: ptr(int64(1)), SSD: ptr(true)}
	change(t, b, id, spec, backends.Live)
	see("cat /sys/block/vd*/serial", "hot")
	see("ls /sys/block; cat /sys/block/sd*/queue/rotational", "0")
	spec.Disks["hot"] = backends.Disk{SizeGiB: ptr(int64(2)), IOThread: ptr(true), Cache: ptr("none")}
	change(t, b, id, spec, backends.Live)
	see("cat /sys/block/vd*/size", "4194304")
	delete(spec.Disks, "hot")
	delete(spec.Disks, "slow")
	change(t, b, id, spec, backends.Live)
	if out := sh("cat /sys/block/vd*/serial"); strings.Contains(out, "hot") {
		t.Errorf("the guest still has the disk: %s", out)
	}
	if volumes := l.Volumes(t, "default"); slices.ContainsFunc(volumes, func(v string) bool { return strings.Contains(v, "-hot-") || strings.Contains(v, "-slow-") }) {
		t.Errorf("volumes of removed disks are left: %v", volumes)
	}

	spec.CPU.Cores, spec.Memory.SizeMiB = ptr(int64(2)), ptr(int64(384))
	change(t, b, id, spec, backends.Live)
	see("echo 1 > /sys/devices/system/cpu/cpu1/online; cat /sys/devices/system/cpu/online", "0-1")
	spec.Memory.SizeMiB = ptr(int64(300))
	change(t, b, id, spec, backends.Live)
	eventually(t, "the balloon", func() string {
		if out := l.Virsh(t, "domstats", "--balloon", "guest"); !strings.Contains(out, "balloon.current=307200") {
			return out
		}
		return ""
	})

	// To another libvirt network in place; to a device of the host by plugging anew.
	spec.Networks["lan"] = backends.NIC{Network: ptr(libvirtlab.StaticNetwork)}
	change(t, b, id, spec, backends.Live)
	if out := l.Virsh(t, "domiflist", "guest"); !strings.Contains(out, libvirtlab.StaticNetwork) {
		t.Errorf("the running VM is on another network:\n%s", out)
	}
	mac := get(t, b, id).Networks["lan"].MAC
	spec.Networks["lan"] = backends.NIC{Network: ptr("direct:" + libvirtlab.Link)}
	change(t, b, id, spec, backends.Live)
	if out := l.Virsh(t, "domiflist", "guest"); !strings.Contains(out, "direct") || !strings.Contains(out, mac) {
		t.Errorf("the running VM is not on the device, or has another address:\n%s", out)
	}

	// The seed is written anew below the running guest.
	spec.CloudInit = &backends.CloudInit{Hostname: ptr("second")}
	change(t, b, id, spec, backends.Live)
	see("umount /mnt; echo 3 > /proc/sys/vm/drop_caches; mount -o ro /dev/sr0 /mnt; cat /mnt/meta-data", "second")

	_, err = b.CreateVM(t.Context(), &backends.VMSpec{Name: "thief", Networks: map[string]backends.NIC{"x": {MAC: &mac}}})
	if e := wantCode(t, err, backends.Conflict); e.Path != `networks["x"].mac` || !strings.Contains(e.Error(), "guest") {
		t.Errorf("the conflict does not tell whose address it is: %v", e)
	}

	power(t, b, id, backends.Shutdown)
	ctx, cancelWait := context.WithTimeout(t.Context(), time.Minute)
	defer cancelWait()
	if err := b.WaitPower(ctx, id, backends.Stopped); err != nil {
		t.Error(err)
	}
}

// TestSuspended leaves the saved memory alone, or removes it, but never spoils it.
func TestSuspended(t *testing.T) {
	l := libvirtlab.Shared(t)
	b := openLab(t, l)
	spec := blank("asleep")
	id := create(t, b, spec)
	power(t, b, id, backends.PowerOn)
	power(t, b, id, backends.Suspend)
	if vm := get(t, b, id); vm.Power != backends.Suspended {
		t.Fatalf("the VM is %s", vm.Power)
	}
	bigger := *spec
	bigger.Memory.SizeMiB = ptr(int64(256))
	err := b.Reconfigure(t.Context(), id, backends.Reconfiguration{Desired: &bigger, Changes: backends.Diff(spec, &bigger), Mode: backends.Cold})
	wantCode(t, err, backends.Precondition)
	spec.Tags, spec.Description = []string{"night"}, ptr("sleeps")
	change(t, b, id, spec, backends.Live)
	power(t, b, id, backends.PowerOn)
	if got := get(t, b, id).Config.Tags; !slices.Equal(got, []string{"night"}) {
		t.Errorf("after resuming the tags are %v", got)
	}
	power(t, b, id, backends.Suspend)
	wantCode(t, b.SetPower(t.Context(), id, backends.Pause), backends.Precondition)
	power(t, b, id, backends.PowerOff)
	if files := l.SavedStates(); len(files) != 0 {
		t.Errorf("saved memory is left: %v", files)
	}
	power(t, b, id, backends.PowerOn)
	power(t, b, id, backends.Suspend)
	if err := b.DeleteVM(t.Context(), id, backends.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	l.AssertEmpty(t)
}

// TestOddsAndEnds goes through what only libvirt has.
func TestOddsAndEnds(t *testing.T) {
	l := libvirtlab.Shared(t)
	b := openLab(t, l, "rescue.iso")
	spec := blank("odd")
	spec.Libvirt = &backends.LibvirtOptions{Autostart: ptr(true), Machine: ptr("pc")}
	spec.CPU = backends.CPU{Affinity: ptr("0,1"), Model: ptr("Nehalem")}
	spec.Disks["ide"] = backends.Disk{SizeGiB: ptr(int64(1)), Bus: ptr("ide")}
	id := create(t, b, spec)
	for _, c := range backends.Diff(&get(t, b, id).Config, spec) {
		t.Errorf("the next plan would %s", c)
	}
	power(t, b, id, backends.PowerOn)
	power(t, b, id, backends.PowerOff)

	spec.Disks["ide"] = backends.Disk{SizeGiB: ptr(int64(1)), Bus: ptr("scsi"), SSD: ptr(true), Discard: ptr(true)}
	spec.Libvirt = &backends.LibvirtOptions{Autostart: ptr(false), Machine: ptr("q35")}
	spec.CPU = backends.CPU{Cores: ptr(int64(2)), Sockets: ptr(int64(2)), MaxCores: ptr(int64(3)), Affinity: ptr("0"), Model: ptr("maximum")}
	spec.Networks = map[string]backends.NIC{"b": {Order: ptr(int64(1))}, "a": {Order: ptr(int64(2))}}
	change(t, b, id, spec, backends.Cold)
	power(t, b, id, backends.PowerOn)
	power(t, b, id, backends.PowerOff)
	macs := get(t, b, id).Networks
	spec.Networks = map[string]backends.NIC{"b": {Order: ptr(int64(3))}, "a": {Order: ptr(int64(2)), Model: ptr("e1000")}}
	change(t, b, id, spec, backends.Cold)
	if list := l.Virsh(t, "domiflist", "odd"); strings.Index(list, macs["a"].MAC) > strings.Index(list, macs["b"].MAC) {
		t.Errorf("the interfaces are in the old order:\n%s", list)
	}
	power(t, b, id, backends.PowerOn)

	// A drive and a seed are plugged into the running VM.
	l.Virsh(t, "vol-create-as", "default", "rescue.iso", "1M", "--format", "raw")
	t.Cleanup(func() { _, _ = l.TryVirsh(context.WithoutCancel(t.Context()), "vol-delete", "rescue.iso", "default") })
	spec.CDROM = &backends.CDROM{ISO: "default/rescue.iso"}
	spec.CloudInit = &backends.CloudInit{Hostname: ptr("late")}
	change(t, b, id, spec, backends.Live)
	if list := l.Virsh(t, "domblklist", "odd"); !strings.Contains(list, "rescue.iso") || !strings.Contains(list, "-seed-") {
		t.Errorf("the running VM lacks the medium or the seed:\n%s", list)
	}
	for _, iso := range []string{"", "default/rescue.iso", ""} {
		spec.CDROM = &backends.CDROM{ISO: iso}
		change(t, b, id, spec, backends.Live)
		if list := l.Virsh(t, "domblklist", "odd"); strings.Contains(list, "rescue.iso") != (iso != "") {
			t.Errorf("with the medium %q the running VM has:\n%s", iso, list)
		}
	}

	// A snapshot that somebody took by hand is no obstacle.
	l.Virsh(t, "snapshot-create-as", "odd", "by-hand")
	shrunk := *spec
	shrunk.Disks = map[string]backends.Disk{"root": {SizeGiB: ptr(int64(1))}}
	spec.Disks["root"] = backends.Disk{SizeGiB: ptr(int64(2))}
	err := b.Reconfigure(t.Context(), id, backends.Reconfiguration{
		Desired: &shrunk, Mode: backends.Live,
		Changes: []backends.Change{{Path: `disks["root"].size_gib`, Action: backends.Shrink, Key: "root", Feature: backends.FeatureDiskResize, From: int64(2), To: int64(1)}},
	})
	wantCode(t, err, backends.Invalid)
	if err := b.DeleteVM(t.Context(), id, backends.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := b.DeleteVM(t.Context(), id, backends.DeleteOptions{}); !errors.Is(err, backends.ErrNotFound) {
		t.Errorf("a second deletion: %v", err)
	}
}
