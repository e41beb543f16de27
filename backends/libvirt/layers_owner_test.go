package libvirt

import (
	"context"
	"encoding/xml"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"libvirt.org/go/libvirtxml"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/libvirt/storage"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/libvirtlab"
)

// owners says of each layer whether it may be deleted.
func owners(m *mark) map[string]bool {
	all := map[string]bool{}
	for _, l := range m.Layers {
		all[l.ref().String()] = m.owns(l)
	}
	return all
}

// TestLayerOwner follows whose volume is whose through all that moves a disk of somebody else.
func TestLayerOwner(t *testing.T) {
	at := func(volume string) *libvirtxml.Domain {
		x := &libvirtxml.Domain{Devices: &libvirtxml.DomainDeviceList{Disks: []libvirtxml.DomainDisk{{Target: &libvirtxml.DomainDiskTarget{Dev: "vda"}}}}}
		setSource(&x.Devices.Disks[0], source{Kind: "file", Path: "/p/" + volume, Format: "qcow2"})
		return x
	}
	want := func(m *mark, layers map[string]bool) {
		t.Helper()
		text, err := xml.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		var read mark
		if err := xml.Unmarshal(text, &read); err != nil {
			t.Fatal(err)
		}
		got := owners(&read)
		if len(got) != len(layers) {
			t.Errorf("the layers are %v, want %v", got, layers)
		}
		for ref, owned := range layers {
			if got[ref] != owned {
				t.Errorf("%s is ours: %v, want %v", ref, got[ref], owned)
			}
		}
	}
	b := &Backend{now: time.Now}
	layer := func(name, below string) []newLayer {
		return []newLayer{{key: "vda", ref: storage.Ref{Pool: "p", Name: name}, below: storage.Volume{Ref: storage.Ref{Pool: "p", Name: below}}}}
	}
	m := &mark{XMLName: xml.Name{Local: "vm"}, Disks: []diskMark{{Key: "vda", Device: "vda", Pool: "p", Volume: "theirs"}}}
	b.stand(m, layer("one", "theirs"))
	want(m, map[string]bool{"p/theirs": false})
	b.stand(m, layer("two", "one"))
	want(m, map[string]bool{"p/theirs": false, "p/one": true})
	// The domain turns out to be at the lowest volume, and then at the highest again.
	m.follow(at("theirs"))
	want(m, map[string]bool{"p/two": true, "p/one": true})
	if m.disk("vda").ours() {
		t.Error("their volume is ours where the disk is attached by it")
	}
	m.follow(at("two"))
	want(m, map[string]bool{"p/theirs": false, "p/one": true})

	tidy := &tidying{Backend: b, d: &domain{mark: m}}
	piece := func(name string) *piece {
		return &piece{key: "vda", vol: storage.Volume{Ref: storage.Ref{Pool: "p", Name: name}}}
	}
	tidy.rest(mergePlan{key: "vda", base: piece("one"), top: piece("two")})
	want(m, map[string]bool{"p/theirs": false, "p/two": true})
	tidy.rest(mergePlan{key: "vda", base: piece("theirs"), top: piece("one")})
	want(m, map[string]bool{"p/one": true, "p/two": true})
	b.stand(m, layer("three", "theirs"))
	want(m, map[string]bool{"p/theirs": false, "p/one": true, "p/two": true})

	// Marks of before: what is not known stays, unless the disk is the VM's own.
	old := &mark{
		XMLName: xml.Name{Local: "vm"}, Disks: []diskMark{{Key: "own", Pool: "p", Volume: "now", Owned: true}, {Key: "vda", Pool: "p", Volume: "top"}},
		Layers: []layerMark{{Key: "own", Pool: "p", Volume: "base"}, {Key: "vda", Pool: "p", Volume: "theirs"}, {Key: "gone", Pool: "p", Volume: "left"}},
	}
	want(old, map[string]bool{"p/base": true, "p/theirs": false, "p/left": false})
}

// TestLeave keeps track of a disk's own volume where the key is another's then, and of nobody else's.
func TestLeave(t *testing.T) {
	own := diskMark{Key: "data", Pool: "p", Volume: "own", Owned: true}
	apart := diskMark{Key: "data", Pool: "p", Volume: "apart", External: true}
	for _, tt := range []struct {
		name        string
		today, then diskMark
		layers      int
	}{
		{"the same", own, own, 0},
		{"owned today, attached by volume then", own, apart, 1},
		{"attached by volume today, owned then", apart, own, 0},
	} {
		r := &reversion{now: &domain{mark: &mark{Disks: []diskMark{tt.today}}}}
		next := &mark{Disks: []diskMark{tt.then}}
		if err := r.leave(next); err != nil {
			t.Fatal(err)
		}
		if len(next.Layers) != tt.layers || tt.layers > 0 && (next.Layers[0].ref() != own.ref() || !next.owns(next.Layers[0])) {
			t.Errorf("%s: the layers are %+v", tt.name, next.Layers)
		}
	}
}

// TestMergeLeavesForeignLayer lets a stopped VM be whose disk another program has moved.
func TestMergeLeavesForeignLayer(t *testing.T) {
	for path, want := range map[string]bool{"/p/top": true, "/p/theirs": false} {
		x := &libvirtxml.Domain{Devices: &libvirtxml.DomainDeviceList{Disks: []libvirtxml.DomainDisk{{Target: &libvirtxml.DomainDiskTarget{Dev: "vda"}}}}}
		setSource(&x.Devices.Disks[0], source{Kind: "file", Path: path, Format: "qcow2"})
		m := &mark{Disks: []diskMark{{Key: "root", Device: "vda", Pool: "p", Volume: "top", Owned: true}}, Layers: []layerMark{{Key: "root", Pool: "p", Volume: "base", Owned: true}}}
		tidy := &tidying{d: &domain{xml: x, mark: m}, volumes: map[string]*piece{
			"/p/top":  {key: "root", ours: true, vol: storage.Volume{Ref: storage.Ref{Pool: "p", Name: "top"}, Path: "/p/top"}, head: header{backing: "/p/base", empty: true}},
			"/p/base": {key: "root", ours: true, vol: storage.Volume{Ref: storage.Ref{Pool: "p", Name: "base"}, Path: "/p/base"}},
		}}
		if _, ok := tidy.next(); ok != want {
			t.Errorf("with the disk at %s there is something to merge: %v, want %v", path, ok, want)
		}
	}
}

// TestRevertTwins reverts a VM of somebody else, whose disks have the same name in two pools.
func TestRevertTwins(t *testing.T) {
	l := libvirtlab.Shared(t)
	b := openLab(t, l, "db.raw")
	dir := t.TempDir()
	l.Virsh(t, "pool-create-as", "second", "dir", "--target", dir)
	t.Cleanup(func() { _, _ = l.TryVirsh(context.WithoutCancel(t.Context()), "pool-destroy", "second") })
	l.Virsh(t, "vol-create-as", "default", "db.raw", "64M", "--format", "raw")
	t.Cleanup(func() { _, _ = l.TryVirsh(context.WithoutCancel(t.Context()), "vol-delete", "db.raw", "default") })
	l.Virsh(t, "vol-create-as", "second", "db.raw", "64M", "--format", "raw")
	one, two := filepath.Join(l.Dir, "pool", "db.raw"), filepath.Join(dir, "db.raw")
	l.Define(t, "", `<domain type='qemu'><name>twins</name><memory unit='MiB'>64</memory>
		<os><type arch='x86_64' machine='pc'>hvm</type></os>
		<devices><disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='`+one+`'/><target dev='vda' bus='virtio'/></disk>
		<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='`+two+`'/><target dev='vdb' bus='virtio'/></disk></devices></domain>`)
	id := backends.ID(l.Virsh(t, "domuuid", "twins"))
	vm := get(t, b, id)
	put(t, vm.Disks["vda"], "0x11")
	put(t, vm.Disks["vdb"], "0x22")
	s := snap(t, b, id, backends.SnapshotSpec{Name: "s"})
	if err := b.RevertSnapshot(t.Context(), id, s); err != nil {
		t.Fatal(err)
	}
	vm = get(t, b, id)
	see(t, vm.Disks["vda"].Path, "0x11")
	see(t, vm.Disks["vdb"].Path, "0x22")
	if err := b.DeleteVM(t.Context(), id, backends.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	see(t, one, "0x11")
	see(t, two, "0x22")
}

// TestRevertKeyOfAnother reverts between a disk of the VM's own and one with a life of its own, under one key.
func TestRevertKeyOfAnother(t *testing.T) {
	l := libvirtlab.Shared(t)
	b := openLab(t, l)
	v, err := b.CreateDisk(t.Context(), backends.DiskSpec{Name: "apart", Disk: backends.Disk{SizeGiB: ptr(int64(1))}})
	if err != nil {
		t.Fatal(err)
	}
	spec := blank("swap")
	spec.Disks["data"] = backends.Disk{Volume: &v.ID}
	id := create(t, b, spec)
	apart := snap(t, b, id, backends.SnapshotSpec{Name: "apart"})
	delete(spec.Disks, "data")
	change(t, b, id, spec, backends.Cold)
	spec.Disks["data"] = backends.Disk{SizeGiB: ptr(int64(1))}
	change(t, b, id, spec, backends.Cold)
	put(t, get(t, b, id).Disks["data"], "0x11")
	own := snap(t, b, id, backends.SnapshotSpec{Name: "own"})
	for range 2 {
		if err := b.RevertSnapshot(t.Context(), id, apart); err != nil {
			t.Fatal(err)
		}
		if now := get(t, b, id); deref(now.Config.Disks["data"].Volume) != v.ID {
			t.Fatalf("the disk is %+v, want %s", now.Config.Disks["data"], v.ID)
		}
		if err := b.RevertSnapshot(t.Context(), id, own); err != nil {
			t.Fatal(err)
		}
		now := get(t, b, id).Disks["data"]
		see(t, now.Path, "0x11")
		if !now.Owned || !slices.Contains(l.Volumes(t, "default"), strings.TrimPrefix(v.ID, "default/")) {
			t.Fatalf("the disk is %+v, and there are the volumes %v", now, l.Volumes(t, "default"))
		}
	}
	if err := b.DeleteVM(t.Context(), id, backends.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	if left := l.Volumes(t, "default"); len(left) != 1 || "default/"+left[0] != v.ID {
		t.Errorf("left are the volumes %v, want %s", left, v.ID)
	}
	if err := b.DeleteDisk(t.Context(), v.ID); err != nil {
		t.Fatal(err)
	}
}

// TestRevertBack puts a VM back whose revert cannot go on once the definition is written, also after an interrupt.
func TestRevertBack(t *testing.T) {
	l := libvirtlab.Shared(t)
	b := openLab(t, l)
	id := create(t, b, blank("undecided"))
	s := snap(t, b, id, backends.SnapshotSpec{Name: "s"})
	volumes, before := l.Volumes(t, "default"), get(t, b, id)
	ctx, cancel := context.WithCancel(t.Context())
	dom, err := b.lookup(ctx, id)
	if err != nil {
		t.Fatal(err)
	}
	all, err := b.readSnapshots(ctx, dom)
	if err != nil {
		t.Fatal(err)
	}
	to, err := findSnapshot(all, dom.Name, s)
	if err != nil {
		t.Fatal(err)
	}
	now, err := b.readDomain(ctx, dom, xmlFlags)
	if err != nil {
		t.Fatal(err)
	}
	r := &reversion{Backend: b, dom: dom, now: now, to: to}
	for _, step := range []func(context.Context) error{r.check, r.plan, r.prepare, r.replace} {
		if err := step(ctx); err != nil {
			t.Fatal(err)
		}
	}
	if at := get(t, b, id).Disks["root"].Path; at == before.Disks["root"].Path {
		t.Fatalf("the revert left the disk at %s", at)
	}
	cancel()
	cause := errors.New("the QEMU does not end")
	if err := r.back(ctx, cause); !errors.Is(err, cause) {
		t.Errorf("the cause is lost: %v", err)
	}
	untouched(t, l, b, id, volumes, 1, backends.Stopped)
	if at := get(t, b, id).Disks["root"]; at != before.Disks["root"] {
		t.Errorf("the disk is %+v, want %+v", at, before.Disks["root"])
	}
}
