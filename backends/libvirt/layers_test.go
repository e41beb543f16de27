package libvirt

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/libvirt/storage"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/libvirtlab"
)

// twoFormats is a VM with a qcow2 disk and a raw one.
func twoFormats(name string) *backends.VMSpec {
	spec := blank(name)
	spec.Disks["data"] = backends.Disk{SizeGiB: ptr(int64(1)), Format: ptr("raw")}
	return spec
}

// put writes a pattern into a stopped VM's disk, below all that would know of it; see reads it.
func put(t *testing.T, s backends.DiskStatus, pattern string) {
	t.Helper()
	qemuIO(t, s.Path, "write -P "+pattern+" 1M 64k")
}

func see(t *testing.T, path, pattern string) {
	t.Helper()
	if out := qemuIO(t, path, "read -P "+pattern+" 1M 64k"); strings.Contains(out, "verification failed") {
		t.Errorf("%s does not hold %s:\n%s", path, pattern, out)
	}
}

func qemuIO(t *testing.T, path, command string) string {
	t.Helper()
	format := "raw"
	if strings.HasSuffix(path, ".qcow2") {
		format = "qcow2"
	}
	out, err := exec.CommandContext(t.Context(), "qemu-io", "-f", format, "-c", command, path).CombinedOutput()
	if err != nil && !strings.Contains(string(out), "verification failed") {
		t.Fatalf("qemu-io %s: %v\n%s", command, err, out)
	}
	return string(out)
}

func (b *Backend) freezeNow(t *testing.T, id backends.ID, since time.Time, keys ...string) map[string]storage.Volume {
	t.Helper()
	dom, err := b.lookup(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	d, err := b.readDomain(t.Context(), dom, xmlFlags)
	if err != nil {
		t.Fatal(err)
	}
	frozen, err := b.freeze(t.Context(), dom, d, keys, since)
	if err != nil {
		t.Fatal(err)
	}
	return frozen
}

func (b *Backend) tidyNow(t *testing.T, id backends.ID) {
	t.Helper()
	dom, err := b.lookup(t.Context(), id)
	if err == nil {
		err = b.tidy(t.Context(), dom)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestFreeze keeps the content of disks, lets the VM go on, and takes everything back.
func TestFreeze(t *testing.T) {
	l := libvirtlab.Shared(t)
	b := openLab(t, l)
	spec := twoFormats("frosty")
	id := create(t, b, spec)
	before := get(t, b, id)
	put(t, before.Disks["root"], "0x11")
	put(t, before.Disks["data"], "0x22")

	same := func(what string) {
		t.Helper()
		for _, c := range backends.Diff(&get(t, b, id).Config, spec) {
			t.Errorf("%s the next plan would %s", what, c)
		}
	}
	home := func(what string) {
		t.Helper()
		for key, was := range before.Disks {
			if is := get(t, b, id).Disks[key]; is != was {
				t.Errorf("%s disk %q is %+v, want %+v", what, key, is, was)
			}
		}
		if volumes := l.Volumes(t, "default"); len(volumes) != 2 {
			t.Errorf("%s there are the volumes %v", what, volumes)
		}
		same(what)
	}
	frozen := b.freezeNow(t, id, time.Now(), "root", "data")
	for key, was := range before.Disks {
		if frozen[key].Path != was.Path {
			t.Errorf("frozen is %s, want %s", frozen[key].Path, was.Path)
		}
		now := get(t, b, id).Disks[key]
		if now.Path == was.Path || now.Backing != was.VolumeID || now.SizeBytes != was.SizeBytes || now.VolumeID == was.VolumeID {
			t.Errorf("disk %q was %+v and is %+v", key, was, now)
		}
	}
	same("after freezing")
	// A stopped VM wrote nothing since, so that serves again, however late.
	if again := b.freezeNow(t, id, time.Now().Add(time.Hour), "root", "data"); again["root"] != frozen["root"] || again["data"] != frozen["data"] {
		t.Errorf("frozen anew: %v, want %v", again, frozen)
	}
	b.tidyNow(t, id)
	home("after tidying")

	b.freezeNow(t, id, time.Now(), "root", "data")
	put(t, get(t, b, id).Disks["data"], "0x33")
	second := b.freezeNow(t, id, time.Now(), "data")
	if second["data"].Path == before.Disks["data"].Path {
		t.Error("what was written since is not in the frozen volume")
	}
	see(t, second["data"].Path, "0x33")
	see(t, before.Disks["data"].Path, "0x22")
	said := 0
	ctx := backends.WithProgress(t.Context(), func(p backends.Progress) { said++ })
	dom, err := b.lookup(ctx, id)
	if err == nil {
		err = b.tidy(ctx, dom)
	}
	if err != nil || said == 0 {
		t.Fatalf("merged with an error %v, and %d words about it", err, said)
	}
	home("after merging below a VM that is stopped")
	see(t, before.Disks["root"].Path, "0x11")
	see(t, before.Disks["data"].Path, "0x33")
	if vm := get(t, b, id); vm.Power != backends.Stopped {
		t.Errorf("after merging the VM is %s", vm.Power)
	}

	// Below a running VM: three layers, and one call for two who ask at once.
	power(t, b, id, backends.PowerOn)
	asked := time.Now()
	first := b.freezeNow(t, id, asked, "root", "data")
	if other := b.freezeNow(t, id, asked, "root"); other["root"].Ref != first["root"].Ref {
		t.Errorf("frozen twice for those who asked at the same time: %v, %v", first, other)
	}
	for range 2 {
		b.freezeNow(t, id, time.Now().Add(time.Minute), "root", "data")
	}
	same("with three layers")
	if n := len(l.Volumes(t, "default")); n != 8 {
		t.Errorf("there are %d volumes, want 8", n)
	}
	b.tidyNow(t, id)
	home("after merging below a running VM")
	power(t, b, id, backends.PowerOff)
	see(t, before.Disks["data"].Path, "0x33")
	power(t, b, id, backends.PowerOn)
}

// TestFrozenIsKept keeps what a volume of somebody else shares.
func TestFrozenIsKept(t *testing.T) {
	l := libvirtlab.Shared(t)
	b := openLab(t, l)
	id := create(t, b, blank("source"))
	base := b.freezeNow(t, id, time.Now(), "root")["root"]
	clone := storage.Ref{Pool: "default", Name: "clone.qcow2"}
	if _, err := b.store.Create(t.Context(), storage.Spec{Ref: clone, Backing: &base.Ref}); err != nil {
		t.Fatal(err)
	}
	b.tidyNow(t, id)
	if got := get(t, b, id).Disks["root"].Backing; got != base.Ref.String() {
		t.Errorf("the VM's disk is above %q, want %s", got, base.Ref)
	}
	if volumes := l.Volumes(t, "default"); !slices.Contains(volumes, base.Name) || len(volumes) != 3 {
		t.Errorf("the volumes are %v", volumes)
	}
	if err := b.store.Delete(t.Context(), clone); err != nil {
		t.Fatal(err)
	}
	b.tidyNow(t, id)
	if now := get(t, b, id).Disks["root"]; now.VolumeID != base.Ref.String() || len(l.Volumes(t, "default")) != 1 {
		t.Errorf("the disk is %+v, want it at home", now)
	}
}
