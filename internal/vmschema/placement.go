package vmschema

import (
	"github.com/hashicorp/terraform-plugin-framework-validators/stringvalidator"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// Placement is where a VM lives.
type Placement struct {
	Host         *string `tfsdk:"host"`
	Cluster      *string `tfsdk:"cluster"`
	ResourcePool *string `tfsdk:"resource_pool"`
	Folder       *string `tfsdk:"folder"`
	Storage      *string `tfsdk:"storage"`
	Pool         *string `tfsdk:"pool"`
}

func placementAttribute() schema.Attribute {
	named := stringvalidator.LengthAtLeast(1)
	return object("Where the VM lives. What is unset is the hypervisor's to choose, and a VM that the hypervisor moves is no difference.", map[string]schema.Attribute{
		"host":          text("Host that the VM runs on. Another host migrates the VM, live where it runs. libvirt and a stand-alone ESXi host are one host and refuse it.", named),
		"cluster":       text("Cluster that the VM runs in; another one migrates it.", named),
		"resource_pool": text("Resource pool that the VM's processors and memory are taken from. Changed in place.", named),
		"folder":        text("Folder that the VM is shown in, as a path such as `team/web` on vSphere. Changed in place.", named),
		"storage":       text("Storage for disks that name none. Default: the provider's.", named),
		"pool":          text("Pool of VMs for permissions and backup, on Proxmox VE. Changed in place; elsewhere the plan refuses it. Default: the provider's.", named),
	})
}

func (m *Placement) expand(spec *backends.VMSpec) {
	if m == nil {
		return
	}
	spec.Placement = backends.PlacementSpec{
		Host: m.Host, Cluster: m.Cluster, ResourcePool: m.ResourcePool, Folder: m.Folder, Storage: m.Storage, Pool: m.Pool,
	}
}

func flattenPlacement(c backends.PlacementSpec, prior *Placement) *Placement {
	p := value(prior)
	return some(Placement{
		Host: or(c.Host, p.Host), Cluster: or(c.Cluster, p.Cluster), ResourcePool: or(c.ResourcePool, p.ResourcePool),
		Folder: or(c.Folder, p.Folder), Storage: or(c.Storage, p.Storage), Pool: or(c.Pool, p.Pool),
	})
}
