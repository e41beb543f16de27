package vmschema

import (
	"slices"

	"github.com/hashicorp/terraform-plugin-framework-validators/int64validator"
	"github.com/hashicorp/terraform-plugin-framework-validators/listvalidator"
	"github.com/hashicorp/terraform-plugin-framework-validators/stringvalidator"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

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
	Organization     *string  `tfsdk:"organization"`
	FullName         *string  `tfsdk:"full_name"`
	ProductKeyWO     *string  `tfsdk:"product_key_wo"`
	Workgroup        *string  `tfsdk:"workgroup"`
	JoinDomain       *string  `tfsdk:"join_domain"`
	DomainAdmin      *string  `tfsdk:"domain_admin"`
	DomainPasswordWO *string  `tfsdk:"domain_admin_password_wo"`
	AdminPasswordWO  *string  `tfsdk:"admin_password_wo"`
	SecretsWOVersion *int64   `tfsdk:"secrets_wo_version"`
	RunOnce          []string `tfsdk:"run_once"`
	AutoLogonCount   *int64   `tfsdk:"auto_logon_count"`
}

func customizationAttribute() schema.Attribute {
	// Not computed: the framework forbids that for an object with a write-only part.
	return schema.SingleNestedAttribute{
		MarkdownDescription: "Guest customization at the first boot: on vSphere by vCenter, in guests that have VMware Tools; on libvirt by cloud-init, which takes all but `windows`. " +
			"Where the hypervisor has none, such as a stand-alone ESXi host, the plan refuses it. On vSphere changing it restarts a running VM, which is then customized again.",
		Optional: true,
		Attributes: map[string]schema.Attribute{
			"hostname":  input("Host name of the guest. Default: the VM's name."),
			"domain":    input("DNS domain of the guest."),
			"time_zone": input("Time zone, such as `Europe/Zurich`; for Windows its numeric index."),
			"windows":   windowsAttribute(),
		},
	}
}

func windowsAttribute() schema.Attribute {
	sibling := func(name string) path.Expression { return path.MatchRelative().AtParent().AtName(name) }
	secret := func(doc string) schema.StringAttribute {
		return schema.StringAttribute{
			MarkdownDescription: doc + " Never kept in plan or state. Needs Terraform 1.11 or OpenTofu 1.11. Raise `secrets_wo_version` to have it set again.",
			Optional:            true, WriteOnly: true, Sensitive: true,
			Validators: []validator.String{stringvalidator.LengthAtLeast(1), stringvalidator.AlsoRequires(sibling("secrets_wo_version"))},
		}
	}
	return schema.SingleNestedAttribute{
		MarkdownDescription: "What sysprep sets in a Windows guest. vSphere has it; libvirt refuses it.", Optional: true,
		Attributes: map[string]schema.Attribute{
			"organization":             input("Registered organization."),
			"full_name":                input("Registered owner."),
			"product_key_wo":           secret("Product key."),
			"workgroup":                input("Workgroup to join.", stringvalidator.LengthAtLeast(1), stringvalidator.ConflictsWith(sibling("join_domain"))),
			"join_domain":              input("Active Directory domain to join, with the account `domain_admin`.", stringvalidator.LengthAtLeast(1), stringvalidator.AlsoRequires(sibling("domain_admin"))),
			"domain_admin":             input("Account that may join machines to `join_domain`.", stringvalidator.LengthAtLeast(1), stringvalidator.AlsoRequires(sibling("join_domain"))),
			"admin_password_wo":        secret("Password of the local administrator."),
			"domain_admin_password_wo": secret("Password of `domain_admin`."),
			"secrets_wo_version": schema.Int64Attribute{
				MarkdownDescription: "Version of the secrets here, a number that you raise when one of them changed.", Optional: true,
				Validators: []validator.Int64{int64validator.AtLeast(0)},
			},
			"run_once": schema.ListAttribute{
				MarkdownDescription: "Commands that run at the first login, in order.", Optional: true, ElementType: types.StringType,
				Validators: append(noNulls, listvalidator.ValueStringsAre(stringvalidator.LengthAtLeast(1))),
			},
			"auto_logon_count": schema.Int64Attribute{
				MarkdownDescription: "How often the local administrator is logged in without being asked, which `run_once` needs once. Default: 0.", Optional: true,
				Validators: []validator.Int64{int64validator.Between(0, 100)},
			},
		},
	}
}

// input is text that no hypervisor fills in.
func input(doc string, v ...validator.String) schema.StringAttribute {
	return schema.StringAttribute{MarkdownDescription: doc, Optional: true, Validators: v}
}

func (m *Customization) expand(spec *backends.VMSpec) {
	if m == nil {
		return
	}
	c := &backends.Customization{Hostname: value(m.Hostname), Domain: value(m.Domain), TimeZone: value(m.TimeZone)}
	if w := m.Windows; w != nil {
		c.Windows = &backends.WindowsCustomization{
			Organization: value(w.Organization), FullName: value(w.FullName), Workgroup: value(w.Workgroup),
			JoinDomain: value(w.JoinDomain), DomainAdmin: value(w.DomainAdmin), PasswordVersion: w.SecretsWOVersion,
			RunOnce: slices.Clone(w.RunOnce), AutoLogonCount: w.AutoLogonCount,
		}
	}
	spec.Customization = c
}

// Secrets adds to spec what only a configuration holds of sysprep's secrets.
func (m *Customization) Secrets(spec *backends.VMSpec) {
	if m == nil || m.Windows == nil || spec.Customization == nil || spec.Customization.Windows == nil {
		return
	}
	w := spec.Customization.Windows
	w.AdminPassword, w.DomainPassword, w.ProductKey = value(m.Windows.AdminPasswordWO), value(m.Windows.DomainPasswordWO), value(m.Windows.ProductKeyWO)
}

func flattenCustomization(c *backends.Customization, prior *Customization) *Customization {
	if c == nil {
		return prior
	}
	m := &Customization{Hostname: some(c.Hostname), Domain: some(c.Domain), TimeZone: some(c.TimeZone)}
	if w := c.Windows; w != nil {
		m.Windows = &Windows{
			Organization: some(w.Organization), FullName: some(w.FullName), Workgroup: some(w.Workgroup),
			JoinDomain: some(w.JoinDomain), DomainAdmin: some(w.DomainAdmin), SecretsWOVersion: w.PasswordVersion,
			RunOnce: slices.Clone(w.RunOnce), AutoLogonCount: w.AutoLogonCount,
		}
	}
	return m
}
