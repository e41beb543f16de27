package vmschema

import (
	"github.com/hashicorp/terraform-plugin-framework-validators/int64validator"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// Memory is a VM's memory.
type Memory struct {
	SizeMiB        *int64 `tfsdk:"size_mib"`
	MaxMiB         *int64 `tfsdk:"max_mib"`
	HotAdd         *bool  `tfsdk:"hot_add"`
	ReservationMiB *int64 `tfsdk:"reservation_mib"`
	LimitMiB       *int64 `tfsdk:"limit_mib"`
	Shares         *int64 `tfsdk:"shares"`
	Ballooning     *bool  `tfsdk:"ballooning"`
}

// mostMiB is 64 TiB: more than any hypervisor gives, less than what overflows.
const mostMiB = 64 << 20

func memoryAttribute() schema.Attribute {
	amount := int64validator.Between(1, mostMiB)
	return object("Memory.", map[string]schema.Attribute{
		"size_mib": integer("Memory, in MiB. Default: the hypervisor's. It grows in a running VM up to `max_mib`; less needs a restart, except on libvirt without `hot_add`, which takes it back through the balloon.", amount),
		"max_mib":  integer("Memory to which `size_mib` can be raised while the VM runs, in MiB. Default: the value of `size_mib`, so that raising it needs a restart.", amount),
		"hot_add": flag("Let memory grow by modules that are plugged into the running VM. It then has slots for them, which vSphere and Proxmox VE want to know in advance. " +
			"On libvirt `true` plugs modules of whole 128 MiB and takes none back without a restart, and `false` gives and takes memory through the balloon below `max_mib`, with which the guest must cooperate. " +
			"Default: the hypervisor's; on libvirt false. Changing it restarts a running VM."),
		"reservation_mib": integer("Memory that the host keeps for the VM, in MiB. As much as `size_mib` is all of it, which is then locked to the host. libvirt takes all of the VM's memory from the host when it starts, whatever the number, or none at 0. Default: none.",
			int64validator.Between(0, mostMiB)),
		"limit_mib":  integer("Most memory of the host that the VM may use, in MiB. Changed in place; 0 takes the limit away. Default: no limit.", int64validator.AtLeast(0)),
		"shares":     integer("Weight against other VMs when memory is short. libvirt cannot weigh memory and refuses it. 0 is the hypervisor's own. Default: the hypervisor's.", int64validator.AtLeast(0)),
		"ballooning": flag("Give the guest a balloon device through which the host takes unused memory back. On vSphere it is a part of the guest's tools, so the plan refuses it. Default: the hypervisor's."),
	})
}

func (m *Memory) expand(spec *backends.VMSpec) {
	if m == nil {
		return
	}
	spec.Memory = backends.Memory{
		SizeMiB: m.SizeMiB, MaxMiB: m.MaxMiB, HotAdd: m.HotAdd, ReservationMiB: m.ReservationMiB,
		LimitMiB: m.LimitMiB, Shares: m.Shares, Ballooning: m.Ballooning,
	}
}

func flattenMemory(c backends.Memory, prior *Memory) *Memory {
	p := value(prior)
	m := Memory{
		SizeMiB: or(c.SizeMiB, p.SizeMiB), MaxMiB: or(c.MaxMiB, p.MaxMiB), HotAdd: or(c.HotAdd, p.HotAdd),
		ReservationMiB: or(c.ReservationMiB, p.ReservationMiB), LimitMiB: or(c.LimitMiB, p.LimitMiB),
		Shares: or(c.Shares, p.Shares), Ballooning: or(c.Ballooning, p.Ballooning),
	}
	return some(m)
}
