package vmschema

import (
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// Observed is what only the hypervisor says.
type Observed struct {
	ID          *string  `tfsdk:"id"`
	UUID        *string  `tfsdk:"uuid"`
	Backend     *string  `tfsdk:"backend"`
	Host        *string  `tfsdk:"host"`
	Status      *string  `tfsdk:"status"`
	IPAddress   *string  `tfsdk:"ip_address"`
	IPAddresses []string `tfsdk:"ip_addresses"`
	Guest       *Guest   `tfsdk:"guest"`
	ConsoleType *string  `tfsdk:"console_type"`
}

// Guest is what the agent in the guest says.
type Guest struct {
	Hostname     *string `tfsdk:"hostname"`
	OS           *string `tfsdk:"os"`
	AgentVersion *string `tfsdk:"agent_version"`
	AgentRunning *bool   `tfsdk:"agent_running"`
}

func observedAttributes() map[string]schema.Attribute {
	return map[string]schema.Attribute{
		"id":         told("Id of the VM on its hypervisor: a UUID on libvirt. It stays the same when the VM is renamed or moved."),
		"uuid":       told("UUID that the guest sees in its firmware tables."),
		"backend":    told("Kind of hypervisor that runs the VM."),
		"host":       told("Host that the VM is on now."),
		"status":     told("Whether the VM runs: `running`, `stopped`, `suspended`, `paused` or `unknown`."),
		"ip_address": told("First address of the VM, IPv4 before IPv6, in the order of its interfaces; one that `wait_for` asks for where there is such. Null while none is known."),
		"ip_addresses": schema.ListAttribute{
			MarkdownDescription: "All addresses of the VM, in the order of its interfaces. Loopback and link-local ones are left out.",
			Computed:            true, ElementType: types.StringType,
		},
		"guest": schema.SingleNestedAttribute{
			MarkdownDescription: "What the guest agent says.", Computed: true,
			Attributes: map[string]schema.Attribute{
				"hostname":      told("Host name in the guest."),
				"os":            told("Operating system, such as `Debian GNU/Linux 13 (trixie)`."),
				"agent_version": told("Version of the agent."),
				"agent_running": schema.BoolAttribute{MarkdownDescription: "Whether the agent answered.", Computed: true},
			},
		},
		"console_type": told("Kind of console: `vnc`, `spice`, `serial` or `webmks`."),
	}
}

func flattenObserved(vm *backends.VM, kind backends.Kind, prior Observed) Observed {
	return Observed{
		ID: some(string(vm.ID)), UUID: or(some(vm.UUID), prior.UUID), Backend: some(string(kind)),
		Host: or(some(vm.Host), prior.Host), Status: some(string(vm.Power)),
		Guest: flattenGuest(vm, prior.Guest), ConsoleType: or(some(vm.ConsoleType), prior.ConsoleType),
	}
}

// flattenGuest always shows an object, so that a configuration can name its
// parts. What a silent agent said before is kept.
func flattenGuest(vm *backends.VM, prior *Guest) *Guest {
	p, g, answered := value(prior), value(vm.Guest), false
	answered = g.AgentRunning
	return &Guest{
		Hostname: or(some(g.Hostname), p.Hostname), OS: or(some(g.OS), p.OS),
		AgentVersion: or(some(g.AgentVersion), p.AgentVersion), AgentRunning: &answered,
	}
}

// address sets the addresses of the whole VM from those of its interfaces.
func (o *Observed) address(networks map[string]*NIC, wait *WaitFor) {
	o.IPAddresses = []string{}
	var preferred *string
	for _, key := range inOrder(networks) {
		for _, a := range networks[key].IPAddresses {
			o.IPAddresses = append(o.IPAddresses, a)
			if preferred == nil && wait.prefers(key, a) {
				preferred = &a
			}
		}
	}
	o.IPAddress = preferred
	if preferred == nil && len(o.IPAddresses) > 0 {
		o.IPAddress = &o.IPAddresses[0]
	}
}
