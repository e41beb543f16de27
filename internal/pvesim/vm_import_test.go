package pvesim

import (
	"testing"
	"time"
)

// What an import cannot copy is refused: what cloud-init reads, what belongs to a VM of another node, and what is used while the VM
// of the disk itself is busy.
func TestImportsThatAreRefused(t *testing.T) {
	b := newTrial(t, Options{Nodes: []string{"pve1", "pve2"}, LockWait: 10 * time.Millisecond})
	b.task("POST", "/nodes/pve1/qemu", "vmid=100&scsi0=shared:1&ide2=shared:cloudinit&efidisk0=shared:1,efitype=4m")
	const create = "/nodes/pve1/qemu"
	b.fails("POST", create, "vmid=101&scsi0=shared:0,import-from=shared:100/vm-100-cloudinit.qcow2", "cannot import from cloudinit disk")
	b.fails("POST", create, "vmid=101&scsi0=shared:0,import-from=shared:100/vm-100-disk-0.raw", "cloning from/to EFI disk requires EFI disk")
	b.fails("POST", "/nodes/pve2/qemu", "vmid=101&scsi0=shared:0,import-from=shared:100/vm-100-disk-1.raw", "owner VM 100 not on local node")
	m := b.machine(100)
	<-m.flock
	b.fails("POST", create, "vmid=101&scsi0=shared:0,import-from=shared:100/vm-100-disk-1.raw", "can't lock file '/var/lock/qemu-server/lock-100.conf' - got timeout")
	m.flock <- struct{}{}
	b.task("POST", create, "vmid=101&scsi0=shared:0,import-from=shared:100/vm-100-disk-1.raw")
	b.task("POST", vm100+"/status/start", "")
	b.refused("PUT", vm100+"/config", "scsi1=shared:0,import-from=shared:100/vm-100-disk-1.raw", "cannot change drive name when cloning disk from/to the same VM")
	if n := len(b.Volumes("", "shared")); n != 4 {
		t.Errorf("%d volumes are left: %v", n, b.Volumes("", "shared"))
	}
}

// A clone waits a tenth as long for its source's lock as others do, and clones that wait get it together.
func TestCloneWaitsBriefly(t *testing.T) {
	b := newTrial(t, Options{LockWait: time.Minute})
	b.task("POST", "/nodes/pve1/qemu", "vmid=100&scsi0=local:1")
	m := b.machine(100)
	<-m.flock
	var upids []any
	for _, id := range []string{"101", "102", "103"} {
		upids = append(upids, b.do("POST", vm100+"/clone", "full=1&newid="+id))
	}
	m.flock <- struct{}{}
	for _, upid := range upids {
		if exit, log := ended(t, b.Server, upid); exit != "OK" {
			t.Errorf("ended %q: %q", exit, log)
		}
	}
	b.mu.Lock()
	b.opts.LockWait = 50 * time.Millisecond
	b.mu.Unlock()
	<-m.flock
	if log := b.fails("POST", vm100+"/clone", "newid=104", "can't lock file '/var/lock/qemu-server/lock-100.conf' - got timeout"); log == "" {
		t.Error("no log")
	}
	m.flock <- struct{}{}
}
