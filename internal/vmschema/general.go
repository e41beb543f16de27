package vmschema

import (
	"slices"

	"github.com/hashicorp/terraform-plugin-framework-validators/setvalidator"
	"github.com/hashicorp/terraform-plugin-framework-validators/stringvalidator"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// General is what a VM is as a whole.
type General struct {
	Name                 *string  `tfsdk:"name"`
	Description          *string  `tfsdk:"description"`
	Tags                 []string `tfsdk:"tags"`
	GuestOS              *string  `tfsdk:"guest_os"`
	Firmware             *string  `tfsdk:"firmware"`
	SecureBoot           *bool    `tfsdk:"secure_boot"`
	TPM                  *bool    `tfsdk:"tpm"`
	NestedVirtualization *bool    `tfsdk:"nested_virtualization"`
	Watchdog             *string  `tfsdk:"watchdog"`
	RNG                  *bool    `tfsdk:"rng"`
}

func generalAttributes() map[string]schema.Attribute {
	return map[string]schema.Attribute{
		"name": schema.StringAttribute{
			MarkdownDescription: "Name of the VM, unique on the hypervisor. It can be changed in place; libvirt restarts a running VM for that.",
			Required:            true,
			Validators:          []validator.String{vmName},
		},
		"description": text("Free text, shown by the hypervisor's own tools. Changing it never restarts the VM. `\"\"` clears it."),
		"tags": schema.SetAttribute{
			MarkdownDescription: "Tags of the VM. Unset leaves the VM's tags alone; `[]` removes them all.",
			Optional:            true, Computed: true, ElementType: types.StringType,
			Validators: []validator.Set{setvalidator.NoNullValues(), setvalidator.ValueStringsAre(matches(`^[A-Za-z0-9][A-Za-z0-9._:-]{0,62}$`,
				"must have 1 to 63 letters, digits, dots, colons, underscores and hyphens, and start with a letter or digit"))},
		},
		"guest_os": text("Operating system of the guest: `linux`, `windows`, `other`, or the hypervisor's own identifier. It selects defaults for devices. Default: the hypervisor's.",
			stringvalidator.LengthBetween(1, 100)),
		"firmware": text("Firmware: `bios` or `uefi`. Default: the hypervisor's. Changing it restarts a running VM, and the guest must be able to boot from the other.",
			oneOf("bios", "uefi")),
		"secure_boot":           flag("Verify the guest's boot loader. Needs `firmware = \"uefi\"`. Default: false."),
		"tpm":                   flag("Give the guest a TPM 2.0 of its own. On libvirt swtpm emulates it; vSphere needs `firmware = \"uefi\"` and a key provider in vCenter. Default: false."),
		"nested_virtualization": flag("Let the guest run VMs itself. Default: the hypervisor's."),
		"watchdog": text("What a watchdog does when the guest stops feeding it: `reset`, `poweroff`, `pause`, or `none` for the device alone; `\"\"` takes the device away. "+
			"The guest needs a service that feeds it. vSphere has none and refuses it. Default: no watchdog. Changing it restarts a running VM.", oneOf("reset", "poweroff", "pause", "none", "")),
		"rng": flag("A device through which the host gives the guest random numbers (virtio-rng), so that a fresh guest need not wait for them at boot. vSphere has none and refuses it. Default: the hypervisor's; on libvirt true. Changing it restarts a running VM."),
	}
}

// vmName accepts what every hypervisor can store and every tool can print.
var vmName = matches(`^[^\s/\\%"'<>&\x00-\x1f]([^/\\%"'<>&\x00-\x1f]{0,78}[^\s/\\%"'<>&\x00-\x1f])?$`,
	"must have 1 to 80 characters, no slash, backslash, percent sign, quotation mark, angle bracket or ampersand, and no blank at either end")

func (m General) expand(spec *backends.VMSpec) {
	spec.Name = value(m.Name)
	spec.Description = m.Description
	spec.Tags = slices.Clone(m.Tags)
	slices.Sort(spec.Tags)
	spec.GuestOS = m.GuestOS
	spec.Firmware = m.Firmware
	spec.SecureBoot = m.SecureBoot
	spec.TPM = m.TPM
	spec.NestedVirtualization = m.NestedVirtualization
	spec.Watchdog = m.Watchdog
	spec.RNG = m.RNG
}

func flattenGeneral(c *backends.VMSpec, prior General) General {
	m := General{
		Name:                 or(some(c.Name), prior.Name),
		Description:          or(c.Description, prior.Description),
		Tags:                 prior.Tags,
		GuestOS:              or(c.GuestOS, prior.GuestOS),
		Firmware:             or(c.Firmware, prior.Firmware),
		SecureBoot:           or(c.SecureBoot, prior.SecureBoot),
		TPM:                  or(c.TPM, prior.TPM),
		NestedVirtualization: or(c.NestedVirtualization, prior.NestedVirtualization),
		Watchdog:             or(c.Watchdog, prior.Watchdog),
		RNG:                  or(c.RNG, prior.RNG),
	}
	if c.Tags != nil {
		m.Tags = c.Tags
	}
	return m
}
