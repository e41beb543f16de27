package vmschema

import (
	"slices"

	"github.com/hashicorp/terraform-plugin-framework-nettypes/iptypes"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// DNS is what the guest resolves with.
type DNS struct {
	Servers []string `tfsdk:"servers"`
	Search  []string `tfsdk:"search"`
}

func dnsAttribute() schema.Attribute {
	return object("Name resolution, which cloud-init sets in the guest at its first boot. Default: what DHCP says.", map[string]schema.Attribute{
		"servers": schema.ListAttribute{
			MarkdownDescription: "Addresses of name servers, in the order in which they are asked.",
			Optional:            true, ElementType: iptypes.IPAddressType{}, Validators: noNulls,
		},
		"search": schema.ListAttribute{
			MarkdownDescription: "Domains that are appended to short names.",
			Optional:            true, ElementType: types.StringType, Validators: noNulls,
		},
	})
}

func (m *DNS) expand(spec *backends.VMSpec) {
	if m != nil {
		spec.DNS = &backends.DNS{Servers: slices.Clone(m.Servers), Search: slices.Clone(m.Search)}
	}
}

func flattenDNS(c *backends.DNS, prior *DNS) *DNS {
	if c == nil || len(c.Servers)+len(c.Search) == 0 {
		return prior
	}
	return &DNS{Servers: slices.Clone(c.Servers), Search: slices.Clone(c.Search)}
}
