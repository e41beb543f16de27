package vmschema

import (
	"github.com/hashicorp/terraform-plugin-framework-validators/stringvalidator"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// Libvirt is what exists on libvirt only.
type Libvirt struct {
	Machine    *string `tfsdk:"machine"`
	DomainType *string `tfsdk:"domain_type"`
	Loader     *string `tfsdk:"loader"`
	Autostart  *bool   `tfsdk:"autostart"`
}

func libvirtAttribute() schema.Attribute {
	return object("What exists on libvirt only; the plan refuses it elsewhere.", map[string]schema.Attribute{
		"machine":     text("Machine type: `q35`, `pc` or a versioned one. Default: `q35`. Changing it restarts a running VM.", stringvalidator.LengthAtLeast(1)),
		"domain_type": text("`kvm`, or `qemu` for emulation without hardware support. Default: the provider's, else `kvm` where it works. Changing it restarts a running VM.", oneOf("kvm", "qemu")),
		"loader":      text("Path of the firmware image on the host, instead of libvirt's own choice. Changing it restarts a running VM.", stringvalidator.LengthAtLeast(1)),
		"autostart":   flag("Start the VM with its host. Default: false."),
	})
}

func (m *Libvirt) expand(spec *backends.VMSpec) {
	if m != nil {
		spec.Libvirt = &backends.LibvirtOptions{Machine: m.Machine, DomainType: m.DomainType, Loader: m.Loader, Autostart: m.Autostart}
	}
}

func flattenLibvirt(c *backends.LibvirtOptions, prior *Libvirt) *Libvirt {
	if c == nil {
		return prior
	}
	p := value(prior)
	return some(Libvirt{
		Machine: or(c.Machine, p.Machine), DomainType: or(c.DomainType, p.DomainType),
		Loader: or(c.Loader, p.Loader), Autostart: or(c.Autostart, p.Autostart),
	})
}
