package pvesim

import (
	"fmt"
	"strings"
	"testing"
)

func TestMigrate(t *testing.T) {
	eachVersion(t, 2, func(b *trial) {
		b.task("POST", "/nodes/pve1/qemu", "vmid=100&scsi0=local:1,format=qcow2&scsi1=shared:1,format=qcow2&ide2=local:cloudinit,format=raw")
		b.write(100, "scsi0", "moves")
		b.write(100, "scsi1", "stays")
		b.task("POST", vm100+"/snapshot", "snapname=s1")
		check := b.do("GET", vm100+"/migrate", "").(map[string]any)
		if fmt.Sprint(check["allowed_nodes"]) != "[pve2]" || len(check["local_disks"].([]map[string]any)) != 2 {
			b.t.Errorf("preconditions: %v", check)
		}
		log := b.task("POST", vm100+"/migrate", "target=pve2")
		for _, want := range []string{
			"starting migration of VM 100 to node 'pve2' (10.10.0.3)",
			"found local disk 'local:100/vm-100-disk-0.qcow2' (attached)",
			"found generated disk 'local:100/vm-100-cloudinit.raw' (in current VM config)",
			"volume 'local:100/vm-100-disk-0.qcow2' is 'local:100/vm-100-disk-0.qcow2' on the target",
			"migration finished successfully (duration 00:00:00)",
		} {
			if !strings.Contains(log, want) {
				b.t.Errorf("no %q in the log:\n%s", want, log)
			}
		}
		const moved = "/nodes/pve2/qemu/100"
		b.refused("GET", vm100+"/config", "", "does not exist")
		b.reads(100, "scsi0", "moves")
		b.reads(100, "scsi1", "stays")
		has(b.t, b.config(100), "lock", nil)
		b.write(100, "scsi0", "other")
		b.task("POST", moved+"/snapshot/s1/rollback", "")
		b.reads(100, "scsi0", "moves")
		for k := range b.volumes.all {
			if k.node == "pve1" {
				b.t.Errorf("%s is left at the old node", k.volid)
			}
		}
		b.task("DELETE", moved+"/snapshot/s1", "")

		b.task("POST", moved+"/status/start", "")
		b.refused("POST", moved+"/migrate", "target=pve1", "can't migrate running VM without --online")
		log = b.fails("POST", moved+"/migrate", "target=pve1&online=1", "migration aborted")
		if !strings.Contains(log, "can't live migrate attached local disks without with-local-disks option") {
			b.t.Errorf("log:\n%s", log)
		}
		b.task("POST", moved+"/migrate", "target=pve1&online=1&with-local-disks=1&targetstorage=local-lvm")
		if !b.machine(100).running {
			b.t.Error("it does not run any more")
		}
		has(b.t, b.config(100), "scsi0", "local-lvm:vm-100-disk-0,size=1G")
		b.reads(100, "scsi0", "moves")
	})
}

func TestMigrateRefusals(t *testing.T) {
	b := newTrial(t, Options{Nodes: []string{"pve1", "pve2"}})
	b.task("POST", "/nodes/pve1/qemu", "vmid=100&scsi0=local:1,format=qcow2")
	b.refused("POST", vm100+"/migrate", "target=pve1", "target is local node.")
	b.refused("POST", vm100+"/migrate", "target=nope", "no such cluster node 'nope'")
	b.refused("POST", vm100+"/migrate", "target=pve2&targetstorage=nope", "storage 'nope' does not exist")
	b.fails("POST", vm100+"/migrate", "target=pve2&targetstorage=local-lvm", "migration aborted") // no raw disk
	b.refused("POST", vm100+"/remote_migrate", "target-endpoint=host=1.2.3.4,apitoken=PVEAPIToken=a@b!c=d&target-storage=1&target-bridge=1", "Can't connect to 1.2.3.4:8006")

	b.task("PUT", vm100+"/resize", "disk=scsi0&size=+1M")
	b.do("PUT", vm100+"/config", "serial0=/dev/ttyS0")
	has(t, b.do("GET", vm100+"/migrate", "").(map[string]any), "local_resources", "[serial0]")
	log := b.fails("POST", vm100+"/migrate", "target=pve2", "migration aborted")
	if !strings.Contains(log, "can't migrate VM which uses local devices: serial0") {
		t.Errorf("log:\n%s", log)
	}
	b.do("PUT", vm100+"/config", "delete=serial0")

	b.mu.Lock()
	b.add(&volume{volid: "local:iso/x.iso", node: "pve1", storage: b.storage("local"), content: "iso", format: "iso", size: 1})
	b.mu.Unlock()
	b.do("PUT", vm100+"/config", "ide2=local:iso/x.iso,media=cdrom")
	log = b.fails("POST", vm100+"/migrate", "target=pve2", "migration aborted")
	if !strings.Contains(log, "can't migrate local disk 'local:iso/x.iso': local cdrom image") {
		t.Errorf("log:\n%s", log)
	}
	b.do("PUT", vm100+"/config", "delete=ide2")

	b.do("PUT", "/storage/local", "content=iso,import")
	log = b.fails("POST", vm100+"/migrate", "target=pve2", "migration aborted")
	if !strings.Contains(log, "local:100/vm-100-disk-0.qcow2: content type 'images' is not available on storage 'local'") {
		t.Errorf("log:\n%s", log)
	}
	b.do("PUT", "/storage/local", "content=iso,import,images")

	b.SetNodeOnline("pve2", false)
	log = b.fails("POST", vm100+"/migrate", "target=pve2", "migration aborted")
	if !strings.Contains(log, "Can't connect to destination address using public key") {
		t.Errorf("log:\n%s", log)
	}
	has(t, b.config(100), "lock", nil)
	if b.machine(100).node.name != "pve1" || len(b.volumes.all) != 2 {
		t.Errorf("the VM is at %s, with %d volumes", b.machine(100).node.name, len(b.volumes.all))
	}
}

// Linked clones on storages of one node stay with their template.
func TestMigrateLinkedClone(t *testing.T) {
	b := newTrial(t, Options{Nodes: []string{"pve1", "pve2"}})
	b.task("POST", "/nodes/pve1/qemu", "vmid=100&scsi0=local:1,format=qcow2")
	b.write(100, "scsi0", "base")
	b.task("POST", vm100+"/template", "")
	b.task("POST", vm100+"/clone", "newid=101")
	log := b.fails("POST", "/nodes/pve1/qemu/101/migrate", "target=pve2", "migration aborted")
	if !strings.Contains(log, "as it's a clone of 'base-100-disk-0.qcow2'") {
		t.Errorf("log:\n%s", log)
	}
	log = b.fails("POST", vm100+"/migrate", "target=pve2", "migration aborted")
	if !strings.Contains(log, "referenced by linked clone(s)") {
		t.Errorf("log:\n%s", log)
	}
	b.task("DELETE", "/nodes/pve1/qemu/101", "")
	b.task("POST", vm100+"/migrate", "target=pve2")
	b.task("POST", "/nodes/pve2/qemu/100/clone", "newid=101")
	b.reads(101, "scsi0", "base")
}

func TestMigrateAll(t *testing.T) {
	eachVersion(t, 2, func(b *trial) {
		b.task("POST", "/nodes/pve1/qemu", "vmid=100&scsi0=shared:1")
		b.task("POST", "/nodes/pve1/qemu", "vmid=101&scsi0=local:1")
		b.task("POST", "/nodes/pve1/qemu", "vmid=102&serial0=/dev/ttyS0")
		b.task("POST", vm100+"/status/start", "")
		b.task("POST", "/nodes/pve1/qemu/101/status/start", "")
		log := b.task("POST", "/nodes/pve1/migrateall", "target=pve2&maxworkers=2")
		if !b.at(100, "pve2")() || !b.at(101, "pve1")() || !b.at(102, "pve1")() || !b.running(100)() {
			b.t.Errorf("they are elsewhere:\n%s", log)
		}
		for _, want := range []string{
			"skip VM 101 - precondition check failed:\n  Has local disks: local:101/vm-101-disk-0.raw",
			"skip VM 102 - precondition check failed:\n  Has local resources: serial0",
			"All jobs finished, used 1 workers in total.",
		} {
			if !strings.Contains(log, want) {
				b.t.Errorf("no %q in the log:\n%s", want, log)
			}
		}
		b.task("POST", "/nodes/pve1/migrateall", "target=pve2&maxworkers=1&with-local-disks=1&vms=101")
		if !b.at(101, "pve2")() {
			b.t.Error("the VM with local disks did not follow")
		}
		b.fails("POST", "/nodes/pve1/migrateall", "target=pve2&maxworkers=1", "no migrations worker started...")
	})
}

// A mapped device lets a VM that is stopped go where the mapping has a device too, and keeps one that runs.
func TestMigrateMappedDevices(t *testing.T) {
	eachVersion(t, 2, func(b *trial) {
		b.do("POST", "/cluster/mapping/pci", "id=gpu&map=node=pve1,path=0000:01:00.0,id=8086:1521")
		b.task("POST", "/nodes/pve1/qemu", "vmid=100&scsi0=shared:1&hostpci0=mapping=gpu")
		check := b.do("GET", vm100+"/migrate", "").(map[string]any)
		has(b.t, check, "mapped-resources", "[hostpci0]")
		has(b.t, check, "allowed_nodes", "[]")
		has(b.t, check["not_allowed_nodes"].(map[string]any), "pve2", "map[unavailable-resources:[hostpci0]]")
		log := b.fails("POST", vm100+"/migrate", "target=pve2", "migration aborted")
		if !strings.Contains(log, "can't migrate to 'pve2': missing mapped devices hostpci0") {
			b.t.Errorf("log:\n%s", log)
		}
		b.mu.Lock()
		b.mapping("pci", "gpu")["map"] += "\x00node=pve2,path=0000:01:00.0,id=8086:1521"
		known := mapsTo(b.mapping("pci", "gpu"), "pve2")
		b.machines[100].running = true
		b.mu.Unlock()
		if !known {
			b.t.Fatal("the mapping has no device at pve2")
		}
		log = b.fails("POST", vm100+"/migrate", "target=pve2&online=1", "migration aborted")
		if !strings.Contains(log, "can't live migrate running VM which uses following mapped devices: hostpci0:gpu") {
			b.t.Errorf("log:\n%s", log)
		}
		b.mu.Lock()
		b.machines[100].running = false
		b.mu.Unlock()
		b.task("POST", vm100+"/migrate", "target=pve2")
		if !b.at(100, "pve2")() {
			b.t.Error("it did not move")
		}
	})
}
