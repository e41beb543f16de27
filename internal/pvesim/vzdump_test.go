package pvesim

import (
	"strings"
	"testing"
	"time"
)

func TestVzdumpRefusals(t *testing.T) {
	eachVersion(t, 1, func(b *trial) {
		b.task("POST", "/nodes/pve1/qemu", "vmid=100&name=one&scsi0=local:1&scsi1=local:1,backup=0")
		b.refused("POST", "/nodes/pve1/vzdump", "", "vmid: property is missing")
		b.refused("POST", "/nodes/pve1/vzdump", "all=1&vmid=100", "option conflicts with option 'vmid'")
		b.fails("POST", "/nodes/pve1/vzdump", "vmid=100&storage=local-lvm", "can't use storage 'local-lvm' for backups - wrong content type")
		log := b.fails("POST", "/nodes/pve1/vzdump", "vmid=100,999", "job errors")
		if !strings.Contains(log, "ERROR: Backup of VM 999 failed - unable to find VM '999'") {
			b.t.Errorf("log:\n%s", log)
		}
		list := b.do("GET", "/nodes/pve1/storage/local/content", "content=backup").([]any)
		if len(list) != 1 {
			b.t.Fatalf("backups: %v", list)
		}
		volid := list[0].(map[string]any)["volid"].(string)
		if text := b.do("GET", "/nodes/pve1/vzdump/extractconfig", "volume="+volid).(string); !strings.Contains(text, "name: one\n") {
			b.t.Errorf("configuration in the backup:\n%s", text)
		}
		b.fails("POST", "/nodes/pve1/vzdump", "vmid=100&storage=nope", "storage 'nope' does not exist")
		has(b.t, b.config(100), "lock", nil)
		has(b.t, b.do("GET", "/nodes/pve1/vzdump/defaults", "").(map[string]any), "storage", "local")
	})
}

// While its backup is made, the VM is locked; a backup that is aborted leaves no lock.
func TestVzdumpLocks(t *testing.T) {
	b := newTrial(t, Options{})
	b.task("POST", "/nodes/pve1/qemu", "vmid=100&scsi0=local:1")
	b.mu.Lock()
	b.opts.TaskTime = time.Hour
	b.mu.Unlock()
	upid := b.do("POST", "/nodes/pve1/vzdump", "vmid=100").(string)
	b.mu.Lock()
	b.opts.TaskTime = 0
	b.mu.Unlock()
	b.eventually("the VM is locked", func() bool { return b.config(100)["lock"] == "backup" })
	b.refused("PUT", vm100+"/config", "name=x", "VM is locked (backup)")
	b.fails("POST", vm100+"/snapshot", "snapname=s1", "VM is locked (backup)")
	b.do("DELETE", "/nodes/pve1/tasks/"+upid, "")
	b.await(t.Context(), upid)
	has(t, b.config(100), "lock", nil)
}
