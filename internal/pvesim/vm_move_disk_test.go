package pvesim

import (
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestMoveDisk(t *testing.T) {
	versions(t, func(t *testing.T, s *Server) {
		data := []byte("what the guest wrote")
		succeed(t, s, "POST", vms, params{"vmid": "160", "scsi0": "local:1,discard=on", "ide2": "none,media=cdrom"})
		if err := s.WriteVolume("", "local:160/vm-160-disk-0.raw", 0, data); err != nil {
			t.Fatal(err)
		}
		const move = vms + "/160/move_disk"
		value := func(key string) any {
			config, _ := must(t, s, "GET", vms+"/160/config", nil).(map[string]any)
			return config[key]
		}
		refused(t, s, "POST", move, params{"disk": "scsi0"}, "both 'storage' and 'target-vmid' missing")
		refused(t, s, "POST", move, params{"disk": "scsi1", "storage": "local-lvm"}, "disk 'scsi1' does not exist")
		refused(t, s, "POST", move, params{"disk": "ide2", "storage": "local-lvm"}, "you can't move a cdrom")
		refused(t, s, "POST", move, params{"disk": "scsi0", "storage": "local", "format": "raw"}, "you can't move to the same storage with same format")

		succeed(t, s, "POST", move, params{"disk": "scsi0", "storage": "local-lvm"})
		if got := value("scsi0"); got != "local-lvm:vm-160-disk-0,discard=on,size=1G" || value("unused0") != "local:160/vm-160-disk-0.raw" {
			t.Errorf("scsi0 is %v, unused0 %v", got, value("unused0"))
		}
		begins(t, s, "local-lvm:vm-160-disk-0", data)

		succeed(t, s, "POST", vms+"/160/status/start", nil)
		succeed(t, s, "POST", move, params{"disk": "scsi0", "storage": "local", "format": "qcow2", "delete": "1"})
		begins(t, s, "local:160/vm-160-disk-1.qcow2", data)
		if got := s.Volumes("", "local-lvm"); len(got) != 0 {
			t.Errorf("the source is still there: %v", got)
		}
		s.SetStorageSpace("local-lvm", 0)
		fails(t, s, "POST", move, params{"disk": "scsi0", "storage": "local-lvm"}, "storage migration failed: block job (mirror) error")
		if got := value("scsi0"); got != "local:160/vm-160-disk-1.qcow2,discard=on,size=1G" || len(s.Volumes("", "local-lvm")) != 0 {
			t.Errorf("after a move that failed scsi0 is %v", got)
		}
	})
}

// A move that is stopped leaves the VM with its disk and no other.
func TestMoveDiskStopped(t *testing.T) {
	s := Start(t, Options{})
	succeed(t, s, "POST", vms, params{"vmid": "160", "scsi0": "local:1"})
	s.mu.Lock()
	s.opts.TaskTime = time.Hour
	s.mu.Unlock()
	upid, _ := must(t, s, "POST", vms+"/160/move_disk", params{"disk": "scsi0", "storage": "local-lvm"}).(string)
	must(t, s, "DELETE", "/nodes/pve1/tasks/"+url.PathEscape(upid), nil)
	if exit, _ := ended(t, s, upid); !strings.Contains(exit, "interrupt") {
		t.Errorf("ended %q", exit)
	}
	if got := s.Volumes("", "local-lvm"); len(got) > 0 {
		t.Errorf("a copy is left: %v", got)
	}
	config, _ := must(t, s, "GET", vms+"/160/config", nil).(map[string]any)
	if config["scsi0"] != "local:160/vm-160-disk-0.raw,size=1G" || config["unused0"] != nil {
		t.Errorf("config %v", config)
	}
}

func TestGiveDisk(t *testing.T) {
	s := Start(t, Options{})
	succeed(t, s, "POST", vms, params{"vmid": "160", "scsi0": "local:1", "scsi1": "local-lvm:1"})
	succeed(t, s, "POST", vms, params{"vmid": "161", "scsi0": "local-lvm:1"})
	const move = vms + "/160/move_disk"
	refused(t, s, "POST", move, params{"disk": "scsi0", "target-vmid": "160"}, "must be different than source VMID")
	refused(t, s, "POST", move, params{"disk": "scsi1", "target-vmid": "161", "target-digest": "00"}, "VM 161: detected modified configuration")
	upid := must(t, s, "POST", move, params{"disk": "scsi1", "target-vmid": "161", "target-disk": "virtio3"})
	if exit, _ := ended(t, s, upid); exit != "OK" {
		t.Fatal(exit)
	}
	config, _ := must(t, s, "GET", vms+"/161/config", nil).(map[string]any)
	if config["virtio3"] != "local-lvm:vm-161-disk-1,size=1G" {
		t.Errorf("the other VM has %v", config["virtio3"])
	}
	if got := s.Volumes("", "local-lvm"); !slices.Equal(got, []string{"local-lvm:vm-161-disk-0", "local-lvm:vm-161-disk-1"}) {
		t.Errorf("volumes %v", got)
	}
	succeed(t, s, "POST", vms+"/160/status/start", nil)
	refused(t, s, "POST", move, params{"disk": "scsi0", "target-vmid": "161", "target-disk": "scsi5"}, "while the source VM is running - detach first")
}
