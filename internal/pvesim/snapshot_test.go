package pvesim

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

const vm100 = "/nodes/pve1/qemu/100"

// snapshots are the snapshots of VM 100 by name, "current" among them.
func (b *trial) snapshotsOf(path string) map[string]map[string]any {
	b.t.Helper()
	byName := map[string]map[string]any{}
	list, _ := b.do("GET", path+"/snapshot", "").([]map[string]any)
	for _, one := range list {
		byName[one["name"].(string)] = one
	}
	return byName
}

// Disks and configuration go back to what they were, the tree of snapshots follows, and deleting one leaves the others whole.
func TestSnapshotsKeepDisks(t *testing.T) {
	eachVersion(t, 1, func(b *trial) {
		b.task("POST", "/nodes/pve1/qemu", "vmid=100&name=one&memory=128&scsi0=local:1,format=qcow2&scsi1=local-lvm:1")
		b.write(100, "scsi0", "first")
		b.write(100, "scsi1", "uno")
		log := b.task("POST", vm100+"/snapshot", "snapname=s1&description=as it was")
		if !strings.Contains(log, "snapshotting 'drive-scsi0' (local:100/vm-100-disk-0.qcow2)\nsnapshotting 'drive-scsi1' (local-lvm:vm-100-disk-0)") {
			t.Errorf("log of the snapshot:\n%s", log)
		}
		b.write(100, "scsi0", "second")
		b.do("PUT", vm100+"/config", "name=two&memory=256")
		b.task("POST", vm100+"/snapshot", "snapname=s2")
		b.write(100, "scsi0", "third!")
		b.task("PUT", vm100+"/resize", "disk=scsi0&size=+1G")

		list := b.snapshotsOf(vm100)
		has(b.t, list["s2"], "parent", "s1")
		has(b.t, list["s1"], "description", "as it was")
		has(b.t, list["current"], "parent", "s2")
		has(b.t, b.do("GET", vm100+"/snapshot/s1/config", "").(map[string]any), "name", "one")

		b.task("POST", vm100+"/snapshot/s1/rollback", "")
		b.reads(100, "scsi0", "first")
		b.reads(100, "scsi1", "uno")
		has(b.t, b.config(100), "name", "one")
		has(b.t, b.config(100), "memory", "128")
		has(b.t, b.config(100), "parent", "s1")
		if size := b.disk(100, "scsi0").size; size != gib {
			t.Errorf("the disk has %d bytes after the rollback", size)
		}
		b.task("POST", vm100+"/snapshot/s2/rollback", "")
		b.reads(100, "scsi0", "second")

		b.task("DELETE", vm100+"/snapshot/s1", "")
		if _, has := b.snapshotsOf(vm100)["s2"]["parent"]; has {
			t.Error("s2 still has a parent that is gone")
		}
		b.write(100, "scsi0", "fourth")
		b.task("POST", vm100+"/snapshot/s2/rollback", "")
		b.reads(100, "scsi0", "second")
		for key := range b.config(100) {
			if isUnused(key) || key == "lock" {
				t.Errorf("the configuration has %s", key)
			}
		}
		b.task("DELETE", vm100, "")
		if n := len(b.volumes.all); n != 0 {
			t.Errorf("%d volumes are left", n)
		}
	})
}

// With the memory, the VM runs again after the rollback; without, it is stopped.
func TestSnapshotOfMemory(t *testing.T) {
	eachVersion(t, 1, func(b *trial) {
		b.task("POST", "/nodes/pve1/qemu", "vmid=100&memory=128&scsi0=local:1,format=qcow2&vmgenid=1")
		b.task("POST", vm100+"/status/start", "")
		b.task("POST", vm100+"/snapshot", "snapname=cold")
		log := b.task("POST", vm100+"/snapshot", "snapname=warm&vmstate=1")
		if !strings.Contains(log, "size=792723456") || !strings.Contains(log, "saving VM state and RAM using storage 'local'") {
			t.Errorf("log:\n%s", log)
		}
		list := b.snapshotsOf(vm100)
		has(b.t, list["warm"], "vmstate", 1)
		has(b.t, list["cold"], "vmstate", 0)
		before := b.config(100)["vmgenid"]
		b.task("POST", vm100+"/snapshot/cold/rollback", "")
		if b.machine(100).running {
			t.Error("it runs after a rollback to a snapshot without memory")
		}
		b.task("POST", vm100+"/snapshot/warm/rollback", "")
		if !b.machine(100).running {
			t.Error("it does not run after a rollback to a snapshot with memory")
		}
		if b.config(100)["vmgenid"] == before {
			t.Error("it does not learn that it is another generation")
		}
		for _, key := range []string{"vmstate", "runningmachine", "lock", "snaptime"} {
			has(b.t, b.config(100), key, nil)
		}
		b.task("DELETE", vm100+"/snapshot/warm", "")
		for k := range b.volumes.all {
			if strings.Contains(k.volid, "state") {
				t.Errorf("%s is left", k.volid)
			}
		}
		b.task("POST", vm100+"/status/stop", "")
		b.task("POST", vm100+"/snapshot/cold/rollback", "start=1")
		b.eventually("the VM starts after the rollback", func() bool { b.mu.Lock(); defer b.mu.Unlock(); return b.machines[100].running })
	})
}

func TestSnapshotRefusals(t *testing.T) {
	b := newTrial(t, Options{})
	b.task("POST", "/nodes/pve1/qemu", "vmid=100&scsi0=local:1")
	b.refused("POST", vm100+"/snapshot", "snapname=current", "unable to use snapshot name 'current' (reserved name)")
	b.refused("POST", vm100+"/snapshot", "snapname=Pending", "unable to use snapshot name 'pending' (reserved name)")
	b.fails("POST", vm100+"/snapshot", "snapname=s1", "snapshot feature is not available")
	b.fails("POST", vm100+"/snapshot/s1/rollback", "", "snapshot 's1' does not exist")
	b.fails("DELETE", vm100+"/snapshot/s1", "force=1", "snapshot 's1' does not exist")
	b.refused("GET", vm100+"/snapshot/s1/config", "", "snapshot 's1' does not exist")
	b.refused("PUT", vm100+"/snapshot/s1/config", "description=x", "snapshot 's1' does not exist")
	b.refused("POST", "/nodes/pve1/qemu/999/snapshot", "snapname=s1", "Configuration file 'nodes/pve1/qemu-server/999.conf' does not exist")
	b.fails("DELETE", "/nodes/pve1/qemu/999/snapshot/s1", "", "Configuration file 'nodes/pve1/qemu-server/999.conf' does not exist")
	if lock := b.config(100)["lock"]; lock != nil {
		t.Errorf("the VM is still locked (%v)", lock)
	}
	b.task("POST", "/nodes/pve1/qemu", "vmid=101&scsi0=local:1,format=qcow2")
	b.task("POST", "/nodes/pve1/qemu/101/snapshot", "snapname=s1")
	b.fails("POST", "/nodes/pve1/qemu/101/snapshot", "snapname=s1", "snapshot name 's1' already used")
	b.refused("POST", "/nodes/pve1/qemu/101/template", "", "unable to create template, because VM contains snapshots")
}

// While a snapshot is made, deleted or rolled back to, the VM is locked against everybody else.
func TestSnapshotLocks(t *testing.T) {
	b := newTrial(t, Options{})
	b.task("POST", "/nodes/pve1/qemu", "vmid=100&scsi0=local:1,format=qcow2")
	m := b.machine(100)
	for _, lock := range []string{"snapshot", "snapshot-delete", "rollback", "migrate", "backup"} {
		b.mu.Lock()
		m.config["lock"] = lock
		b.mu.Unlock()
		want := fmt.Sprintf("VM is locked (%s)", lock)
		b.fails("POST", vm100+"/snapshot", "snapname=s1", want)
		b.refused("POST", vm100+"/template", "", want)
		b.refused("POST", vm100+"/clone", "newid=200", want)
		b.refused("GET", vm100+"/migrate", "", want)
	}
}

// A snapshot of one disk that fails leaves nothing of the others, and no lock.
func TestSnapshotFailsWhole(t *testing.T) {
	b := newTrial(t, Options{})
	b.task("POST", "/nodes/pve1/qemu", "vmid=100&scsi0=local:1,format=qcow2&scsi1=local:1,format=qcow2")
	if err := b.disk(100, "scsi1").takeSnapshot("s1"); err != nil {
		t.Fatal(err)
	}
	log := b.fails("POST", vm100+"/snapshot", "snapname=s1", "already has a snapshot")
	if !strings.Contains(log, "snapshot create failed: starting cleanup") {
		t.Errorf("log:\n%s", log)
	}
	if b.disk(100, "scsi0").snapshot("s1") != nil || len(b.snapshotsOf(vm100)) != 1 {
		t.Error("something of the snapshot is left")
	}
	has(t, b.config(100), "lock", nil)
}

// What takes long takes it under a lock that everybody sees; a task that is stopped half-way leaves what Proxmox VE leaves.
func TestLongTasks(t *testing.T) {
	b := newTrial(t, Options{Nodes: []string{"pve1", "pve2"}, LockWait: 50 * time.Millisecond})
	b.task("POST", "/nodes/pve1/qemu", "vmid=100&scsi0=local:1,format=qcow2")
	b.task("POST", vm100+"/snapshot", "snapname=s0")
	b.write(100, "scsi0", "kept")
	long := func(method, path, p string) (upid string) {
		t.Helper()
		b.mu.Lock()
		b.opts.TaskTime = time.Hour
		b.mu.Unlock()
		upid = b.do(method, path, p).(string)
		b.mu.Lock()
		b.opts.TaskTime = 0
		b.mu.Unlock()
		return upid
	}
	end := func(upid string) {
		t.Helper()
		b.do("DELETE", "/nodes/pve1/tasks/"+upid, "")
		b.await(t.Context(), upid)
	}
	locked := func(id int, lock string) {
		t.Helper()
		b.eventually("VM locked: "+lock, func() bool {
			b.mu.Lock()
			defer b.mu.Unlock()
			return b.machines[id] != nil && b.machines[id].config["lock"] == lock
		})
	}
	volumes := func() int {
		b.mu.Lock()
		defer b.mu.Unlock()
		return len(b.volumes.all)
	}

	upid := long("POST", vm100+"/snapshot", "snapname=s1")
	locked(100, "snapshot")
	has(t, b.snapshotsOf(vm100)["s1"], "snapstate", "prepare")
	b.fails("POST", vm100+"/snapshot/s0/rollback", "", "VM is locked (snapshot)")
	end(upid)
	has(t, b.config(100), "lock", nil)
	if len(b.snapshotsOf(vm100)) != 2 {
		t.Error("the snapshot that was stopped is there")
	}

	upid = long("POST", vm100+"/clone", "newid=101&full=1")
	locked(101, "clone")
	has(t, b.config(101), "description", " qmclone temporary file")
	b.refused("POST", vm100+"/clone", "newid=101&full=1", "unable to create VM 101: config file already exists")
	b.refused("PUT", "/nodes/pve1/qemu/101/config", "name=x", "got timeout")
	b.task("POST", vm100+"/clone", "newid=102&full=1")
	end(upid)
	if exit, _ := ended(t, b.Server, upid); exit != "clone failed: interrupted by signal" {
		t.Errorf("a clone that was stopped ended %q", exit)
	}
	b.refused("GET", "/nodes/pve1/qemu/101/config", "", "does not exist")
	b.task("DELETE", "/nodes/pve1/qemu/102", "")

	b.task("DELETE", vm100+"/snapshot/s0", "")
	upid = long("POST", vm100+"/migrate", "target=pve2")
	locked(100, "migrate")
	end(upid)
	has(t, b.config(100), "lock", nil)
	if !b.at(100, "pve1")() || volumes() != 1 {
		t.Errorf("it is at another node, or there are %d volumes", volumes())
	}
	b.reads(100, "scsi0", "kept")

	b.task("POST", vm100+"/snapshot", "snapname=s2")
	end(long("POST", vm100+"/snapshot/s2/rollback", ""))
	b.refused("PUT", vm100+"/config", "name=x", "VM is locked (rollback)")
}

// A rollback gives the VM its disks of then: what it has now is unused after it, but for what cloud-init reads, and what was unused
// and is a disk again is not.
func TestRollbackOfDisks(t *testing.T) {
	b := newTrial(t, Options{})
	b.task("POST", "/nodes/pve1/qemu", "vmid=100&scsi0=local:1,format=qcow2&scsi1=local:1,format=qcow2")
	b.task("POST", vm100+"/snapshot", "snapname=s1")
	b.do("PUT", vm100+"/config", "delete=scsi1")
	b.do("PUT", vm100+"/config", "scsi2=local:1,format=qcow2&ide2=local:cloudinit")
	has(t, b.config(100), "unused0", "local:100/vm-100-disk-1.qcow2")
	b.task("POST", vm100+"/snapshot", "snapname=s2")
	log := b.task("POST", vm100+"/snapshot/s1/rollback", "")
	if !strings.Contains(log, "found unused cloudinit disk 'local:100/vm-100-cloudinit.qcow2', removing it") {
		t.Errorf("log:\n%s", log)
	}
	now := b.config(100)
	has(t, now, "scsi1", "local:100/vm-100-disk-1.qcow2,size=1G")
	has(t, now, "unused0", nil)
	has(t, now, "unused1", "local:100/vm-100-disk-2.qcow2")
	b.refused("PUT", vm100+"/config", "delete=unused1", "unable to delete 'local:100/vm-100-disk-2.qcow2' - volume is still in use (snapshot?)")
}
