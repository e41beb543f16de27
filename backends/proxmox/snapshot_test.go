package proxmox_test

import (
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/pvesim"
)

func asBackend(err error) (*backends.Error, bool) {
	var e *backends.Error
	return e, errors.As(err, &e)
}

func contains(text, part string) bool { return strings.Contains(text, part) }

// TestRevertKeepsIdentity: name, description and settings are the VM's, keys and hardware the snapshot's; a disk that came later goes.
func TestRevertKeepsIdentity(t *testing.T) {
	r := newRig(t, pvesim.Options{})
	id := r.vm("web", func(s *backends.VMSpec) {
		s.Description, s.Settings = new("first"), new(`{"a":1}`)
		s.Disks["data"] = backends.Disk{SizeGiB: new(int64(1))}
	})
	was := r.read(id)
	r.snapshot(id, "before")
	to := was.Config
	to.Name, to.Description, to.Settings, to.Memory.SizeMiB = "db", new("second"), new(`{"a":2}`), new(int64(1024))
	to.Disks = map[string]backends.Disk{"root": was.Config.Disks["root"], "data": was.Config.Disks["data"], "later": {SizeGiB: new(int64(2)), Bus: new("virtio")}}
	if err := r.Reconfigure(t.Context(), id, backends.Reconfiguration{Desired: &to, Changes: backends.Diff(&was.Config, &to), Mode: backends.Cold}); err != nil {
		t.Fatal(err)
	}
	later := r.read(id).Disks["later"].VolumeID
	if err := r.RevertSnapshot(t.Context(), id, "before"); err != nil {
		t.Fatal(err)
	}
	got := r.read(id)
	want := was.Config
	want.Name, want.Description, want.Settings = "db", new("second"), new(`{"a":2}`)
	if diff := append(backends.Diff(&got.Config, &want), backends.Diff(&want, &got.Config)...); len(diff) > 0 {
		t.Errorf("after the revert the VM differs: %v", diff)
	}
	if got.UUID != was.UUID || len(got.Disks) != 2 {
		t.Errorf("UUID %s, want %s; disks %v", got.UUID, was.UUID, got.Disks)
	}
	for _, v := range r.sim.Volumes("pve1", "local") {
		if v == later {
			t.Errorf("%s is left", v)
		}
	}
	list, err := r.ListSnapshots(t.Context(), id)
	if err != nil || len(list) != 1 || list[0].Description != "of before" {
		t.Errorf("snapshots %+v (%v)", list, err)
	}
}

// TestSnapshotRefused: what Proxmox VE would refuse in a task, or do without a word, is refused with what to do.
func TestSnapshotRefused(t *testing.T) {
	r := newRig(t, pvesim.Options{})
	id := r.vm("raw", func(s *backends.VMSpec) { s.Disks["data"] = backends.Disk{SizeGiB: new(int64(1)), Format: new("raw")} })
	_, err := r.CreateSnapshot(t.Context(), id, backends.SnapshotSpec{Name: "one"})
	r.refused(err, backends.Precondition, `disk "data" is raw`, `"local"`, `format = "qcow2"`)
	tpm := r.vm("tpm", func(s *backends.VMSpec) { s.Firmware, s.TPM = new("uefi"), new(true) })
	_, err = r.CreateSnapshot(t.Context(), tpm, backends.SnapshotSpec{Name: "one"})
	r.refused(err, backends.Precondition, "state of the TPM", "LVM-thin")
	for _, name := range []string{"", "x", "1st", "two words", "current", "Pending"} {
		_, err = r.CreateSnapshot(t.Context(), id, backends.SnapshotSpec{Name: name})
		r.refused(err, backends.Invalid, "name")
	}
	_, err = r.CreateSnapshot(t.Context(), id, backends.SnapshotSpec{Name: "one", Memory: true, Quiesce: true})
	r.refused(err, backends.Invalid, "quiesce")
}

// TestSnapshotTaskFails: a task that fails after it was accepted says why, and leaves no snapshot and no lock.
func TestSnapshotTaskFails(t *testing.T) {
	r := newRig(t, pvesim.Options{})
	id := r.vm("full", nil)
	r.power(id, backends.PowerOn)
	if err := r.hands.Post(t.Context(), "/storage", map[string]any{"storage": "thick", "type": "lvm", "vgname": "other", "content": "images"}, nil); err != nil {
		t.Fatal(err)
	}
	r.sim.SetStorageSpace("thick", 1<<20)
	r.byHand("PUT", "/nodes/pve1/qemu/"+string(id)+"/config", map[string]any{"vmstatestorage": "thick"})
	_, err := r.CreateSnapshot(t.Context(), id, backends.SnapshotSpec{Name: "one", Memory: true})
	r.refused(err, backends.Exhausted, "one", "full")
	if list, err := r.ListSnapshots(t.Context(), id); err != nil || len(list) > 0 {
		t.Errorf("left: %+v (%v)", list, err)
	}
	r.snapshot(id, "two")
}

// TestSnapshotByHand: what people do with snapshots beside is taken as it is.
func TestSnapshotByHand(t *testing.T) {
	r := newRig(t, pvesim.Options{})
	id := r.vm("web", nil)
	path := "/nodes/pve1/qemu/" + string(id) + "/snapshot"
	r.byHand("POST", path, map[string]any{"snapname": "theirs", "description": "by hand"})
	r.snapshot(id, "ours")
	list, err := r.ListSnapshots(t.Context(), id)
	if err != nil || len(list) != 2 || list[0].Description != "by hand" || list[1].Parent != "theirs" || !list[1].Current {
		t.Errorf("snapshots %+v (%v)", list, err)
	}
	if err := r.RevertSnapshot(t.Context(), id, "theirs"); err != nil {
		t.Error(err)
	}
	r.byHand("DELETE", path+"/ours", nil)
	r.refused(r.DeleteSnapshot(t.Context(), id, "ours", false), backends.NotFound, "ours")
	r.refused(r.RevertSnapshot(t.Context(), id, "ours"), backends.NotFound, "ours")
	if !r.read(id).Owned {
		t.Error("the VM lost its mark")
	}
}

// TestSnapshotWaitsForLock: a backup that holds the VM is waited for.
func TestSnapshotWaitsForLock(t *testing.T) {
	r := newRig(t, pvesim.Options{})
	id := r.vm("web", nil)
	config := "/nodes/pve1/qemu/" + string(id) + "/config"
	r.byHand("PUT", config, map[string]any{"lock": "backup"})
	var tries atomic.Int32
	r.sim.Fault(pvesim.Fault{Route: "POST /nodes/{node}/qemu/{vmid}/snapshot", Match: func(*http.Request) bool {
		if tries.Add(1) == 2 {
			go func() { _ = r.hands.Put(t.Context(), config, map[string]any{"delete": "lock", "skiplock": true}, nil) }()
		}
		return false
	}})
	r.snapshot(id, "one")
	if tries.Load() < 2 {
		t.Errorf("%d tries", tries.Load())
	}
}

// TestFrozenDisk: a disk that a snapshot holds is neither removed nor moved nor converted, which is a move.
func TestFrozenDisk(t *testing.T) {
	r := newRig(t, pvesim.Options{})
	id := r.vm("web", func(s *backends.VMSpec) { s.Disks["data"] = backends.Disk{SizeGiB: new(int64(1))} })
	r.snapshot(id, "one")
	was := r.read(id)
	data := was.Config.Disks["data"]
	moved, converted := data, data
	moved.Storage, converted.Format = new("local-lvm"), new("raw")
	for _, disk := range []*backends.Disk{nil, &moved, &converted} {
		to := was.Config
		to.Disks = map[string]backends.Disk{"root": was.Config.Disks["root"]}
		if disk != nil {
			to.Disks["data"] = *disk
		}
		err := r.Reconfigure(t.Context(), id, backends.Reconfiguration{Desired: &to, Changes: backends.Diff(&was.Config, &to), Mode: backends.Cold})
		r.refused(err, backends.Precondition, "one", `disks["data"]`)
	}
}

// TestQuiesced: that file systems were to be still is remembered; where nobody would see to it, the snapshot is refused.
func TestQuiesced(t *testing.T) {
	r := newRig(t, pvesim.Options{Guests: true})
	id := r.vm("web", nil)
	spec := backends.SnapshotSpec{Name: "still", Description: "words", Quiesce: true}
	_, err := r.CreateSnapshot(t.Context(), id, spec)
	r.refused(err, backends.Precondition, "quiesce", "stopped")
	r.power(id, backends.PowerOn)
	guest := r.sim.Guest(100)
	guest.Boot()
	guest.SetSilent(true)
	_, err = r.CreateSnapshot(t.Context(), id, spec)
	r.refused(err, backends.Precondition, "quiesce", "does not answer", "qemu-guest-agent")
	guest.SetSilent(false)
	if _, err := r.CreateSnapshot(t.Context(), id, spec); err != nil {
		t.Fatal(err)
	}
	r.snapshot(id, "other")
	for _, words := range []string{"words", "others", ""} {
		if err := r.DescribeSnapshot(t.Context(), id, "still", words); err != nil {
			t.Fatal(err)
		}
		list, err := r.ListSnapshots(t.Context(), id)
		if err != nil || len(list) != 2 || !list[0].Quiesced || list[0].Description != words || list[1].Quiesced {
			t.Errorf("snapshots %+v (%v)", list, err)
		}
	}
}

// TestRevertKeepsSeed: the seed that a VM had when a snapshot was taken is gone once it was replaced; a revert leaves the VM with the one that it has now.
func TestRevertKeepsSeed(t *testing.T) {
	r := newRig(t, pvesim.Options{})
	seeded := func(words string) func(*backends.VMSpec) {
		return func(s *backends.VMSpec) { s.CloudInit = &backends.CloudInit{UserData: &words} }
	}
	id := r.vm("web", seeded("#cloud-config\n{}\n"))
	r.snapshot(id, "one")
	was := r.read(id)
	to := was.Config
	seeded("#cloud-config\npackages: [htop]\n")(&to)
	if err := r.Reconfigure(t.Context(), id, backends.Reconfiguration{Desired: &to, Changes: backends.Diff(&was.Config, &to), Mode: backends.Cold}); err != nil {
		t.Fatal(err)
	}
	if err := r.RevertSnapshot(t.Context(), id, "one"); err != nil {
		t.Fatal(err)
	}
	if got := r.read(id).Config.CloudInit; got == nil || got.UserData == nil || *got.UserData != *to.CloudInit.UserData {
		t.Errorf("cloud-init is told %+v", got)
	}
	r.power(id, backends.PowerOn)
}
