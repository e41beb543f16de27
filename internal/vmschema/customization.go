package vmschema

import (
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// Customization asks the hypervisor's own guest customization.
type Customization struct {
	Hostname *string  `tfsdk:"hostname"`
	Domain   *string  `tfsdk:"domain"`
	TimeZone *string  `tfsdk:"time_zone"`
	Windows  *Windows `tfsdk:"windows"`
}

// Windows is what sysprep needs.
type Windows struct {
	Organization  *string `tfsdk:"organization"`
	FullName      *string `tfsdk:"full_name"`
	AdminPassword *string `tfsdk:"admin_password"`
	Workgroup     *string `tfsdk:"workgroup"`
	JoinDomain    *string `tfsdk:"join_domain"`
	ProductKey    *string `tfsdk:"product_key"`
}

func customizationAttribute() schema.Attribute {
	input := func(doc string, sensitive bool) schema.Attribute {
		return schema.StringAttribute{MarkdownDescription: doc, Optional: true, Sensitive: sensitive}
	}
	return object("Guest customization at the first boot: by the hypervisor's own means, on libvirt by cloud-init, which takes all but `windows`. Where the hypervisor has none the plan refuses it.", map[string]schema.Attribute{
		"hostname":  input("Host name of the guest. Default: the VM's name.", false),
		"domain":    input("DNS domain of the guest.", false),
		"time_zone": input("Time zone, such as `Europe/Zurich`; for Windows its numeric index.", false),
		"windows": schema.SingleNestedAttribute{
			MarkdownDescription: "What sysprep sets in a Windows guest.", Optional: true,
			Attributes: map[string]schema.Attribute{
				"organization":   input("Registered organization.", false),
				"full_name":      input("Registered owner.", false),
				"admin_password": input("Password of the local administrator.", true),
				"workgroup":      input("Workgroup to join.", false),
				"join_domain":    input("Active Directory domain to join.", false),
				"product_key":    input("Product key.", true),
			},
		},
	})
}

func (m *Customization) expand(spec *backends.VMSpec) {
	if m == nil {
		return
	}
	c := &backends.Customization{Hostname: value(m.Hostname), Domain: value(m.Domain), TimeZone: value(m.TimeZone)}
	if w := m.Windows; w != nil {
		c.Windows = &backends.WindowsCustomization{
			Organization: value(w.Organization), FullName: value(w.FullName), AdminPassword: value(w.AdminPassword),
			Workgroup: value(w.Workgroup), JoinDomain: value(w.JoinDomain), ProductKey: value(w.ProductKey),
		}
	}
	spec.Customization = c
}

func flattenCustomization(c *backends.Customization, prior *Customization) *Customization {
	if c == nil {
		return prior
	}
	m := &Customization{Hostname: some(c.Hostname), Domain: some(c.Domain), TimeZone: some(c.TimeZone)}
	if w := c.Windows; w != nil {
		m.Windows = &Windows{
			Organization: some(w.Organization), FullName: some(w.FullName), AdminPassword: some(w.AdminPassword),
			Workgroup: some(w.Workgroup), JoinDomain: some(w.JoinDomain), ProductKey: some(w.ProductKey),
		}
	}
	return m
}
