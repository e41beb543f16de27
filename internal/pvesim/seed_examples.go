package pvesim

import (
	"fmt"
	"strings"
	"time"

	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/pvesim/apischema"
)

// ExampleTemplate is the id of the template of Options.Examples.
const ExampleTemplate = 9000

// seedExamples makes what Options.Examples promises.
func (c *cluster) seedExamples() {
	c.pools["production"] = &pool{name: "production", members: map[int]bool{}, storages: map[string]bool{}}
	c.storages = append(c.storages, &storage{id: "lvm", kind: "lvm", capacity: 1024 * gib, options: section{"vgname": "vg0", "content": "images"}})
	var pci, usb []string
	for _, n := range c.nodes {
		pci = append(pci, "node="+n.name+",path=0000:01:00.0,id=10de:2204,iommugroup=1")
		usb = append(usb, "node="+n.name+",path=1-2,id=0951:1666")
	}
	c.misc.mappings["pci"].ids["gpu"] = section{"map": strings.Join(pci, apischema.Separator)}
	c.misc.mappings["usb"].ids["stick"] = section{"map": strings.Join(usb, apischema.Separator)}
	c.seedTemplate()
}

// seedTemplate makes the template, on the storage that all nodes share where there is one: then each can clone it.
func (c *cluster) seedTemplate() {
	n, st := c.nodes[0], c.storage("shared")
	if st == nil {
		st = c.storage("local")
	}
	v, err := c.allocate(st, n.name, ExampleTemplate, "qcow2", 2*gib)
	if err == nil {
		_, err = v.data.WriteAt([]byte(GuestMarker), 0)
	}
	if err == nil {
		err = c.makeBase(v)
	}
	if err != nil {
		panic(fmt.Sprintf("pvesim: the template: %v", err)) // an empty storage takes it
	}
	m := newMachine(ExampleTemplate, n)
	m.template = true
	m.config = section{
		"name": "debian-12-template", "cores": "2", "memory": "2048", "cpu": "x86-64-v2-AES", "ostype": "l26", "scsihw": "virtio-scsi-single",
		"scsi0": v.volid + ",size=2G", "boot": "order=scsi0", "agent": "1", "serial0": "socket",
		"net0": "virtio=BC:24:11:90:00:00,bridge=vmbr0", "smbios1": "uuid=" + newUUID(), "vmgenid": newUUID(),
		"meta": fmt.Sprintf("creation-qemu=9.2.0,ctime=%d", time.Now().Unix()),
	}
	c.machines[m.id] = m
}
