package vmschema

import (
	"net/netip"
	"time"

	"github.com/hashicorp/terraform-plugin-framework-nettypes/cidrtypes"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/machine"
)

// WaitFor is what a VM must show before it counts as ready.
type WaitFor struct {
	Agent   *bool   `tfsdk:"agent" json:"agent,omitempty"`
	IPv4    *bool   `tfsdk:"ipv4" json:"ipv4,omitempty"`
	CIDR    *string `tfsdk:"cidr" json:"cidr,omitempty"`
	Network *string `tfsdk:"network" json:"network,omitempty"`
	Timeout *string `tfsdk:"timeout" json:"timeout,omitempty"`
}

func waitForAttribute() schema.Attribute {
	return schema.SingleNestedAttribute{
		MarkdownDescription: "What to wait for when the VM is created, started or restarted. `{}` waits for the first address. " +
			"When the time is over that is a warning that names the likely cause, and the VM is kept. Unset: no waiting.",
		Optional: true,
		Attributes: map[string]schema.Attribute{
			"agent":   schema.BoolAttribute{MarkdownDescription: "Wait for the guest agent. Default: false.", Optional: true},
			"ipv4":    schema.BoolAttribute{MarkdownDescription: "Only an IPv4 address counts. Default: false.", Optional: true},
			"cidr":    schema.StringAttribute{MarkdownDescription: "Only an address inside this network counts, such as `10.0.0.0/8`. `ip_address` then is such an address.", Optional: true, CustomType: cidrtypes.IPPrefixType{}},
			"network": schema.StringAttribute{MarkdownDescription: "Only an address of this interface counts, a key of `networks`. `ip_address` then is one of its addresses.", Optional: true},
			"timeout": schema.StringAttribute{MarkdownDescription: "How long to wait, such as `10m`. Default: `5m`.", Optional: true, Validators: []validator.String{duration{}}},
		},
	}
}

// Options are what machine.WaitFor takes, nil where nothing is waited for.
func (m *WaitFor) Options() *machine.Wait {
	if m == nil {
		return nil
	}
	w := &machine.Wait{Agent: value(m.Agent), IPv4: value(m.IPv4), Network: value(m.Network), Timeout: machine.DefaultWait}
	if p, err := netip.ParsePrefix(value(m.CIDR)); err == nil {
		w.CIDR = p.Masked()
	}
	if d, err := time.ParseDuration(value(m.Timeout)); err == nil {
		w.Timeout = d
	}
	return w
}

// prefers reports whether an address of an interface is one that m asks for.
func (m *WaitFor) prefers(network, address string) bool {
	if m == nil {
		return true
	}
	a, err := netip.ParseAddr(address)
	if err != nil {
		return false
	}
	w := m.Options()
	return (w.Network == "" || w.Network == network) && (!w.IPv4 || a.Is4()) && (!w.CIDR.IsValid() || w.CIDR.Contains(a))
}
