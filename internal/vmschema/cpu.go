package vmschema

import (
	"github.com/hashicorp/terraform-plugin-framework-validators/int64validator"
	"github.com/hashicorp/terraform-plugin-framework-validators/stringvalidator"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// CPU is a VM's processors.
type CPU struct {
	Cores          *int64  `tfsdk:"cores"`
	Sockets        *int64  `tfsdk:"sockets"`
	Threads        *int64  `tfsdk:"threads"`
	MaxCores       *int64  `tfsdk:"max_cores"`
	Model          *string `tfsdk:"model"`
	HotAdd         *bool   `tfsdk:"hot_add"`
	ReservationMHz *int64  `tfsdk:"reservation_mhz"`
	LimitMHz       *int64  `tfsdk:"limit_mhz"`
	Shares         *int64  `tfsdk:"shares"`
	Affinity       *string `tfsdk:"affinity"`
}

func cpuAttribute() schema.Attribute {
	count := int64validator.Between(1, 1024)
	return object("Processors. The guest sees `sockets` × `cores` × `threads` of them.", map[string]schema.Attribute{
		"cores":   integer("Cores per socket, 1 to 1024. Default: 1. More cores are plugged into a running VM up to `max_cores`; fewer need a restart.", count),
		"sockets": integer("Sockets, 1 to 1024. Default: 1. Changing it restarts a running VM.", count),
		"threads": integer("Threads per core, 1 to 1024; vSphere and Proxmox VE have 1 only. Default: 1. Changing it restarts a running VM.", count),
		"max_cores": integer("Cores per socket to which `cores` can be raised while the VM runs. Default: the value of `cores`, so that raising it needs a restart.",
			count),
		"model": text("Processor model that the guest sees: `host-passthrough`, `host-model`, or a name that the hypervisor knows. vSphere has none to choose and refuses it; Proxmox VE also takes flags behind it, `x86-64-v2-AES,flags=+aes;-pcid`. Default: the hypervisor's. Changing it restarts a running VM.",
			stringvalidator.LengthBetween(1, 100)),
		"hot_add":         flag("Allow processors to be plugged into the running VM, on hypervisors that want to know in advance. libvirt only needs `max_cores`, and takes none back from a running VM. On vSphere, a `max_cores` above `cores` switches it on. Default: the hypervisor's. Changing it restarts a running VM where the hypervisor has the switch."),
		"reservation_mhz": integer("Guaranteed processor time, in MHz. libvirt and Proxmox VE can guarantee none and refuse it: use `shares`. Default: none.", int64validator.AtLeast(0)),
		"limit_mhz":       integer("Most processor time that the VM may use, in MHz; libvirt and Proxmox VE make a share of the host's clock of it. Changed in place; 0 takes the limit away. Default: no limit.", int64validator.AtLeast(0)),
		"shares":          integer("Weight against other VMs when processor time is short. Changed in place; 0 is the hypervisor's own. Default: the hypervisor's.", int64validator.AtLeast(0)),
		"affinity": text("Host processors that the VM may run on, such as `0-3,8`. Default: any.",
			matches(`^\d+(-\d+)?(,\d+(-\d+)?)*$`, "must be a list of host processors such as 0-3,8")),
	})
}

func (m *CPU) expand(spec *backends.VMSpec) {
	if m == nil {
		return
	}
	spec.CPU = backends.CPU{
		Cores: m.Cores, Sockets: m.Sockets, Threads: m.Threads, MaxCores: m.MaxCores, Model: m.Model, HotAdd: m.HotAdd,
		ReservationMHz: m.ReservationMHz, LimitMHz: m.LimitMHz, Shares: m.Shares, Affinity: m.Affinity,
	}
}

func flattenCPU(c backends.CPU, prior *CPU) *CPU {
	p := value(prior)
	m := CPU{
		Cores: or(c.Cores, p.Cores), Sockets: or(c.Sockets, p.Sockets), Threads: or(c.Threads, p.Threads),
		MaxCores: or(c.MaxCores, p.MaxCores), Model: or(c.Model, p.Model), HotAdd: or(c.HotAdd, p.HotAdd),
		ReservationMHz: or(c.ReservationMHz, p.ReservationMHz), LimitMHz: or(c.LimitMHz, p.LimitMHz),
		Shares: or(c.Shares, p.Shares), Affinity: or(c.Affinity, p.Affinity),
	}
	return some(m)
}
