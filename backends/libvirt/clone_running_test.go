package libvirt

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/libvirtlab"
)

// TestCloneRunning clones a running guest, linked and in full. The linked clone boots with its own
// name and address and its own disk, and when it goes the source has its disk back as it was.
func TestCloneRunning(t *testing.T) {
	l := libvirtlab.Shared(t)
	b := openLab(t, l)
	source, _ := bootTiny(t, l, b, func(s *backends.VMSpec) {
		s.Name = "first"
		s.CloudInit = &backends.CloudInit{}
	})
	sh := func(id backends.ID, script string) string {
		t.Helper()
		r, err := b.GuestExec(t.Context(), id, backends.GuestCommand{Path: "/bin/sh", Args: []string{"-c", script}})
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimSpace(string(r.Stdout))
	}
	const write, look = " | dd of=/dev/vda bs=1M seek=900 conv=notrunc,fsync 2>/dev/null", "dd if=/dev/vda bs=1M skip=900 count=1 iflag=direct 2>/dev/null | head -c 6"
	sh(source, "echo before"+write)
	path, volumes := diskPath(t, b, source, "root"), l.Volumes(t, "default")

	full := clone(t, b, &backends.CloneSpec{Source: source, Spec: backends.VMSpec{Name: "full"}})
	if now := diskPath(t, b, source, "root"); now != path || len(l.Volumes(t, "default")) != len(volumes)+2 {
		t.Errorf("after the full copy the source's disk is %s, before %s; volumes %v", now, path, l.Volumes(t, "default"))
	}
	linked := clone(t, b, &backends.CloneSpec{Source: source, Linked: true, Spec: backends.VMSpec{Name: "second"}})
	same(t, b, source, linked)
	if out := sh(source, look); out != "before" {
		t.Errorf("the running source reads %q", out)
	}
	sh(source, "echo source"+write)
	power(t, b, linked, backends.PowerOn)
	eventually(t, "the clone's agent with the clone's name", func() string {
		g, err := b.GuestInfo(t.Context(), linked)
		if err != nil {
			return err.Error()
		}
		if g.Hostname != "second" {
			return g.Hostname
		}
		return ""
	})
	if out := sh(linked, look); out != "before" {
		t.Errorf("the clone reads %q", out)
	}
	sh(linked, "echo cloned"+write)
	if out := sh(source, look); out != "source" {
		t.Errorf("after the clone wrote the source reads %q", out)
	}
	eventually(t, "addresses of both", func() string {
		one, two := get(t, b, source).Networks["lan"].Addresses, get(t, b, linked).Networks["lan"].Addresses
		if len(one) == 0 || len(two) == 0 || one[0] == two[0] {
			return strings.Join(append(one, two...), " ")
		}
		return ""
	})
	power(t, b, linked, backends.PowerOff)

	// From a snapshot of the source: what it was then.
	if _, err := b.CreateSnapshot(t.Context(), source, backends.SnapshotSpec{Name: "kept"}); err != nil {
		t.Fatal(err)
	}
	sh(source, "echo later."+write)
	old := clone(t, b, &backends.CloneSpec{Source: source, Snapshot: "kept", Spec: backends.VMSpec{Name: "old"}})
	layer := clone(t, b, &backends.CloneSpec{Source: source, Snapshot: "kept", Linked: true, Spec: backends.VMSpec{Name: "layer"}})
	for _, id := range []backends.ID{old, layer} {
		if out := probe(t, l, "read -v 900M 6", diskPath(t, b, id, "root")); !strings.Contains(out, "source") {
			t.Errorf("the clone of the snapshot holds %s", out)
		}
	}
	if out := probe(t, l, "read -v 900M 6", diskPath(t, b, full, "root")); !strings.Contains(out, "before") {
		t.Errorf("the full copy holds %s", out)
	}
	if err := b.DeleteSnapshot(t.Context(), source, "kept", false); err != nil {
		t.Errorf("deleting the snapshot whose content a clone shares: %v", err)
	}
	remove(t, b, linked)
	remove(t, b, layer)
	remove(t, b, old)
	remove(t, b, full)
	if now := l.Volumes(t, "default"); diskPath(t, b, source, "root") != path || !slices.Equal(now, volumes) {
		t.Errorf("after the clones went the source's disk is %s, before %s; volumes %v, before %v", diskPath(t, b, source, "root"), path, now, volumes)
	}
	if out := sh(source, look); out != "later." {
		t.Errorf("at the end the source reads %q", out)
	}
}

// TestCloneInternalSnapshot cannot reach into snapshots that lie inside of a volume, and says so.
func TestCloneInternalSnapshot(t *testing.T) {
	l := libvirtlab.Shared(t)
	b := openLab(t, l)
	source := create(t, b, blank("source"))
	l.Virsh(t, "snapshot-create-as", "source", "by-hand")
	_, err := b.CloneVM(t.Context(), &backends.CloneSpec{Source: source, Snapshot: "by-hand", Spec: backends.VMSpec{Name: "clone"}})
	if e := wantCode(t, err, backends.Unsupported); e.Path != "source_snapshot" || !strings.Contains(e.Error(), "internal") {
		t.Errorf("the refusal is %v at %q", e, e.Path)
	}
	remove(t, b, clone(t, b, &backends.CloneSpec{Source: source, Spec: backends.VMSpec{Name: "clone"}}))
}

// TestClonePoolFull runs out of space in the middle of copies, of a stopped and of a running source.
func TestClonePoolFull(t *testing.T) {
	l := libvirtlab.Shared(t)
	b := openLab(t, l)
	dir := l.DirPool(t, "small")
	if out, err := l.Exec(t.Context(), "mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", dir); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Cleanup(func() { _, _ = l.Exec(context.WithoutCancel(t.Context()), "umount", "-l", dir) })
	l.Virsh(t, "pool-refresh", "small")
	source := create(t, b, blank("source"))
	probe(t, l, "write -q -P 0xaa 1M 64M", diskPath(t, b, source, "root"))
	path, volumes := diskPath(t, b, source, "root"), l.Volumes(t, "default")
	for _, running := range []bool{false, true} {
		if running {
			power(t, b, source, backends.PowerOn)
		}
		id, err := b.CloneVM(t.Context(), &backends.CloneSpec{Source: source, Spec: backends.VMSpec{Name: "clone", Placement: backends.PlacementSpec{Storage: ptr("small")}}})
		wantCode(t, err, backends.Exhausted)
		if id == "" {
			t.Fatal("what was made of the clone has no id")
		}
		remove(t, b, id)
		if left := l.Volumes(t, "small"); len(left) != 0 {
			t.Errorf("the full pool has %v", left)
		}
		if now := l.Volumes(t, "default"); !slices.Equal(now, volumes) || diskPath(t, b, source, "root") != path {
			t.Errorf("the source has %v, before %v", now, volumes)
		}
	}
	_, err := b.ImportImage(t.Context(), backends.ImageSpec{Name: "template", Kind: "template", Storage: ptr("small")}, backends.ImageSource{VM: source})
	wantCode(t, err, backends.Exhausted)
	if domains := l.Domains(t); !slices.Equal(domains, []string{"source"}) {
		t.Errorf("the failed template left %v", domains)
	}
}

// TestCloneInterrupted stops in the middle of the copy of a running VM's disk.
func TestCloneInterrupted(t *testing.T) {
	l := libvirtlab.Shared(t)
	b := openLab(t, l)
	source := create(t, b, blank("source"))
	probe(t, l, "write -q -P 0xaa 0 256M", diskPath(t, b, source, "root"))
	power(t, b, source, backends.PowerOn)
	path, volumes := diskPath(t, b, source, "root"), l.Volumes(t, "default")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	id, err := b.CloneVM(backends.WithProgress(ctx, func(p backends.Progress) {
		if strings.HasPrefix(p.Op, "make disk") {
			time.AfterFunc(20*time.Millisecond, cancel)
		}
	}), &backends.CloneSpec{Source: source, Spec: backends.VMSpec{Name: "clone"}})
	if !errors.Is(err, context.Canceled) && backends.CodeOf(err) != backends.Canceled {
		t.Errorf("the interrupted clone gave %v", err)
	}
	if id == "" {
		t.Fatal("what was made of the clone has no id")
	}
	remove(t, b, id)
	if now := l.Volumes(t, "default"); !slices.Equal(now, volumes) || diskPath(t, b, source, "root") != path {
		t.Errorf("the source has %v at %s, before %v at %s", now, diskPath(t, b, source, "root"), volumes, path)
	}
}

// TestCloneEachOther clones two VMs from each other at once, while others clone one of them.
func TestCloneEachOther(t *testing.T) {
	l := libvirtlab.Shared(t)
	b := openLab(t, l)
	one, two := create(t, b, blank("one")), create(t, b, blank("two"))
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var all sync.WaitGroup
	for name, source := range map[string]backends.ID{"a": one, "b": two, "c": one, "d": two} {
		all.Go(func() {
			id, err := b.CloneVM(ctx, &backends.CloneSpec{Source: source, Linked: name > "b", Spec: backends.VMSpec{Name: name, CreateToken: name}})
			if err != nil {
				t.Error(err)
				return
			}
			again, err := b.CloneVM(ctx, &backends.CloneSpec{Source: source, Spec: backends.VMSpec{Name: name, CreateToken: name}})
			if err != nil || again != id {
				t.Errorf("the same creation again gave %s, %v, want %s", again, err, id)
			}
			other := one
			if source == one {
				other = two
			}
			grand, err := b.CloneVM(ctx, &backends.CloneSpec{Source: id, Linked: true, Spec: backends.VMSpec{Name: name + "2"}})
			if err != nil {
				t.Error(err)
			}
			if err := b.DeleteVM(ctx, grand, backends.DeleteOptions{}); err != nil {
				t.Error(err)
			}
			third, err := b.CloneVM(ctx, &backends.CloneSpec{Source: other, Linked: true, Spec: backends.VMSpec{Name: name + "3"}})
			if err != nil {
				t.Error(err)
			}
			for _, id := range []backends.ID{third, id} {
				if err := b.DeleteVM(ctx, id, backends.DeleteOptions{}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	if volumes := l.Volumes(t, "default"); len(volumes) != 2 {
		t.Errorf("after all clones went there are %v", volumes)
	}
}
