package pvesim

import (
	"bytes"
	"strings"
	"testing"
)

// image makes an image of a VM on a storage, with what a guest wrote.
func image(t *testing.T, s *Server, storage string, vmid int, format, text string) *volume {
	t.Helper()
	v, err := s.allocate(s.storage(storage), s.nodes[0].name, vmid, format, 1<<30)
	if err != nil {
		t.Fatal(err)
	}
	guestWrites(t, v, text)
	return v
}

func guestWrites(t *testing.T, v *volume, text string) {
	t.Helper()
	if _, err := v.data.WriteAt([]byte(text), 100<<10); err != nil {
		t.Fatal(err)
	}
}

func guestReads(t *testing.T, v *volume, want string) {
	t.Helper()
	got := make([]byte, len(want))
	if _, err := v.data.ReadAt(got, 100<<10); err != nil || !bytes.Equal(got, []byte(want)) {
		t.Errorf("%s reads %q (%v), want %q", v.volid, got, err, want)
	}
}

func wantErr(t *testing.T, err error, want string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("%v, want %q", err, want)
	}
}

// allKinds starts a server with a storage of each kind that keeps images.
func allKinds(t *testing.T) *Server {
	t.Helper()
	s := Start(t, Options{})
	must(t, s, "POST", "/storage", params{"storage": "thick", "type": "lvm", "vgname": "vg0"})
	must(t, s, "POST", "/storage", params{"storage": "tank", "type": "zfspool", "pool": "tank"})
	must(t, s, "POST", "/storage", params{"storage": "ceph", "type": "rbd"})
	must(t, s, "POST", "/storage", params{"storage": "share", "type": "nfs", "server": "10.0.0.1", "export": "/e"})
	s.mu.Lock()
	t.Cleanup(s.mu.Unlock) // before Close, which is cleaned up after it
	return s
}

func TestVolumeSnapshots(t *testing.T) {
	s := allKinds(t)
	for _, c := range []struct {
		storage, format string
		can, lastOnly   bool
	}{
		{"local", "qcow2", true, false},
		{"local", "raw", false, false},
		{"local", "vmdk", false, false},
		{"local-lvm", "raw", true, false},
		{"tank", "raw", true, true},
		{"ceph", "raw", true, false},
		{"thick", "raw", false, false},
		{"share", "qcow2", true, false},
	} {
		v := image(t, s, c.storage, 150, c.format, "one")
		if got := s.supports(v.storage, "snapshot", c.format); got != c.can {
			t.Errorf("%s of %s: supports says %v", c.format, c.storage, got)
		}
		err := v.takeSnapshot("a")
		if !c.can {
			wantErr(t, err, "snapshot feature is not available")
			continue
		}
		guestWrites(t, v, "two")
		if err := s.resize(v, "pve1", 2<<30); err != nil {
			t.Fatal(err)
		}
		if err := v.takeSnapshot("b"); err != nil {
			t.Fatal(err)
		}
		guestWrites(t, v, "now")
		if c.lastOnly {
			wantErr(t, v.rollback("a"), "can't rollback, 'a' is not most recent snapshot on '"+v.volid+"'")
			v.dropSnapshot("b")
		}
		if err := v.rollback("a"); err != nil {
			t.Fatal(err)
		}
		guestReads(t, v, "one")
		if v.size != 1<<30 {
			t.Errorf("%s has %d bytes after it went back", v.volid, v.size)
		}
	}
}

func TestOverlays(t *testing.T) {
	s := allKinds(t)
	for _, c := range []struct{ storage, format, base, clone, parent string }{
		{"local", "qcow2", "local:150/base-150-disk-0.qcow2", "local:150/base-150-disk-0.qcow2/151/vm-151-disk-0.qcow2", "../150/base-150-disk-0.qcow2"},
		{"share", "raw", "share:150/base-150-disk-0.raw", "share:150/base-150-disk-0.raw/151/vm-151-disk-0.qcow2", "../150/base-150-disk-0.raw"},
		{"tank", "raw", "tank:base-150-disk-0", "tank:base-150-disk-0/vm-151-disk-0", "base-150-disk-0@__base__"},
		{"ceph", "raw", "ceph:base-150-disk-0", "ceph:base-150-disk-0/vm-151-disk-0", "base-150-disk-0@__base__"},
	} {
		v := image(t, s, c.storage, 150, c.format, "base")
		_, err := s.overlay(v, "", 151)
		wantErr(t, err, "can't clone")
		if err := s.makeBase(v); err != nil || v.volid != c.base {
			t.Fatalf("base %s: %v", v.volid, err)
		}
		clone, err := s.overlay(v, "", 151)
		if err != nil || clone.volid != c.clone {
			t.Fatalf("clone of %s: %v", v.volid, err)
		}
		guestWrites(t, clone, "mine")
		guestReads(t, v, "base")
		guestReads(t, clone, "mine")
		if got := s.showVolume(clone)["parent"]; got != c.parent {
			t.Errorf("%s: parent %v, want %s", clone.volid, got, c.parent)
		}
		wantErr(t, s.free(v), "is still in use by linked clones")
		if err := s.free(clone); err != nil {
			t.Error(err)
		}
		if err := s.free(v); err != nil {
			t.Error(err)
		}
	}
	thick := image(t, s, "thick", 150, "raw", "x")
	wantErr(t, s.makeBase(thick), "Template feature is not available for 'thick:vm-150-disk-0'")

	thin := image(t, s, "local-lvm", 150, "raw", "base")
	if err := thin.takeSnapshot("a"); err != nil {
		t.Fatal(err)
	}
	guestWrites(t, thin, "now")
	clone, err := s.overlay(thin, "a", 151)
	if err != nil || clone.volid != "local-lvm:vm-151-disk-0" {
		t.Fatalf("clone of a snapshot: %v", err)
	}
	guestReads(t, clone, "base")
}

// A free name is the first that no image of the VM has, whatever its format and whether it is a base.
func TestFreeNames(t *testing.T) {
	s := allKinds(t)
	var got []string
	for _, format := range []string{"raw", "qcow2", "raw"} {
		got = append(got, image(t, s, "local", 150, format, "x").volid)
	}
	if want := "local:150/vm-150-disk-0.raw local:150/vm-150-disk-1.qcow2 local:150/vm-150-disk-2.raw"; strings.Join(got, " ") != want {
		t.Errorf("names %v", got)
	}
	if err := s.makeBase(s.volume("pve1", "local:150/vm-150-disk-0.raw")); err != nil {
		t.Fatal(err)
	}
	if err := s.free(s.volume("pve1", "local:150/vm-150-disk-1.qcow2")); err != nil {
		t.Fatal(err)
	}
	if v := image(t, s, "local", 150, "raw", "x"); v.volid != "local:150/vm-150-disk-1.raw" {
		t.Errorf("the next name is %s", v.volid)
	}
}

// The volumes of a node's own storages are its own; all nodes see those of a shared one.
func TestVolumesOfNodes(t *testing.T) {
	s := Start(t, Options{Nodes: []string{"pve1", "pve2"}})
	for _, id := range []string{"local", "shared"} {
		must(t, s, "POST", "/nodes/pve2/storage/"+id+"/content", params{"vmid": "150", "filename": "vm-150-disk-0.raw", "size": "1M"})
		here, there := len(s.Volumes("pve1", id)), len(s.Volumes("pve2", id))
		if there != 1 || here != map[string]int{"local": 0, "shared": 1}[id] {
			t.Errorf("%s: %d volumes at pve1, %d at pve2", id, here, there)
		}
	}
	list, _ := must(t, s, "GET", "/nodes/pve1/storage", params{"target": "pve2"}).([]any)
	if len(list) != 1 {
		t.Errorf("storages that both nodes have: %v", list)
	}
}
