package ovf

import (
	"fmt"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// Key is the key in Hardware of the disk that is number i in Disks.
func Key(i int) string {
	if i == 0 {
		return "root"
	}
	return fmt.Sprintf("disk%d", i+1)
}

// Hardware is what the package asks for in portable terms, see backends.Appliance.
func (d *Descriptor) Hardware() backends.VMSpec {
	s := backends.VMSpec{Name: d.Name, Disks: map[string]backends.Disk{}, Networks: map[string]backends.NIC{}}
	set := func(to **string, value string) {
		if value != "" {
			*to = &value
		}
	}
	set(&s.Description, d.Description)
	set(&s.GuestOS, d.OS)
	set(&s.Firmware, d.Firmware)
	if cores := d.CPUs; cores > 0 {
		if per := d.CoresPerSocket; per > 0 && cores%per == 0 {
			sockets := cores / per
			s.CPU.Sockets, cores = &sockets, per
		}
		s.CPU.Cores = &cores
	}
	if size := d.MemoryMiB; size > 0 {
		s.Memory.SizeMiB = &size
	}
	for i, disk := range d.Disks {
		size := ceil(disk.CapacityBytes, 1<<30)
		x := backends.Disk{SizeGiB: &size}
		set(&x.Bus, disk.Bus)
		s.Disks[Key(i)] = x
	}
	for i, nic := range d.NICs {
		var x backends.NIC
		set(&x.Model, nic.Model)
		set(&x.Network, nic.Network)
		s.Networks[fmt.Sprintf("net%d", i+1)] = x
	}
	return s
}
