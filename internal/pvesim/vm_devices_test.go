package pvesim

import (
	"strings"
	"testing"
)

// A device of the host is for one VM at a time, where it is, and a VM is not started without one that it is to have.
func TestDevicesOfTheHost(t *testing.T) {
	b := newTrial(t, Options{Nodes: []string{"pve1", "pve2"}, Examples: true})
	b.do("POST", "/cluster/mapping/pci", "id=nics&map=node=pve1,path=0000:02:00.0,id=8086:1572\x00node=pve1,path=0000:02:00.1,id=8086:1572")
	b.do("POST", "/cluster/mapping/usb", "id=away&map=node=pve2,id=0951:1666")
	for _, id := range []string{"100", "101", "102"} {
		b.task("POST", "/nodes/pve1/qemu", "vmid="+id+"&hostpci0=mapping=nics")
	}
	const start1, start2, start3 = "/nodes/pve1/qemu/100/status/start", "/nodes/pve1/qemu/101/status/start", "/nodes/pve1/qemu/102/status/start"
	b.task("POST", start1, "")
	b.task("POST", start2, "")
	b.fails("POST", start3, "", "could not find a free device for 'hostpci0'")
	b.do("PUT", "/nodes/pve1/qemu/102/config", "hostpci0=mapping=gpu&hostpci1=mapping=gpu")
	b.fails("POST", start3, "", "device '0000:01:00.0' assigned more than once")
	b.do("PUT", "/nodes/pve1/qemu/102/config", "hostpci1=0000:02:00.1")
	b.fails("POST", start3, "", "PCI device '0000:02:00.1' already in use by VMID '101'")
	b.task("POST", "/nodes/pve1/qemu/101/status/stop", "")
	b.task("POST", start3, "")
	b.fails("POST", start2, "", "could not find a free device for 'hostpci0'")

	b.do("PUT", "/nodes/pve1/qemu/101/config", "delete=hostpci0&usb0=mapping=away")
	b.fails("POST", start2, "", "USB device mapping not found for 'away'")
	b.do("PUT", "/nodes/pve1/qemu/101/config", "delete=usb0&hostpci0=mapping=gpu,pcie=1")
	b.fails("POST", start2, "", "q35 machine model is not enabled")
}

// What Proxmox VE only warns of, the end of the task says.
func TestWarningsOfStart(t *testing.T) {
	b := newTrial(t, Options{})
	b.task("POST", "/nodes/pve1/qemu", "vmid=100&bios=ovmf&scsi0=local:1,iothread=1&net0=e1000,bridge=vmbr0,mtu=1400")
	exit, log := b.ends("POST", vm100+"/status/start", "")
	if exit != "WARNINGS: 3" {
		t.Errorf("ended %q:\n%s", exit, log)
	}
	for _, line := range []string{
		"WARN: no efidisk configured! Using temporary efivars disk.", "WARN: iothread is only valid with virtio disk", "WARN: netdev net0: ignoring MTU '1400', not using VirtIO",
		"TASK WARNINGS: 3",
	} {
		if !strings.Contains(log, line) {
			t.Errorf("no line %q in\n%s", line, log)
		}
	}
	b.task("POST", vm100+"/status/stop", "")
	b.do("PUT", vm100+"/config", "net0=virtio,bridge=vmbr0,mtu=9000")
	b.fails("POST", vm100+"/status/start", "", "netdev net0: MTU '9000' is bigger than the bridge MTU '1500'")
}

// Trunks take a bridge that is aware of VLANs, when the VM starts and while it runs.
func TestTrunksOfBridges(t *testing.T) {
	b := newTrial(t, Options{})
	b.task("POST", "/nodes/pve1/qemu", "vmid=100&net0=virtio=BC:24:11:00:00:01,bridge=vmbr0,trunks=5-6")
	if log := b.fails("POST", vm100+"/status/start", "", "start failed: QEMU exited with code 1"); !strings.Contains(log, "vlan aware feature need to be enabled to use trunks") {
		t.Errorf("log:\n%s", log)
	}
	b.do("PUT", vm100+"/config", "net0=virtio=BC:24:11:00:00:01,bridge=vmbr2,trunks=5-6")
	b.task("POST", vm100+"/status/start", "")
	b.refused("PUT", vm100+"/config", "net0=virtio=BC:24:11:00:00:01,bridge=vmbr1,trunks=5-6", "hotplug problem - vlan aware feature need to be enabled to use trunks")
	b.do("PUT", vm100+"/config", "net0=virtio=BC:24:11:00:00:01,bridge=vmbr1")
	b.refused("PUT", vm100+"/config", "net1=virtio,bridge=vmbr1,trunks=5", "hotplug problem - error on hotplug device 'net1' - vlan aware feature")
}

// What waits goes on waiting where the guest turns its VM off by itself: only a task that stops it makes it the configuration.
func TestPendingAfterGuestsEnd(t *testing.T) {
	b := newTrial(t, Options{Guests: true})
	b.task("POST", "/nodes/pve1/qemu", "vmid=100&agent=1&cores=1&scsi0=local:1")
	current := func() map[string]any { return b.do("GET", vm100+"/config", "current=1").(map[string]any) }
	for i, stop := range []func(){
		func() {
			b.eventually("the agent", func() bool { return b.Guest(100).Boot() })
			b.do("POST", vm100+"/agent/shutdown", "")
		},
		func() { b.task("POST", vm100+"/status/shutdown", "") },
	} {
		b.task("POST", vm100+"/status/start", "")
		has(t, current(), "cores", 1+i)
		b.do("PUT", vm100+"/config", "cores="+string(rune('2'+i)))
		stop()
		m := b.machine(100)
		b.eventually("the end of the VM", func() bool { b.mu.Lock(); defer b.mu.Unlock(); return !m.running })
		has(t, current(), "cores", 1+2*i)
	}
}
