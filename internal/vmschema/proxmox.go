package vmschema

import (
	"maps"
	"reflect"
	"slices"

	"github.com/hashicorp/terraform-plugin-framework-validators/int64validator"
	"github.com/hashicorp/terraform-plugin-framework-validators/listvalidator"
	"github.com/hashicorp/terraform-plugin-framework-validators/mapvalidator"
	"github.com/hashicorp/terraform-plugin-framework-validators/stringvalidator"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// Proxmox is what exists on Proxmox VE only.
type Proxmox struct {
	VMID           *int64            `tfsdk:"vm_id"`
	Machine        *string           `tfsdk:"machine"`
	SCSIController *string           `tfsdk:"scsi_controller"`
	Autostart      *bool             `tfsdk:"autostart"`
	BootOrder      []string          `tfsdk:"boot_order"`
	Snippets       map[string]string `tfsdk:"snippets"`
	Options        map[string]string `tfsdk:"options"`
}

const (
	leastVMID, mostVMID = 100, 999_999_999
)

func proxmoxAttribute() schema.Attribute {
	return object("What exists on Proxmox VE only; the plan refuses it elsewhere.", map[string]schema.Attribute{
		"vm_id": integer("The VM's number, 100 to 999999999, which must be free. Default: the next free one of the provider's `vm_id_range`. Fixed at creation.",
			int64validator.Between(leastVMID, mostVMID)),
		"machine": text("Machine type: `q35`, `pc` (i440fx) or a versioned one such as `pc-q35-9.0`. Default: `q35` with UEFI, else `pc`. Changing it restarts a running VM.", stringvalidator.LengthAtLeast(1)),
		"scsi_controller": text("Controller of disks on the bus `scsi`: `virtio-scsi-single` (one for each disk), `virtio-scsi-pci`, `lsi`, `lsi53c810`, `megasas` or `pvscsi`. Default: `virtio-scsi-single`. Changing it restarts a running VM.",
			oneOf("virtio-scsi-single", "virtio-scsi-pci", "lsi", "lsi53c810", "megasas", "pvscsi")),
		"autostart": flag("Start the VM with its node. Default: false."),
		"boot_order": textList("What the firmware tries, in order: keys of `disks`, keys of `networks`, and `cdrom`. A key of both means the disk. Default: `root`, then `cdrom`, then the networks. Changed in place, for the next boot.",
			listvalidator.UniqueValues(), listvalidator.ValueStringsAre(stringvalidator.LengthAtLeast(1))),
		"snippets": schema.MapAttribute{
			MarkdownDescription: "Volumes of cloud-init data that replace what Proxmox VE makes: by `user`, `network`, `meta` and `vendor`, such as `local:snippets/web.yaml`. " +
				"Proxmox VE has no way to upload snippets; where there are none, `cloud_init.user_data` brings its own medium. Changed in place, for the next boot.",
			Optional: true, Computed: true, ElementType: types.StringType,
			Validators: []validator.Map{mapvalidator.NoNullValues(), mapvalidator.KeysAre(oneOf("user", "network", "meta", "vendor")), mapvalidator.ValueStringsAre(stringvalidator.LengthAtLeast(1))},
		},
		"options": optionsAttribute("Further settings of the VM by Proxmox VE's own names and in its own form, such as `{ numa = \"1\", hugepages = \"1024\", protection = \"1\", startup = \"order=3,up=60\", vga = \"virtio,memory=64\", serial0 = \"socket\" }`. "+
			"`args`, and some others, Proxmox VE lets only root@pam set. `tablet`, `protection`, `startup` and `hookscript` are changed in place, others restart a running VM.",
			`^(acpi|agent|amd-sev|intel-tdx|args|arch|audio0|freeze|hookscript|hugepages|keephugepages|ivshmem|keyboard|kvm|localtime|migrate_downtime|migrate_speed|numa|numa[0-7]|parallel[0-2]|protection|reboot|serial[0-3]|smbios1|spice_enhancements|startdate|startup|tablet|tdf|vga|vmstatestorage)$`,
			"must be a setting of Proxmox VE's that no attribute of the schema stands for, such as numa, hugepages, kvm, tablet, protection, startup, vga, serial0 or agent"),
	})
}

// optionsAttribute is a map of settings by the hypervisor's own names.
func optionsAttribute(doc, keys, message string) schema.MapAttribute {
	return schema.MapAttribute{
		MarkdownDescription: doc + " A name that is taken out here gets the hypervisor's default again; names that were never here are left alone. Default: none.",
		Optional:            true, Computed: true, ElementType: types.StringType,
		Validators: []validator.Map{mapvalidator.NoNullValues(), mapvalidator.KeysAre(matches(keys, message)), mapvalidator.ValueStringsAre(stringvalidator.LengthAtLeast(1))},
	}
}

func (m *Proxmox) expand(spec *backends.VMSpec) {
	if m == nil {
		return
	}
	spec.Proxmox = &backends.ProxmoxOptions{
		VMID: m.VMID, Machine: m.Machine, SCSIController: m.SCSIController, Autostart: m.Autostart,
		BootOrder: slices.Clone(m.BootOrder), Snippets: maps.Clone(m.Snippets), Options: maps.Clone(m.Options),
	}
}

func flattenProxmox(c *backends.ProxmoxOptions, prior *Proxmox) *Proxmox {
	if c == nil {
		return prior
	}
	p := value(prior)
	m := &Proxmox{
		VMID: or(c.VMID, p.VMID), Machine: or(c.Machine, p.Machine), SCSIController: or(c.SCSIController, p.SCSIController),
		Autostart: or(c.Autostart, p.Autostart), BootOrder: p.BootOrder, Snippets: orMap(c.Snippets, p.Snippets), Options: orMap(c.Options, p.Options),
	}
	if c.BootOrder != nil {
		m.BootOrder = slices.Clone(c.BootOrder)
	}
	if reflect.ValueOf(*m).IsZero() {
		return nil
	}
	return m
}

// orMap is an observed map, or the prior one where none is told.
func orMap(observed, prior map[string]string) map[string]string {
	if observed == nil {
		return prior
	}
	return maps.Clone(observed)
}
