package pvesim

import (
	"fmt"
	"time"
)

// bulkID is the id of the first of Options.VMs.
const bulkID = 10000

// seedMachines makes the stopped VMs of Options.VMs, each with two disks, in turns on the nodes.
func (c *cluster) seedMachines() {
	st := c.storage("local-lvm")
	for i := range c.opts.VMs {
		n := c.nodes[i%len(c.nodes)]
		m := newMachine(bulkID+i, n)
		uuid := newUUID()
		m.config = section{
			"name": fmt.Sprintf("bulk-%04d", i), "cores": "2", "memory": "2048", "ostype": "l26", "scsihw": "virtio-scsi-single",
			"boot": "order=scsi0", "agent": "1", "net0": fmt.Sprintf("virtio=BC:24:11:%02X:%02X:%02X,bridge=vmbr0", i>>16&255, i>>8&255, i&255),
			"smbios1": "uuid=" + uuid, "vmgenid": newUUID(), "meta": fmt.Sprintf("creation-qemu=9.2.0,ctime=%d", time.Now().Unix()),
		}
		for disk, size := range []int64{16 * gib, 32 * gib} {
			// Under a name that is free for sure: the search for one takes long where there are thousands.
			v := c.add(&volume{
				volid: fmt.Sprintf("%s:vm-%d-disk-%d", st.id, m.id, disk), node: st.where(n.name), storage: st,
				content: "images", format: "raw", vmid: m.id, size: size,
			})
			m.config[fmt.Sprintf("scsi%d", disk)] = fmt.Sprintf("%s,size=%dG", v.volid, size/gib)
		}
		c.machines[m.id] = m
	}
}
