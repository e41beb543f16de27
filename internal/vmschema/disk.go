package vmschema

import (
	"maps"

	"github.com/hashicorp/terraform-plugin-framework-validators/int64validator"
	"github.com/hashicorp/terraform-plugin-framework-validators/mapvalidator"
	"github.com/hashicorp/terraform-plugin-framework-validators/stringvalidator"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/booldefault"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// Disk is one disk of a VM.
type Disk struct {
	SizeGiB       *int64            `tfsdk:"size_gib"`
	Storage       *string           `tfsdk:"storage"`
	Provisioning  *string           `tfsdk:"provisioning"`
	Format        *string           `tfsdk:"format"`
	Policy        *string           `tfsdk:"policy"`
	Bus           *string           `tfsdk:"bus"`
	Cache         *string           `tfsdk:"cache"`
	Discard       *bool             `tfsdk:"discard"`
	SSD           *bool             `tfsdk:"ssd"`
	IOThread      *bool             `tfsdk:"iothread"`
	KeepOnDestroy *bool             `tfsdk:"keep_on_destroy"`
	IOPSLimit     *int64            `tfsdk:"iops_limit"`
	ThroughputMiB *int64            `tfsdk:"throughput_mib"`
	Slot          *string           `tfsdk:"slot"`
	Shared        *bool             `tfsdk:"shared"`
	Options       map[string]string `tfsdk:"options"`
	Volume        *string           `tfsdk:"volume"`
	Device        *string           `tfsdk:"device"`
	Path          *string           `tfsdk:"path"`
}

const (
	mostGiB  = 1 << 20 // 1 PiB
	mostIOPS = 1 << 30
)

func disksAttribute() schema.Attribute {
	sibling := func(name string) path.Expression { return path.MatchRelative().AtParent().AtName(name) }
	return schema.MapNestedAttribute{
		MarkdownDescription: "Disks, by a name of your choice that stays the same for the life of the disk; their order means nothing. " +
			"`root` receives the image and is what the VM boots from. A disk that is added or removed is plugged while the VM runs where its bus allows that; " +
			"a removed disk is deleted unless it has `keep_on_destroy` or is a `volume`. Unset leaves the VM's disks alone.",
		Optional: true, Computed: true,
		Validators: []validator.Map{stableKey, mapvalidator.NoNullValues(), mapvalidator.SizeAtMost(60)},
		NestedObject: schema.NestedAttributeObject{Attributes: map[string]schema.Attribute{
			"size_gib": integer("Size, in GiB, at least 1. Default for `root`: the image's. It grows while the VM runs; shrinking is refused at plan. "+
				"The file system in the guest is grown by the guest, which cloud images do for `root` at boot.", int64validator.Between(1, mostGiB)),
			"storage":      text("Storage, pool or datastore that holds the disk; on vSphere a datastore or a datastore cluster. Default: `placement.storage`, then the provider's. Fixed at creation, except on a vCenter and on Proxmox VE, which move the disk while the VM runs.", stringvalidator.LengthAtLeast(1)),
			"provisioning": text("`thin` takes space as it is written, `thick` takes all at once, `eager_zeroed` also writes it. Default: the hypervisor's. Fixed at creation.", oneOf("thin", "thick", "eager_zeroed")),
			"format":       text("Format on the storage: `qcow2`, `raw` or `vmdk`, which is vSphere's only one. Default: the hypervisor's; on Proxmox VE `qcow2` on storages of files. Fixed at creation, except on Proxmox VE, which converts the disk while the VM runs.", oneOf("qcow2", "raw", "vmdk")),
			"policy":       text("Storage policy by its name, on hypervisors that have such: vSphere with a vCenter, which changes it in place; elsewhere the plan refuses it.", stringvalidator.LengthAtLeast(1)),
			"bus":          text("Bus that the guest finds the disk on: `virtio`, `scsi`, `sata`, `ide` or `nvme`. libvirt and Proxmox VE have no `nvme`, vSphere no `virtio`. Default: the hypervisor's; on vSphere and Proxmox VE `scsi`. Changing it restarts a running VM.", oneOf("virtio", "scsi", "sata", "ide", "nvme")),
			"cache":        text("How the host caches: `none`, `writeback`, `writethrough`, `directsync` or `unsafe`. vSphere leaves that to the datastore and refuses it. Default: the hypervisor's. Changing it restarts a running VM.", oneOf("none", "writeback", "writethrough", "directsync", "unsafe")),
			"discard":      flag("Hand the guest's discards to the storage, which gives back the space. vSphere does so for thin disks by itself and refuses it. Default: the hypervisor's. Changing it restarts a running VM."),
			"ssd":          flag("Tell the guest that the disk does not rotate. vSphere has it in `vsphere.extra_config` only. Default: the hypervisor's. Changing it restarts a running VM."),
			"iothread":     flag("Serve the disk from a thread of its own. vSphere has none to give and refuses it. Default: the hypervisor's. Changing it restarts a running VM."),
			"keep_on_destroy": schema.BoolAttribute{
				MarkdownDescription: "Detach the disk instead of deleting it when the VM is destroyed or the disk is removed from the configuration. " +
					"What is kept must then be deleted by hand. Default: false.",
				Optional: true, Computed: true, Default: booldefault.StaticBool(false),
			},
			"iops_limit": integer("Most reads and writes together, in operations a second; 0 is no limit, and takes away one that is there. "+
				"Default: no limit at creation, later as it is. Changed in place.", int64validator.Between(0, mostIOPS)),
			"throughput_mib": integer("Most that is read and written together, in MiB a second; 0 is no limit, and takes away one that is there. "+
				"Default: no limit at creation, later as it is. Changed in place. vSphere limits operations only and refuses it.", int64validator.Between(0, mostMiB)),
			"slot": text("Place on the bus, as `CONTROLLER:UNIT` such as `1:0`. vSphere has it; where the hypervisor has no such places the plan refuses it. Default: the hypervisor's choice. Changing it restarts a running VM.",
				matches(`^[0-9]:([0-9]|[1-9][0-9]{1,2})$`, "must be a controller and a unit, such as 1:0")),
			"shared": flag("Let several VMs write to the disk at once; each of them sets it, and the guests need a file system or database for that. It goes with `volume`, for each VM but the one that makes the disk. " +
				"On vSphere the disk is `eager_zeroed`; where the hypervisor has no such disks the plan refuses it. Default: false. Changing it restarts a running VM."),
			"options": optionsAttribute("Further settings of the disk by Proxmox VE's own names and in its own form, such as `{ backup = \"0\", replicate = \"0\", aio = \"native\" }`; elsewhere the plan refuses them. "+
				"`backup` and `replicate` are changed in place, others restart a running VM.",
				`^(aio|backup|detect_zeroes|product|queues|replicate|rerror|ro|scsiblock|serial|snapshot|vendor|werror|wwn)$`,
				"must be a setting of Proxmox VE's disks that no attribute of the schema stands for, such as backup, replicate, aio, ro, serial or wwn"),
			"volume": text("Id of an existing disk to attach instead of making one. It is not the VM's own: it outlives the VM, its size and storage are its own, and snapshots leave it out. Where another VM has it, creation and change wait for up to 90 s until that one has let go, so that one apply hands a disk to the VM's successor. With `size_gib` in its place the volume is detached and a new disk is made.",
				stringvalidator.LengthAtLeast(1),
				stringvalidator.ConflictsWith(sibling("size_gib"), sibling("storage"), sibling("provisioning"), sibling("format"), sibling("policy"), sibling("keep_on_destroy"))),
			"device": told("The hypervisor's name for the slot, such as `vda` or `scsi0`."),
			"path":   told("Where the bytes are: a file, a volume or a datastore path."),
		}},
	}
}

func expandDisks(m map[string]*Disk) map[string]backends.Disk {
	if m == nil {
		return nil
	}
	out := make(map[string]backends.Disk, len(m))
	for key, d := range m {
		if d == nil { // not known yet
			d = &Disk{}
		}
		out[key] = backends.Disk{
			SizeGiB: d.SizeGiB, Storage: d.Storage, Provisioning: d.Provisioning, Format: d.Format, Policy: d.Policy,
			Bus: d.Bus, Cache: d.Cache, Discard: d.Discard, SSD: d.SSD, IOThread: d.IOThread,
			KeepOnDestroy: d.KeepOnDestroy, IOPSLimit: d.IOPSLimit, ThroughputMiB: d.ThroughputMiB, Volume: d.Volume,
			Slot: d.Slot, Shared: d.Shared, Options: maps.Clone(d.Options),
		}
	}
	return out
}

func flattenDisks(vm *backends.VM, prior map[string]*Disk) map[string]*Disk {
	if vm.Config.Disks == nil {
		return prior
	}
	out := make(map[string]*Disk, len(vm.Config.Disks))
	for key, d := range vm.Config.Disks {
		p, status := value(prior[key]), vm.Disks[key]
		out[key] = &Disk{
			SizeGiB: or(d.SizeGiB, p.SizeGiB), Storage: or(d.Storage, p.Storage), Provisioning: or(d.Provisioning, p.Provisioning),
			Format: or(d.Format, p.Format), Policy: or(d.Policy, p.Policy), Bus: or(d.Bus, p.Bus), Cache: or(d.Cache, p.Cache),
			Discard: or(d.Discard, p.Discard), SSD: or(d.SSD, p.SSD), IOThread: or(d.IOThread, p.IOThread),
			KeepOnDestroy: or(or(d.KeepOnDestroy, p.KeepOnDestroy), new(bool)), Volume: or(d.Volume, p.Volume),
			IOPSLimit: orNone(d.IOPSLimit), ThroughputMiB: orNone(d.ThroughputMiB), Slot: or(d.Slot, p.Slot), Shared: or(d.Shared, p.Shared), Options: orMap(d.Options, p.Options),
			Device: or(some(status.Device), p.Device), Path: or(some(status.Path), p.Path),
		}
	}
	return out
}
