package proxmox

import (
	"maps"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// picked is what changes name of what is desired. All else is nil, which leaves a VM as it is: the other wishes are for later.
func picked(from, desired *backends.VMSpec, changes []backends.Change) *backends.VMSpec {
	to := &backends.VMSpec{Name: from.Name}
	for _, c := range changes {
		switch c.Path.Steps()[0].Name {
		case "name":
			to.Name = desired.Name
		case "description":
			to.Description = desired.Description
		case "tags":
			to.Tags = desired.Tags
		case "settings":
			to.Settings = desired.Settings
		case "guest_os":
			to.GuestOS = desired.GuestOS
		case "firmware":
			to.Firmware = desired.Firmware
		case "secure_boot":
			to.SecureBoot = desired.SecureBoot
		case "tpm":
			to.TPM = desired.TPM
		case "nested_virtualization":
			to.NestedVirtualization = desired.NestedVirtualization
		case "cpu":
			to.CPU = desired.CPU
		case "memory":
			to.Memory = desired.Memory
		case "disks":
			to.Disks = pickKey(to.Disks, from.Disks, desired.Disks, c.Key)
		case "networks":
			to.Networks = pickKey(to.Networks, from.Networks, desired.Networks, c.Key)
		case "cdrom":
			to.CDROM = desired.CDROM
		case "dns":
			to.DNS = desired.DNS
		case "cloud_init":
			to.CloudInit = desired.CloudInit
		case "customization":
			to.Customization = desired.Customization
		case "placement":
			to.Placement = desired.Placement
		case "host_devices":
			to.HostDevices = desired.HostDevices
		case "console":
			to.Console = desired.Console
		case "watchdog":
			to.Watchdog = desired.Watchdog
		case "rng":
			to.RNG = desired.RNG
		case "proxmox":
			to.Proxmox = desired.Proxmox
		}
	}
	return to
}

// pickKey takes one disk or interface, whole, beside those that there are: its other attributes are in other changes, or do not differ.
func pickKey[T any](to, from, desired map[string]T, key string) map[string]T {
	if to == nil {
		to = maps.Clone(from)
	}
	if to == nil {
		to = map[string]T{}
	}
	if want, ok := desired[key]; ok {
		to[key] = want
	} else {
		delete(to, key)
	}
	return to
}
