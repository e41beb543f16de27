package pvesim

import (
	"fmt"
	"strings"
	"testing"
)

// A template's linked clones share its disks and differ where they write; the template cannot go before them.
func TestLinkedClones(t *testing.T) {
	eachVersion(t, 1, func(b *trial) {
		b.task("POST", "/nodes/pve1/qemu", "vmid=100&name=tmpl&memory=128&scsi0=local:1,format=qcow2,discard=on&scsi1=local-lvm:1&ide2=local:cloudinit&net0=virtio,bridge=vmbr0&tags=a;b&description=d")
		b.write(100, "scsi0", "base")
		b.refused("POST", vm100+"/clone", "newid=101&full=0", "Linked clone feature is not supported for 'local:100/vm-100-disk-0.qcow2' (scsi0)")
		b.task("POST", vm100+"/template", "")
		c := b.config(100)
		has(b.t, c, "template", 1)
		has(b.t, c, "scsi0", "local:100/base-100-disk-0.qcow2,discard=on,size=1G")
		has(b.t, c, "scsi1", "local-lvm:base-100-disk-0,size=1G")
		b.refused("POST", vm100+"/template", "", "you can't convert a template to a template")
		b.fails("POST", vm100+"/status/start", "", "you can't start a vm if it's a template")
		b.fails("POST", vm100+"/snapshot", "snapname=s1", "you can't take a snapshot if it's a template")
		b.refused("POST", vm100+"/clone", "newid=101&storage=local", "parameter 'storage' not allowed for linked clones")
		b.refused("POST", vm100+"/clone", "newid=101&format=raw", "parameter 'format' not allowed for linked clones")

		log := b.task("POST", vm100+"/clone", "newid=101&name=linked")
		if !strings.Contains(log, "create full clone of drive ide2 (local:100/vm-100-cloudinit.qcow2)") ||
			!strings.Contains(log, "create linked clone of drive scsi0 (local:100/base-100-disk-0.qcow2)\nclone 100/base-100-disk-0.qcow2: images, vm-101-disk-0.qcow2, 101 to vm-101-disk-0.qcow2 (base=../100/base-100-disk-0.qcow2)") {
			b.t.Errorf("log:\n%s", log)
		}
		l := b.config(101)
		has(b.t, l, "scsi0", "local:100/base-100-disk-0.qcow2/101/vm-101-disk-0.qcow2,discard=on,size=1G")
		has(b.t, l, "scsi1", "local-lvm:vm-101-disk-0,size=1G")
		has(b.t, l, "ide2", "local:101/vm-101-cloudinit.qcow2,media=cdrom,size=4M")
		for _, key := range []string{"tags", "description", "memory", "boot", "meta", "scsihw"} {
			has(b.t, l, key, c[key])
		}
		for _, key := range []string{"net0", "vmgenid", "smbios1"} {
			if l[key] == c[key] {
				b.t.Errorf("the clone has the %s of its template", key)
			}
		}
		has(b.t, l, "name", "linked")
		has(b.t, l, "template", nil)
		has(b.t, l, "lock", nil)
		b.write(101, "scsi0", "mine")
		b.reads(100, "scsi0", "base")
		b.task("POST", vm100+"/clone", "newid=102")
		b.reads(102, "scsi0", "base")
		has(b.t, b.config(102), "name", "Copy-of-VM-tmpl")

		b.fails("DELETE", vm100, "", "base volume 'local:100/base-100-disk-0.qcow2' is still in use by linked cloned")
		b.task("DELETE", "/nodes/pve1/qemu/101", "")
		b.task("DELETE", "/nodes/pve1/qemu/102", "")
		b.task("DELETE", vm100, "")
		if n := len(b.volumes.all); n != 0 {
			b.t.Errorf("%d volumes are left", n)
		}
	})
}

// A full clone is whole: what happens to the source does not touch it, and it goes where it is asked to.
func TestFullClones(t *testing.T) {
	eachVersion(t, 1, func(b *trial) {
		b.do("POST", "/pools", "poolid=web")
		b.task("POST", "/nodes/pve1/qemu", "vmid=100&scsi0=local:1,format=qcow2&scsi1=local-lvm:1&ide2=local:cloudinit&smbios1=manufacturer=QUNNRQ==,base64=1")
		b.write(100, "scsi0", "one")
		b.task("POST", vm100+"/snapshot", "snapname=s1")
		b.write(100, "scsi0", "two")
		b.refused("POST", vm100+"/clone", "newid=101&snapname=nope", "snapshot 'nope' does not exist")
		b.refused("POST", vm100+"/clone", "newid=101&pool=nope", "pool 'nope' does not exist")
		b.refused("POST", vm100+"/clone", "newid=101&storage=nope", "storage 'nope' does not exist")
		b.refused("POST", vm100+"/clone", "newid=101&target=nope", "no such cluster node 'nope'")
		b.refused("POST", vm100+"/clone", "newid=100", "unable to create VM 100: config file already exists")

		b.task("POST", vm100+"/clone", "newid=101&full=1&storage=local&format=raw&pool=web&name=full&description=its own")
		c := b.config(101)
		has(b.t, c, "scsi0", "local:101/vm-101-disk-0.raw,size=1G")
		has(b.t, c, "scsi1", "local:101/vm-101-disk-1.raw,size=1G")
		has(b.t, c, "ide2", "local:101/vm-101-cloudinit.raw,media=cdrom,size=4M")
		has(b.t, c, "description", "its own")
		has(b.t, c, "parent", nil)
		if s := fmt.Sprint(c["smbios1"]); !strings.HasPrefix(s, "base64=1,manufacturer=QUNNRQ==,uuid=") {
			b.t.Errorf("smbios1 of the clone: %s", s)
		}
		if !b.pools["web"].members[101] {
			b.t.Error("the clone is not in its pool")
		}
		if len(b.snapshotsOf("/nodes/pve1/qemu/101")) != 1 {
			b.t.Error("the clone has snapshots")
		}
		b.write(100, "scsi0", "new")
		b.reads(101, "scsi0", "two")

		b.task("POST", "/nodes/pve1/qemu", "vmid=110&scsi0=local:1,format=qcow2")
		b.write(110, "scsi0", "then")
		b.task("POST", "/nodes/pve1/qemu/110/snapshot", "snapname=s1")
		b.write(110, "scsi0", "now!")
		b.task("POST", "/nodes/pve1/qemu/110/clone", "newid=111&full=1&snapname=s1")
		b.reads(111, "scsi0", "then")
		has(b.t, b.config(111), "name", "Copy-of-VM-110")

		b.task("POST", "/nodes/pve1/qemu/110/status/start", "")
		log := b.task("POST", "/nodes/pve1/qemu/110/clone", "newid=112&full=1")
		if !strings.Contains(log, "drive mirror is starting for drive-scsi0") || !strings.Contains(log, "all 'mirror' jobs are ready\nsuspend vm\n") {
			b.t.Errorf("log:\n%s", log)
		}
		b.reads(112, "scsi0", "now!")
	})
}

// A clone that cannot be finished leaves neither a VM nor volumes.
func TestCloneFailsWhole(t *testing.T) {
	b := newTrial(t, Options{})
	b.task("POST", "/nodes/pve1/qemu", "vmid=100&scsi0=local:1&scsi1=local:1")
	b.mu.Lock()
	delete(b.volumes.all, volumeKey{"pve1", "local:100/vm-100-disk-1.raw"})
	b.mu.Unlock()
	b.fails("POST", vm100+"/clone", "newid=101&full=1", "clone failed: volume 'local:100/vm-100-disk-1.raw' does not exist")
	b.refused("GET", "/nodes/pve1/qemu/101/config", "", "does not exist")
	if n := len(b.volumes.all); n != 1 {
		t.Errorf("%d volumes, want one", n)
	}
}

// Several tasks clone a template at a time, and each clone has its own disks; the same number is given away once.
func TestClonesAtATime(t *testing.T) {
	b := newTrial(t, Options{})
	b.task("POST", "/nodes/pve1/qemu", "vmid=100&scsi0=local:1,format=qcow2")
	b.task("POST", vm100+"/template", "")
	var upids []string
	for id := 101; id < 111; id++ {
		upids = append(upids, b.do("POST", vm100+"/clone", fmt.Sprintf("newid=%d", id)).(string))
	}
	for i, upid := range upids {
		b.await(t.Context(), upid)
		b.mu.Lock()
		exit := b.tasks.byUPID[upid].exit
		b.mu.Unlock()
		if exit != "OK" {
			t.Errorf("clone %d ends with %q", 101+i, exit)
		}
		b.disk(101+i, "scsi0")
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if m := b.machines[100]; m.sharers != 0 || len(m.flock) != 1 {
		t.Errorf("the lock of the template is not given back: %d sharers", m.sharers)
	}
}

// On other nodes, clones are made where their storages allow it.
func TestCloneToNode(t *testing.T) {
	eachVersion(t, 2, func(b *trial) {
		b.task("POST", "/nodes/pve1/qemu", "vmid=100&scsi0=shared:1,format=qcow2")
		b.task("POST", "/nodes/pve1/qemu", "vmid=110&scsi0=local:1")
		b.write(100, "scsi0", "there")
		b.task("POST", vm100+"/template", "")
		b.task("POST", vm100+"/clone", "newid=101&target=pve2")
		if n := b.machine(101).node.name; n != "pve2" {
			b.t.Errorf("the clone is at %s", n)
		}
		b.reads(101, "scsi0", "there")
		b.refused("POST", vm100+"/clone", "newid=102&target=pve2&full=1&storage=local", "can't clone to non-shared storage 'local'")
		b.refused("POST", "/nodes/pve1/qemu/110/clone", "newid=102&target=pve2", "can't clone VM to node 'pve2' (VM uses local storage)")
		b.fails("POST", vm100+"/clone", "newid=101", "File exists")
	})
}

func TestFeatures(t *testing.T) {
	b := newTrial(t, Options{Nodes: []string{"pve1", "pve2"}})
	b.task("POST", "/nodes/pve1/qemu", "vmid=100&scsi0=local:1&ide2=none,media=cdrom")
	b.task("POST", "/nodes/pve1/qemu", "vmid=101&scsi0=shared:1,format=qcow2")
	for _, c := range []struct {
		id            int
		feature       string
		has, manyNode int
	}{{100, "snapshot", 0, 1}, {100, "clone", 0, 1}, {100, "copy", 1, 1}, {101, "snapshot", 1, 2}, {101, "clone", 0, 2}} {
		got := b.do("GET", fmt.Sprintf("/nodes/pve1/qemu/%d/feature", c.id), "feature="+c.feature).(map[string]any)
		if got["hasFeature"] != c.has || len(got["nodes"].([]string)) != c.manyNode {
			t.Errorf("%s of %d: %v", c.feature, c.id, got)
		}
	}
	b.refused("GET", vm100+"/feature", "feature=copy&snapname=nope", "snapshot 'nope' does not exist")
}
