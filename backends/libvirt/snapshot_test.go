package libvirt

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/libvirt/storage"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/libvirtlab"
)

func snap(t *testing.T, b *Backend, id backends.ID, spec backends.SnapshotSpec) string {
	t.Helper()
	s, err := b.CreateSnapshot(t.Context(), id, spec)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func snapshotsOf(t *testing.T, b *Backend, id backends.ID) []backends.Snapshot {
	t.Helper()
	list, err := b.ListSnapshots(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// untouched fails where a failed call left anything of what it had begun.
func untouched(t *testing.T, l *libvirtlab.Lab, b *Backend, id backends.ID, volumes []string, snapshots int, state backends.PowerState) {
	t.Helper()
	if now := l.Volumes(t, "default"); !slices.Equal(now, volumes) {
		t.Errorf("the volumes were %v and are %v", volumes, now)
	}
	if list := snapshotsOf(t, b, id); len(list) != snapshots {
		t.Errorf("the snapshots are %+v, want %d", list, snapshots)
	}
	if vm := get(t, b, id); vm.Power != state {
		t.Errorf("the VM is %s, want %s", vm.Power, state)
	}
	dom, err := b.lookup(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	d, err := b.readDomain(t.Context(), dom, xmlFlags)
	if err != nil {
		t.Fatal(err)
	}
	if len(d.mark.Snapshots) != snapshots {
		t.Errorf("the mark names the snapshots %+v", d.mark.Snapshots)
	}
	for _, layer := range d.mark.Layers {
		if !slices.Contains(volumes, layer.Volume) {
			t.Errorf("the mark names the volume %+v, which is gone", layer)
		}
	}
}

// TestSnapshotInterrupted stops the saving of memory, and a merge, half-way.
func TestSnapshotInterrupted(t *testing.T) {
	l := libvirtlab.Shared(t)
	b := openLab(t, l)
	spec := twoFormats("hurried")
	id := create(t, b, spec)
	power(t, b, id, backends.PowerOn)
	volumes := l.Volumes(t, "default")
	for pause := 50 * time.Millisecond; ; pause += 25 * time.Millisecond {
		ctx, cancel := context.WithCancel(backends.WithProgress(t.Context(), func(backends.Progress) {}))
		timer := time.AfterFunc(pause, cancel)
		_, err := b.CreateSnapshot(ctx, id, backends.SnapshotSpec{Name: "never", Memory: true})
		timer.Stop()
		cancel()
		if err == nil {
			break // it was faster
		}
		wantCode(t, err, backends.Canceled)
		untouched(t, l, b, id, volumes, 0, backends.Running)
	}
	if err := b.DeleteSnapshot(t.Context(), id, "never", false); err != nil {
		t.Fatal(err)
	}

	s := snap(t, b, id, backends.SnapshotSpec{Name: "whole", Memory: true})
	power(t, b, id, backends.PowerOff)
	disk := get(t, b, id).Disks["data"]
	qemuIO(t, disk.Path, "write -P 0x44 0 256M")
	for what, state := range map[string]backends.PowerState{"stopped": backends.Stopped, "running": backends.Running} {
		if state == backends.Running {
			power(t, b, id, backends.PowerOn)
		}
		dom, err := b.lookup(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		if len(snapshotsOf(t, b, id)) > 0 {
			if err := b.forgetSnapshot(t.Context(), dom, s, 2); err != nil {
				t.Fatal(err)
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		ctx = backends.WithProgress(ctx, func(p backends.Progress) {
			if strings.Contains(p.Op, "layers of disk \"data\"") {
				cancel()
			}
		})
		wantCode(t, backends.Wrap(b.tidy(ctx, dom), "tidy", what), backends.Canceled)
		cancel()
		if vm := get(t, b, id); vm.Power != state {
			t.Errorf("%s: after the interrupt the VM is %s", what, vm.Power)
		}
	}
	// What was interrupted is done by the next try, which finds no snapshot any more.
	wantCode(t, b.DeleteSnapshot(t.Context(), id, s, false), backends.NotFound)
	untouched(t, l, b, id, volumes, 0, backends.Running)
	power(t, b, id, backends.PowerOff)
	if out := qemuIO(t, get(t, b, id).Disks["data"].Path, "read -P 0x44 0 256M"); strings.Contains(out, "verification failed") {
		t.Error("what was written before the merge is lost")
	}
}

// TestMergeAfterCrash goes on where a program that died had begun to merge.
func TestMergeAfterCrash(t *testing.T) {
	l := libvirtlab.Shared(t)
	b := openLab(t, l)
	id := create(t, b, blank("crashed"))
	volumes := l.Volumes(t, "default")
	power(t, b, id, backends.PowerOn)
	s := snap(t, b, id, backends.SnapshotSpec{Name: "s"})
	l.Virsh(t, "snapshot-delete", "crashed", s, "--metadata")
	l.Virsh(t, "blockcommit", "crashed", "vda", "--active") // ready, and not ended
	wantCode(t, b.DeleteSnapshot(t.Context(), id, s, false), backends.NotFound)
	untouched(t, l, b, id, volumes, 0, backends.Running)

	// libvirt has moved the disk, and the mark does not know yet.
	snap(t, b, id, backends.SnapshotSpec{Name: "again"})
	l.Virsh(t, "snapshot-delete", "crashed", "again", "--metadata")
	l.Virsh(t, "blockcommit", "crashed", "vda", "--active", "--pivot", "--wait")
	if now := get(t, b, id).Disks["root"]; now.VolumeID != "default/"+volumes[0] || !strings.HasSuffix(now.Path, volumes[0]) {
		t.Errorf("the disk is %+v, want %v", now, volumes)
	}
	b.tidyNow(t, id)
	untouched(t, l, b, id, volumes, 0, backends.Running)
}

// TestMemoryPoolFull fills the pool below a snapshot with memory.
func TestMemoryPoolFull(t *testing.T) {
	l := libvirtlab.Start(t)
	b := openLab(t, l)
	dir := filepath.Join(l.Dir, "pool-small")
	if err := os.Mkdir(dir, 0o755); err != nil { //nolint:gosec // QEMU's user walks here
		t.Fatal(err)
	}
	if out, err := l.Exec(t.Context(), "mount", "-t", "tmpfs", "-o", "size=160m", "tmpfs", dir); err != nil {
		t.Fatal(err, out)
	}
	l.Virsh(t, "pool-define-as", "small", "dir", "--target", dir)
	l.Virsh(t, "pool-start", "small")
	spec := blank("cramped")
	spec.Disks["root"] = backends.Disk{SizeGiB: ptr(int64(1)), Storage: ptr("small")}
	id := create(t, b, spec)
	power(t, b, id, backends.PowerOn)
	before := l.Volumes(t, "small")
	for name, room := range map[string]string{"as libvirt knows": "10M", "as libvirt does not know": "600K"} {
		fill := "cd " + dir + " && dd if=/dev/zero of=filler bs=4k; truncate -s -" + room + " filler"
		if out, err := l.Exec(t.Context(), "sh", "-c", fill); err != nil {
			t.Fatal(err, out)
		}
		if room == "10M" {
			l.Virsh(t, "pool-refresh", "small")
		}
		_, err := b.CreateSnapshot(t.Context(), id, backends.SnapshotSpec{Name: "large", Memory: true})
		e := wantCode(t, err, backends.Exhausted)
		if e.Remedy == "" {
			t.Errorf("%s: no remedy: %v", name, err)
		}
		if out, err := l.Exec(t.Context(), "rm", dir+"/filler"); err != nil {
			t.Fatal(err, out)
		}
		if now := l.Volumes(t, "small"); !slices.Equal(now, before) {
			t.Errorf("%s: the volumes were %v and are %v", name, before, now)
		}
		if vm := get(t, b, id); vm.Power != backends.Running || len(snapshotsOf(t, b, id)) > 0 {
			t.Errorf("%s: the VM is %s", name, vm.Power)
		}
	}
	snap(t, b, id, backends.SnapshotSpec{Name: "fits", Memory: true})
	if err := b.DeleteVM(t.Context(), id, backends.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	if left := l.Volumes(t, "small"); len(left) > 0 {
		t.Errorf("volumes are left: %v", left)
	}
}

// TestForeignSnapshots lists, reverts to and deletes what virsh made inside a disk.
func TestForeignSnapshots(t *testing.T) {
	l := libvirtlab.Shared(t)
	b := openLab(t, l)
	id := create(t, b, blank("shared"))
	put(t, get(t, b, id).Disks["root"], "0x11")
	l.Virsh(t, "snapshot-create-as", "shared", "by-hand", "made by an admin")
	put(t, get(t, b, id).Disks["root"], "0x22")
	list := snapshotsOf(t, b, id)
	if len(list) != 1 || list[0].Name != "by-hand" || list[0].Description != "made by an admin" || list[0].SizeBytes != -1 || !list[0].Current || list[0].Memory {
		t.Fatalf("listed %+v", list)
	}
	_, err := b.CreateSnapshot(t.Context(), id, backends.SnapshotSpec{Name: "ours"})
	if e := wantCode(t, err, backends.Precondition); !strings.Contains(e.Error(), "by-hand") {
		t.Errorf("the error does not name the snapshot: %v", e)
	}
	if err := b.RevertSnapshot(t.Context(), id, "by-hand"); err != nil {
		t.Fatal(err)
	}
	see(t, get(t, b, id).Disks["root"].Path, "0x11")
	if err := b.DeleteSnapshot(t.Context(), id, "by-hand", false); err != nil {
		t.Fatal(err)
	}
	if left := snapshotsOf(t, b, id); len(left) > 0 {
		t.Errorf("left: %+v", left)
	}
	snap(t, b, id, backends.SnapshotSpec{Name: "ours"})
}

// TestAdoptedSnapshots leaves a VM's file to its maker, with the content of today.
func TestAdoptedSnapshots(t *testing.T) {
	l := libvirtlab.Shared(t)
	b := openLab(t, l, "theirs.raw")
	l.Virsh(t, "vol-create-as", "default", "theirs.raw", "64M", "--format", "raw")
	t.Cleanup(func() { _, _ = l.TryVirsh(context.WithoutCancel(t.Context()), "vol-delete", "theirs.raw", "default") })
	file := filepath.Join(l.Dir, "pool", "theirs.raw")
	l.Define(t, "", `<domain type='qemu'><name>foreign</name><memory unit='MiB'>64</memory>
		<os><type arch='x86_64' machine='pc'>hvm</type></os>
		<devices><disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='`+file+`'/><target dev='vda' bus='virtio'/></disk></devices></domain>`)
	id := backends.ID(l.Virsh(t, "domuuid", "foreign"))
	was := get(t, b, id)
	put(t, was.Disks["vda"], "0x11")
	s := snap(t, b, id, backends.SnapshotSpec{Name: "s"})
	now := get(t, b, id)
	if changes := backends.Diff(&now.Config, &was.Config); len(changes) > 0 || now.Disks["vda"].Owned {
		t.Errorf("the snapshot changed %v, %+v", changes, now.Disks["vda"])
	}
	put(t, now.Disks["vda"], "0x22")
	snap(t, b, id, backends.SnapshotSpec{Name: "second"})
	if err := b.RevertSnapshot(t.Context(), id, s); err != nil {
		t.Fatal(err)
	}
	put(t, get(t, b, id).Disks["vda"], "0x33")
	if err := b.DeleteVM(t.Context(), id, backends.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	see(t, file, "0x33")
}

// TestSharedContent refuses to take away what others need, by name and before anything is done.
func TestSharedContent(t *testing.T) {
	l := libvirtlab.Shared(t)
	b := openLab(t, l)
	source := create(t, b, blank("source"))
	base := b.freezeNow(t, source, time.Now(), "root")["root"]
	layer := storage.Ref{Pool: "default", Name: "layer.qcow2"}
	if _, err := b.store.Create(t.Context(), storage.Spec{Ref: layer, Backing: &base.Ref}); err != nil {
		t.Fatal(err)
	}
	clone := create(t, b, &backends.VMSpec{Name: "heir", Memory: backends.Memory{SizeMiB: ptr(int64(64))}, Disks: map[string]backends.Disk{"root": {Volume: ptr(layer.String())}}})
	power(t, b, source, backends.PowerOn)
	e := wantCode(t, b.DeleteVM(t.Context(), source, backends.DeleteOptions{}), backends.Precondition)
	if !strings.Contains(e.Error(), `VM "heir"`) {
		t.Errorf("the error does not name the VM: %v", e)
	}
	if vm := get(t, b, source); vm.Power != backends.Running {
		t.Errorf("the refused deletion left the VM %s", vm.Power)
	}
	wantCode(t, b.DeleteDisk(t.Context(), base.Ref.String()), backends.Precondition)
	wantCode(t, b.ResizeDisk(t.Context(), base.Ref.String(), 5), backends.Precondition)
	_, err := b.CreateVM(t.Context(), &backends.VMSpec{Name: "thief", Disks: map[string]backends.Disk{"root": {Volume: ptr(base.Ref.String())}}})
	wantCode(t, err, backends.Precondition)
	if err := b.DeleteVM(t.Context(), clone, backends.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := b.DeleteDisk(t.Context(), layer.String()); err != nil {
		t.Fatal(err)
	}
	if err := b.DeleteVM(t.Context(), source, backends.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
}

// TestRevertWhatIsGone reverts to what the VM had, as far as that is still there.
func TestRevertWhatIsGone(t *testing.T) {
	l := libvirtlab.Shared(t)
	b := openLab(t, l)
	l.Virsh(t, "vol-create-as", "default", "rescue.iso", "1M", "--format", "raw")
	v, err := b.CreateDisk(t.Context(), backends.DiskSpec{Name: "apart", Disk: backends.Disk{SizeGiB: ptr(int64(1))}})
	if err != nil {
		t.Fatal(err)
	}
	spec := blank("forgetful")
	spec.CDROM = &backends.CDROM{ISO: "default/rescue.iso"}
	spec.Disks["apart"] = backends.Disk{Volume: &v.ID}
	id := create(t, b, spec)
	s := snap(t, b, id, backends.SnapshotSpec{Name: "then"})
	delete(spec.Disks, "apart")
	spec.CDROM = &backends.CDROM{}
	change(t, b, id, spec, backends.Cold)

	// It has a new home: nothing is taken from there.
	other := create(t, b, &backends.VMSpec{Name: "other", Memory: backends.Memory{SizeMiB: ptr(int64(64))}, Disks: map[string]backends.Disk{"root": {Volume: &v.ID}}})
	power(t, b, id, backends.PowerOn)
	volumes := l.Volumes(t, "default")
	if e := wantCode(t, b.RevertSnapshot(t.Context(), id, s), backends.Precondition); !strings.Contains(e.Error(), `"other"`) {
		t.Errorf("the error does not say who has the disk: %v", e)
	}
	untouched(t, l, b, id, volumes, 1, backends.Running)
	if err := b.DeleteVM(t.Context(), other, backends.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := b.RevertSnapshot(t.Context(), id, s); err != nil {
		t.Fatal(err)
	}
	if vm := get(t, b, id); deref(vm.Config.Disks["apart"].Volume) != v.ID || vm.Config.CDROM.ISO != "default/rescue.iso" {
		t.Errorf("not everything came back: %+v", vm.Config)
	}
	change(t, b, id, spec, backends.Cold)
	if err := b.DeleteDisk(t.Context(), v.ID); err != nil {
		t.Fatal(err)
	}
	l.Virsh(t, "vol-delete", "rescue.iso", "default")
	if err := b.RevertSnapshot(t.Context(), id, s); err != nil {
		t.Fatal(err)
	}
	if vm := get(t, b, id); len(vm.Config.Disks) != 1 || vm.Config.CDROM == nil || vm.Config.CDROM.ISO != "" {
		t.Errorf("after the revert the VM has %+v, %+v", vm.Config.Disks, vm.Config.CDROM)
	}
	power(t, b, id, backends.PowerOn)

	// Without the content nothing is touched.
	m := snap(t, b, id, backends.SnapshotSpec{Name: "with memory", Memory: true})
	for _, volume := range l.Volumes(t, "default") {
		if strings.HasSuffix(volume, ".save") {
			l.Virsh(t, "vol-delete", volume, "default")
		}
	}
	volumes = l.Volumes(t, "default")
	wantCode(t, b.RevertSnapshot(t.Context(), id, m), backends.Precondition)
	untouched(t, l, b, id, volumes, 2, backends.Running)
}

// TestLayeredDisk changes a disk with layers below a running VM.
func TestLayeredDisk(t *testing.T) {
	l := libvirtlab.Shared(t)
	b := openLab(t, l)
	spec := twoFormats("layered")
	id := create(t, b, spec)
	power(t, b, id, backends.PowerOn)
	s := snap(t, b, id, backends.SnapshotSpec{Name: "s", Memory: true})
	spec.Disks["data"] = backends.Disk{SizeGiB: ptr(int64(2)), Format: ptr("raw"), IOPSLimit: ptr(int64(500)), KeepOnDestroy: ptr(true)}
	spec.Disks["later"] = backends.Disk{SizeGiB: ptr(int64(1))}
	spec.Tags = []string{"later"}
	change(t, b, id, spec, backends.Live)
	removed := *spec
	removed.Disks = map[string]backends.Disk{"root": spec.Disks["root"], "later": spec.Disks["later"]}
	from := get(t, b, id)
	err := b.Reconfigure(t.Context(), id, backends.Reconfiguration{Desired: &removed, Changes: backends.Diff(&from.Config, &removed), Mode: backends.Live})
	if e := wantCode(t, err, backends.Precondition); e.Path != `disks["data"]` || !strings.Contains(e.Error(), "(s)") {
		t.Errorf("the refusal is %v at %s", e, e.Path)
	}
	if err := b.RevertSnapshot(t.Context(), id, s); err != nil {
		t.Fatal(err)
	}
	vm := get(t, b, id)
	if deref(vm.Config.Disks["data"].SizeGiB) != 1 || deref(vm.Config.Disks["data"].IOPSLimit) != 0 || len(vm.Config.Disks) != 2 || !slices.Equal(vm.Config.Tags, []string{"later"}) || vm.Power != backends.Running {
		t.Errorf("after the revert the VM is %s with %+v", vm.Power, vm.Config)
	}
	for _, volume := range l.Volumes(t, "default") {
		if strings.Contains(volume, "-later-") {
			t.Errorf("the volume %s of a disk that the VM did not have then is left", volume)
		}
	}
	if err := b.DeleteSnapshot(t.Context(), id, s, true); err != nil {
		t.Fatal(err)
	}
	power(t, b, id, backends.PowerOff)
	spec.Disks = map[string]backends.Disk{"root": spec.Disks["root"]}
	change(t, b, id, spec, backends.Cold)
	if n := len(l.Volumes(t, "default")); n != 2 { // the disk is kept
		t.Errorf("there are the volumes %v, want the VM's and the one that is kept", l.Volumes(t, "default"))
	}
	for _, v := range l.Volumes(t, "default") {
		if strings.Contains(v, "-data-") {
			l.Virsh(t, "vol-delete", v, "default")
		}
	}
}

// TestSnapshotSuspended says what a VM whose memory is on disk can have.
func TestSnapshotSuspended(t *testing.T) {
	l := libvirtlab.Shared(t)
	b := openLab(t, l)
	id := create(t, b, blank("sleeper"))
	power(t, b, id, backends.PowerOn)
	power(t, b, id, backends.Pause)
	s := snap(t, b, id, backends.SnapshotSpec{Name: "paused", Memory: true})
	if list := snapshotsOf(t, b, id); list[0].Power != backends.Paused {
		t.Errorf("listed %+v", list)
	}
	power(t, b, id, backends.Resume)
	power(t, b, id, backends.Suspend)
	_, err := b.CreateSnapshot(t.Context(), id, backends.SnapshotSpec{Name: "never"})
	wantCode(t, err, backends.Precondition)
	// The saved memory goes with the layers, so these wait.
	if err := b.DeleteSnapshot(t.Context(), id, s, false); err != nil {
		t.Fatal(err)
	}
	power(t, b, id, backends.Resume)
	s = snap(t, b, id, backends.SnapshotSpec{Name: "again", Memory: true})
	power(t, b, id, backends.Suspend)
	if err := b.RevertSnapshot(t.Context(), id, s); err != nil {
		t.Fatal(err)
	}
	if vm := get(t, b, id); vm.Power != backends.Running || len(l.SavedStates()) > 0 {
		t.Errorf("the VM is %s, with saved memory %v", vm.Power, l.SavedStates())
	}
	if err := b.DeleteSnapshot(t.Context(), id, s, false); err != nil {
		t.Fatal(err)
	}
	if n := len(l.Volumes(t, "default")); n != 1 {
		t.Errorf("volumes are left: %v", l.Volumes(t, "default"))
	}
}

// TestQuiesceHangs bounds the wait for an agent that does not answer any more.
func TestQuiesceHangs(t *testing.T) {
	l := libvirtlab.Shared(t)
	b := openLab(t, l)
	id, _ := bootTiny(t, l, b, func(*backends.VMSpec) {})
	volumes := l.Volumes(t, "default")
	_, err := b.GuestExec(t.Context(), id, backends.GuestCommand{Path: "/bin/sh", Args: []string{"-c", "(sleep 1; kill -STOP $(pidof qemu-ga)) >/dev/null 2>&1 &"}})
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(2 * time.Second)
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	_, err = b.CreateSnapshot(ctx, id, backends.SnapshotSpec{Name: "quiet", Quiesce: true})
	if e := wantCode(t, err, backends.Precondition); e.Path != "quiesce" || e.Remedy == "" {
		t.Errorf("the error is %v at %q, remedy %q", e, e.Path, e.Remedy)
	}
	untouched(t, l, b, id, volumes, 0, backends.Running)
	snap(t, b, id, backends.SnapshotSpec{Name: "loud"})
}
