package vsphere

import (
	"maps"
	"slices"
	"strings"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// pick is what a VM becomes by changes: from, with what they name of whole, which is all that is desired. The other
// wishes are somebody else's, or for later.
func pick(from, whole *backends.VMSpec, changes []backends.Change) *backends.VMSpec {
	to := *from
	to.Disks, to.Networks = maps.Clone(from.Disks), maps.Clone(from.Networks)
	for _, c := range changes {
		switch steps := c.Path.Steps(); steps[0].Name {
		case "name":
			to.Name = whole.Name
		case "description":
			to.Description = whole.Description
		case "tags":
			to.Tags = whole.Tags
		case "settings":
			to.Settings = whole.Settings
		case "guest_os":
			to.GuestOS = whole.GuestOS
		case "firmware":
			to.Firmware = whole.Firmware
		case "secure_boot":
			to.SecureBoot = whole.SecureBoot
		case "tpm":
			to.TPM = whole.TPM
		case "nested_virtualization":
			to.NestedVirtualization = whole.NestedVirtualization
		case "cpu":
			to.CPU = whole.CPU
		case "memory":
			to.Memory = whole.Memory
		case "disks":
			pickKey(to.Disks, whole.Disks, c)
		case "networks":
			pickKey(to.Networks, whole.Networks, c)
		case "cdrom":
			to.CDROM = whole.CDROM
		case "dns":
			to.DNS = whole.DNS
		case "cloud_init":
			to.CloudInit = whole.CloudInit
		case "customization":
			to.Customization = whole.Customization
		case "placement":
			to.Placement = whole.Placement
		case "host_devices":
			to.HostDevices = whole.HostDevices
		case "vsphere":
			to.VSphere = pickOption(to.VSphere, whole.VSphere, c)
		}
	}
	return &to
}

// pickKey takes one disk or interface, whole: its other attributes are in other changes, or do not differ.
func pickKey[T any](to, whole map[string]T, c backends.Change) {
	if want, ok := whole[c.Key]; ok {
		to[c.Key] = want
		return
	}
	delete(to, c.Key)
}

func pickOption(to, whole *backends.VSphereOptions, c backends.Change) *backends.VSphereOptions {
	if whole == nil {
		return to
	}
	o := orElse(to, backends.VSphereOptions{})
	switch strings.TrimPrefix(string(c.Path), "vsphere.") {
	case "hardware_version":
		o.HardwareVersion = whole.HardwareVersion
	case "extra_config":
		o.ExtraConfig = whole.ExtraConfig
	case "custom_attributes":
		o.CustomAttributes = whole.CustomAttributes
	case "boot_order":
		o.BootOrder = slices.Clone(whole.BootOrder)
	case "boot_delay_ms":
		o.BootDelayMs = whole.BootDelayMs
	case "latency_sensitivity":
		o.LatencySensitivity = whole.LatencySensitivity
	case "scsi_controller":
		o.SCSIType = whole.SCSIType
	}
	return &o
}
