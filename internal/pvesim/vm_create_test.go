package pvesim

import (
	"strings"
	"testing"
)

func TestFailedCreateLeavesNothing(t *testing.T) {
	c := newClient(t, Start(t, Options{}))
	c.fails("unable to create VM 100 - volume 'local:iso/none.iso' does not exist", "POST", "/nodes/pve1/qemu",
		"vmid=100&ide2=local:cloudinit&sata1=local:1&sata2=local:iso/none.iso,media=cdrom")
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	if len(c.s.volumes.all) != 0 || c.s.machines[100] != nil {
		t.Errorf("volumes %v, VM %v", c.s.volumes.all, c.s.machines[100])
	}
}

func TestVolumesGoWithVM(t *testing.T) {
	c := newClient(t, Start(t, Options{}))
	c.run("POST", "/nodes/pve1/qemu", aVM+"&efidisk0=local-lvm:1,efitype=4m&tpmstate0=local-lvm:1,version=v2.0&ide2=local-lvm:cloudinit&bios=ovmf")
	conf := c.config(100, "")
	for key, want := range map[string]string{
		"efidisk0":  "local-lvm:vm-100-disk-0,efitype=4m,size=4M",
		"tpmstate0": "local-lvm:vm-100-disk-3,size=4M,version=v2.0",
		"ide2":      "local-lvm:vm-100-cloudinit,media=cdrom",
	} {
		if conf[key] != want {
			t.Errorf("%s %s, want %s", key, conf[key], want)
		}
	}
	c.want(200, "OK", "PUT", "/nodes/pve1/qemu/100/config", "delete=scsi1&force=1")
	if conf := c.config(100, ""); conf["unused0"] != "" {
		t.Errorf("forced away, and still unused: %v", conf)
	}
	c.want(200, "OK", "PUT", "/nodes/pve1/qemu/100/unlink", "idlist=scsi0")
	if conf := c.config(100, ""); conf["unused0"] != "local-lvm:vm-100-disk-1" {
		t.Errorf("unlinked: %v", conf)
	}
	c.run("DELETE", "/nodes/pve1/qemu/100", "")
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	for k := range c.s.volumes.all {
		t.Errorf("%s is left", k.volid)
	}
}

func TestEFIDiskSaysWhichKeysItHas(t *testing.T) {
	for version, want := range map[int]string{
		8: "local:100/vm-100-disk-0.raw,efitype=4m,ms-cert=2023k,pre-enrolled-keys=1,size=528K",
		9: "local:100/vm-100-disk-0.raw,efitype=4m,ms-cert=2023,pre-enrolled-keys=1,size=528K",
	} {
		c := newClient(t, Start(t, Options{Version: version}))
		c.run("POST", "/nodes/pve1/qemu", "vmid=100&efidisk0=local:1,efitype=4m,pre-enrolled-keys=on")
		if got := c.config(100, "")["efidisk0"]; got != want {
			t.Errorf("version %d: %s", version, got)
		}
	}
}

func TestCreateForHighAvailability(t *testing.T) {
	c := newClient(t, Start(t, Options{Version: 9}))
	if log := c.run("POST", "/nodes/pve1/qemu", "vmid=100&ha-managed=1&start=1"); !strings.Contains(log, "Add as HA resource") {
		t.Errorf("log %s", log)
	}
	c.eventually("the manager's start", func() bool { return c.s.machines[100].running })
	c.want(500, "unable to remove VM 100 - used in HA resources and purge parameter not set.", "DELETE", "/nodes/pve1/qemu/100", "")
}

func TestImportOfDiskOfOtherVM(t *testing.T) {
	c := newClient(t, Start(t, Options{}))
	c.run("POST", "/nodes/pve1/qemu", aVM)
	log := c.run("POST", "/nodes/pve1/qemu", "vmid=101&virtio0=local:0,import-from=local-lvm:vm-100-disk-0,format=qcow2")
	if !strings.Contains(log, "create full clone of drive scsi0 (local-lvm:vm-100-disk-0)") {
		t.Errorf("log %s", log)
	}
	if got := c.config(101, "")["virtio0"]; got != "local:101/vm-101-disk-0.qcow2,size=1G" {
		t.Errorf("virtio0 %s", got)
	}
}

func TestDiskOnStorageThatIsGone(t *testing.T) {
	c := newClient(t, Start(t, Options{}))
	c.run("POST", "/nodes/pve1/qemu", aVM)
	c.want(200, "OK", "DELETE", "/storage/local-lvm", "")
	c.fails("storage 'local-lvm' does not exist", "POST", "/nodes/pve1/qemu/100/status/start", "")
	c.fails("storage 'local-lvm' does not exist", "DELETE", "/nodes/pve1/qemu/100", "")
	c.want(500, "storage 'local-lvm' does not exist", "PUT", "/nodes/pve1/qemu/100/config", "scsi5=local-lvm:1")
}

func TestPurge(t *testing.T) {
	c := newClient(t, Start(t, Options{}))
	c.run("POST", "/nodes/pve1/qemu", aVM)
	c.want(200, "OK", "POST", "/cluster/backup", "id=nightly&vmid=100,200&storage=local&schedule=21:00")
	c.s.mu.Lock()
	c.s.misc.replications.ids["100-0"] = section{"target": "pve2"}
	c.s.mu.Unlock()
	c.want(500, "There is a replication job '100-0' for guest '100' - Please remove that first.", "DELETE", "/nodes/pve1/qemu/100", "")
	if log := c.run("DELETE", "/nodes/pve1/qemu/100", "purge=1"); !strings.Contains(log, "purging VM 100 from related configurations..") {
		t.Errorf("log %s", log)
	}
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	if job := c.s.misc.backups.ids["nightly"]; job["vmid"] != "200" || len(c.s.misc.replications.ids) != 0 {
		t.Errorf("backup job %v, replication %v", job, c.s.misc.replications.ids)
	}
}
