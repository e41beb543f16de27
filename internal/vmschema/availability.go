package vmschema

import (
	"github.com/hashicorp/terraform-plugin-framework-validators/int64validator"
	"github.com/hashicorp/terraform-plugin-framework-validators/stringvalidator"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// HighAvailability asks for a restart elsewhere when the host fails.
type HighAvailability struct {
	Enabled    *bool   `tfsdk:"enabled"`
	Group      *string `tfsdk:"group"`
	Priority   *string `tfsdk:"priority"`
	MaxRestart *int64  `tfsdk:"max_restart"`
}

// DRS is how far a cluster may place the VM by itself.
type DRS struct {
	Automation *string `tfsdk:"automation"`
}

func availabilityAttributes() map[string]schema.Attribute {
	return map[string]schema.Attribute{
		"high_availability": object("Restart the VM on another host when its host fails. Where the hypervisor has no such cluster the plan refuses it.", map[string]schema.Attribute{
			"enabled":     flag("Whether the cluster restarts the VM. Default: the cluster's."),
			"group":       text("Group of hosts that the VM may be restarted on, on hypervisors that have such.", stringvalidator.LengthAtLeast(1)),
			"priority":    text("Which VMs are restarted first: `lowest`, `low`, `medium`, `high` or `highest`. Default: the cluster's.", oneOf("lowest", "low", "medium", "high", "highest")),
			"max_restart": integer("How often a restart on the same host is tried. Default: the cluster's.", int64validator.AtLeast(0)),
		}),
		"fault_tolerance": flag("Keep a second, running copy of the VM on another host. Where the hypervisor cannot the plan refuses it. Default: false."),
		"drs": object("Placement by the cluster's load. Where the hypervisor has no such thing the plan refuses it.", map[string]schema.Attribute{
			"automation": text("How far the cluster places the VM by itself: `disabled`, `manual`, `partial` or `full`. Default: the cluster's.", oneOf("disabled", "manual", "partial", "full")),
		}),
	}
}

func (m *HighAvailability) expand(spec *backends.VMSpec) {
	if m != nil {
		spec.HighAvailability = &backends.HighAvailability{Enabled: m.Enabled, Group: m.Group, Priority: m.Priority, MaxRestart: m.MaxRestart}
	}
}

func flattenHA(c *backends.HighAvailability, prior *HighAvailability) *HighAvailability {
	if c == nil {
		return prior
	}
	p := value(prior)
	return some(HighAvailability{
		Enabled: or(c.Enabled, p.Enabled), Group: or(c.Group, p.Group), Priority: or(c.Priority, p.Priority), MaxRestart: or(c.MaxRestart, p.MaxRestart),
	})
}

func (m *DRS) expand(spec *backends.VMSpec) {
	if m != nil {
		spec.DRSAutomation = m.Automation
	}
}

func flattenDRS(automation *string, prior *DRS) *DRS {
	return some(DRS{Automation: or(automation, value(prior).Automation)})
}
