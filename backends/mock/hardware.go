package mock

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// hostDevices are what every host has to give away. Which VM uses one is not pretended.
var hostDevices = []backends.HostDevice{
	{PCI: "0000:65:00.0"}, {Mapping: "gpu"}, {USB: "046d:c52b"}, {VGPU: "grid_p40-2q"},
}

func validateHostDevices(all map[string]backends.HostDevice) *backends.Error {
	for _, key := range sortedKeys(all) {
		if d := all[key]; !slices.Contains(hostDevices, d) {
			names := make([]string, len(hostDevices))
			for i, one := range hostDevices {
				names[i] = one.PCI + one.Mapping + one.USB + one.VGPU
			}
			e := refusal(backends.NotFound, backends.Path("host_devices").Key(key), "no host has the device %q", d.PCI+d.Mapping+d.USB+d.VGPU)
			e.Remedy = fmt.Sprintf("There are %s.", strings.Join(names, ", "))
			return e
		}
	}
	return nil
}

var slotForm = regexp.MustCompile(`^[0-9]{1,2}:[0-9]{1,3}$`)

// validateSlots checks the places that disks ask for on their buses.
func validateSlots(disks map[string]backends.Disk) *backends.Error {
	taken := map[string]string{}
	for _, key := range sortedKeys(disks) {
		d, p := disks[key], backends.Path("disks").Key(key).Attr("slot")
		if d.Slot == nil {
			continue
		}
		place := *d.Bus + " " + *d.Slot
		switch other, twice := taken[place]; {
		case !slotForm.MatchString(*d.Slot):
			return refusal(backends.Invalid, p, `%q is no slot such as "1:0", controller and unit`, *d.Slot)
		case twice:
			return refusal(backends.Invalid, p, "slot %s of the %s bus has the disk %q", *d.Slot, *d.Bus, other)
		}
		taken[place] = key
	}
	return nil
}

// validateVSphere checks what exists on vSphere only, for a mock that imitates it.
func validateVSphere(s *backends.VMSpec) *backends.Error {
	o := s.VSphere
	if o == nil {
		return nil
	}
	if v := o.HardwareVersion; v != nil && (*v < 10 || *v > 22) {
		return refusal(backends.Invalid, "vsphere.hardware_version", "version %d is not between 10 and 22", *v)
	}
	if name, ok := bootless(s, o.BootOrder); ok {
		return refusal(backends.Invalid, "vsphere.boot_order", `%q is no key of disks or networks, and not "cdrom"`, name)
	}
	return nil
}

// validateProxmox checks what exists on Proxmox VE only, for a mock that imitates it.
func validateProxmox(s *backends.VMSpec) *backends.Error {
	o := s.Proxmox
	if o == nil {
		return nil
	}
	if v := o.VMID; v != nil && (*v < 100 || *v > 999999999) {
		return refusal(backends.Invalid, "proxmox.vm_id", "%d is not between 100 and 999999999", *v)
	}
	if name, ok := bootless(s, o.BootOrder); ok {
		return refusal(backends.Invalid, "proxmox.boot_order", `%q is no key of disks or networks, and not "cdrom"`, name)
	}
	return nil
}

// bootless is the first name of an order of boot that the VM does not have.
func bootless(s *backends.VMSpec, order []string) (name string, ok bool) {
	i := slices.IndexFunc(order, func(name string) bool { return !boots(s, name) })
	if i < 0 {
		return "", false
	}
	return order[i], true
}

func boots(s *backends.VMSpec, name string) bool {
	_, disk := s.Disks[name]
	_, nic := s.Networks[name]
	return disk || nic || name == "cdrom"
}

// forgetBoot takes from an order of boot that nobody asked for now what the VM does not have.
func forgetBoot(s, asked *backends.VMSpec) {
	gone := func(name string) bool { return !boots(s, name) }
	if s.VSphere != nil && (asked.VSphere == nil || asked.VSphere.BootOrder == nil) {
		s.VSphere.BootOrder = slices.DeleteFunc(s.VSphere.BootOrder, gone)
	}
	if s.Proxmox != nil && (asked.Proxmox == nil || asked.Proxmox.BootOrder == nil) {
		s.Proxmox.BootOrder = slices.DeleteFunc(s.Proxmox.BootOrder, gone)
	}
}
