package vmschema

import (
	"context"
	"fmt"
	"maps"
	"reflect"
	"regexp"
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

// VSphere is what exists on vSphere only.
type VSphere struct {
	HardwareVersion    *int64            `tfsdk:"hardware_version"`
	ExtraConfig        map[string]string `tfsdk:"extra_config"`
	CustomAttributes   map[string]string `tfsdk:"custom_attributes"`
	BootOrder          []string          `tfsdk:"boot_order"`
	BootDelayMs        *int64            `tfsdk:"boot_delay_ms"`
	LatencySensitivity *string           `tfsdk:"latency_sensitivity"`
	SCSIController     *string           `tfsdk:"scsi_controller"`
}

const (
	leastHardware, mostHardware = 10, 22
	mostBootDelay               = 10000 // milliseconds
)

func vsphereAttribute() schema.Attribute {
	pairs := func(doc string, key ...validator.String) schema.MapAttribute {
		return schema.MapAttribute{
			MarkdownDescription: doc, Optional: true, Computed: true, ElementType: types.StringType,
			Validators: []validator.Map{mapvalidator.NoNullValues(), mapvalidator.KeysAre(key...)},
		}
	}
	extra := pairs("Advanced settings (`extraConfig`) of the VM, merged into those that it has. A key that is taken out here is removed from the VM; keys that were never here are left alone. "+
		"Keys that the provider writes itself, `virtrigaud.*` and the cloud-init ones of `guestinfo.*`, are refused, and so is an empty value, with which vSphere takes a key away. Set while the VM runs; many settings act at the next start. Unset leaves all as they are.",
		stringvalidator.LengthBetween(1, 255), notReserved{})
	extra.Validators = append(extra.Validators, mapvalidator.ValueStringsAre(stringvalidator.LengthAtLeast(1)))
	return object("What exists on vSphere only; the plan refuses it elsewhere.", map[string]schema.Attribute{
		"hardware_version": integer("Version of the virtual hardware, 10 to 22, such as 19 for `vmx-19`. Default: the newest that the host or cluster offers. Raising it upgrades the VM, which restarts a running one; it never goes down, which the plan refuses.",
			int64validator.Between(leastHardware, mostHardware)),
		"extra_config": extra,
		"custom_attributes": pairs("Custom attributes of the VM, by name; one that vCenter does not know yet is made for VMs. One that is taken out here is cleared, others are left alone. Changed in place. A stand-alone ESXi host has none, and the plan refuses them. Unset leaves all as they are.",
			stringvalidator.LengthBetween(1, 80)),
		"boot_order": textList("What the firmware tries, in order: keys of `disks`, keys of `networks`, and `cdrom`. A key of both means the disk. Default: the firmware's own order. Changed in place, for the next boot.",
			listvalidator.UniqueValues(), listvalidator.ValueStringsAre(stringvalidator.LengthAtLeast(1))),
		"boot_delay_ms": integer("How long the firmware waits for a key before it boots, in milliseconds, 0 to 10000. Default: 0. Changed in place, for the next boot.",
			int64validator.Between(0, mostBootDelay)),
		"latency_sensitivity": text("How much the host does for short latencies: `low`, `normal`, `medium` or `high`; `high` wants all memory and processor time reserved. Default: `normal`. Changing it restarts a running VM.",
			oneOf("low", "normal", "medium", "high")),
		"scsi_controller": text("Type of the controllers that serve disks on the bus `scsi`: `pvscsi`, `lsilogic`, `lsilogic_sas` or `buslogic`. Default: `pvscsi`. Changing it restarts a running VM, and the guest must have the driver.",
			oneOf("pvscsi", "lsilogic", "lsilogic_sas", "buslogic")),
	})
}

// reserved matches the keys that the provider itself writes. vSphere tells no case apart.
var reserved = regexp.MustCompile(`(?i)^(virtrigaud\..*|guestinfo\.(metadata|userdata|vendordata)(\.encoding)?)$`)

// notReserved is the validator of keys.
type notReserved struct{}

func (notReserved) Description(context.Context) string {
	return "must not be a key that the provider writes itself: virtrigaud.*, or those of cloud-init's data in guestinfo"
}

func (v notReserved) MarkdownDescription(ctx context.Context) string { return v.Description(ctx) }

func (v notReserved) ValidateString(ctx context.Context, req validator.StringRequest, resp *validator.StringResponse) {
	if key := req.ConfigValue.ValueString(); reserved.MatchString(key) {
		resp.Diagnostics.AddAttributeError(req.Path, "Reserved key", fmt.Sprintf("%q %s. Use cloud_init for what the guest is to find.", key, v.Description(ctx)))
	}
}

func (m *VSphere) expand(spec *backends.VMSpec) {
	if m == nil {
		return
	}
	spec.VSphere = &backends.VSphereOptions{
		HardwareVersion: m.HardwareVersion, ExtraConfig: maps.Clone(m.ExtraConfig), CustomAttributes: maps.Clone(m.CustomAttributes),
		BootOrder: slices.Clone(m.BootOrder), BootDelayMs: m.BootDelayMs, LatencySensitivity: m.LatencySensitivity, SCSIType: m.SCSIController,
	}
}

func flattenVSphere(c *backends.VSphereOptions, prior *VSphere) *VSphere {
	if c == nil {
		return prior
	}
	p := value(prior)
	m := &VSphere{
		HardwareVersion: or(c.HardwareVersion, p.HardwareVersion), ExtraConfig: orMap(c.ExtraConfig, p.ExtraConfig),
		CustomAttributes: orMap(c.CustomAttributes, p.CustomAttributes), BootOrder: p.BootOrder,
		BootDelayMs: or(c.BootDelayMs, p.BootDelayMs), LatencySensitivity: or(c.LatencySensitivity, p.LatencySensitivity), SCSIController: or(c.SCSIType, p.SCSIController),
	}
	if c.BootOrder != nil {
		m.BootOrder = slices.Clone(c.BootOrder)
	}
	if reflect.ValueOf(*m).IsZero() {
		return nil
	}
	return m
}
