package vsphere

import "github.com/virtrigaud/terraform-provider-virtrigaud/backends"

// observeHardware fills in what the VM's virtual hardware says: processors, memory, firmware,
// devices other than disks and interfaces, options.
func (m *machine) observeHardware(spec *backends.VMSpec) {
	m.observeCPU(spec)
	m.observeMemory(spec)
	m.observeFirmware(spec)
	spec.GuestOS = m.observeGuestOS()
	spec.CDROM = m.observeCDROM()
	spec.HostDevices, _ = m.hostDevices()
	spec.VSphere = m.observeOptions()
}
