package vmschema

import (
	"github.com/hashicorp/terraform-plugin-framework-validators/mapvalidator"
	"github.com/hashicorp/terraform-plugin-framework-validators/stringvalidator"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// HostDevice hands a device of the host to the guest.
type HostDevice struct {
	PCI     *string `tfsdk:"pci"`
	Mapping *string `tfsdk:"mapping"`
	USB     *string `tfsdk:"usb"`
	VGPU    *string `tfsdk:"vgpu"`
}

func hostDevicesAttribute() schema.Attribute {
	sibling := func(name string) path.Expression { return path.MatchRelative().AtParent().AtName(name) }
	input := func(doc string, v ...validator.String) schema.Attribute {
		return schema.StringAttribute{MarkdownDescription: doc, Optional: true, Validators: v}
	}
	return schema.MapNestedAttribute{
		MarkdownDescription: "Devices of the host that the guest gets for itself, by a name of your choice; each has one of `pci`, `mapping`, `usb` and `vgpu`. " +
			"vSphere takes `pci` and `vgpu`, and wants all of the VM's memory reserved (`memory.reservation_mib`). Changing them restarts a running VM. Where the hypervisor cannot the plan refuses it.",
		Optional: true, Validators: []validator.Map{stableKey, mapvalidator.NoNullValues()},
		NestedObject: schema.NestedAttributeObject{Attributes: map[string]schema.Attribute{
			"pci": input("PCI address on the host, such as `0000:65:00.0`.",
				stringvalidator.ExactlyOneOf(sibling("pci"), sibling("mapping"), sibling("usb"), sibling("vgpu")),
				matches(`^([0-9a-f]{4}:)?[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]$`, "must be a PCI address such as 0000:65:00.0")),
			"mapping": input("Name under which a cluster knows the device on each host."),
			"usb":     input("Vendor and product, such as `046d:c52b`.", matches(`^[0-9a-f]{4}:[0-9a-f]{4}$`, "must be vendor and product, such as 046d:c52b")),
			"vgpu":    input("Profile of a virtual graphics processor, such as `grid_p40-2q`.", stringvalidator.LengthAtLeast(1)),
		}},
	}
}

func expandHostDevices(m map[string]*HostDevice) map[string]backends.HostDevice {
	if m == nil {
		return nil
	}
	out := make(map[string]backends.HostDevice, len(m))
	for key, d := range m {
		if d != nil {
			out[key] = backends.HostDevice{PCI: value(d.PCI), Mapping: value(d.Mapping), USB: value(d.USB), VGPU: value(d.VGPU)}
		}
	}
	return out
}

func flattenHostDevices(c map[string]backends.HostDevice, prior map[string]*HostDevice) map[string]*HostDevice {
	if c == nil || len(c) == 0 && prior == nil {
		return prior
	}
	out := make(map[string]*HostDevice, len(c))
	for key, d := range c {
		out[key] = &HostDevice{PCI: some(d.PCI), Mapping: some(d.Mapping), USB: some(d.USB), VGPU: some(d.VGPU)}
	}
	return out
}
