package vmschema

import (
	"github.com/hashicorp/terraform-plugin-framework-nettypes/iptypes"
	"github.com/hashicorp/terraform-plugin-framework-validators/int64validator"
	"github.com/hashicorp/terraform-plugin-framework-validators/stringvalidator"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// Console is how a VM's console can be reached.
type Console struct {
	Type              *string `tfsdk:"type"`
	Address           *string `tfsdk:"address"`
	Port              *int64  `tfsdk:"port"`
	TLS               *bool   `tfsdk:"tls"`
	PasswordWO        *string `tfsdk:"password_wo"`
	PasswordWOVersion *int64  `tfsdk:"password_wo_version"`
}

func consoleAttribute() schema.Attribute {
	sibling := func(name string) path.Expression { return path.MatchRelative().AtParent().AtName(name) }
	address := text("Address on which the host listens, such as `127.0.0.1`, or `0.0.0.0` for all of them. Default: the hypervisor's; on libvirt `127.0.0.1`. Changing it restarts a running VM.")
	address.CustomType = iptypes.IPAddressType{}
	// Not computed: the framework forbids that for an object with a write-only part.
	return schema.SingleNestedAttribute{
		MarkdownDescription: "How the VM's console can be reached. Unset leaves it as it is: on libvirt a new VM has VNC on `127.0.0.1`. vSphere and Proxmox VE give consoles through their own servers, " +
			"so the plan refuses there what they do not let choose. The ephemeral resource `virtrigaud_console` opens one.",
		Optional: true,
		Attributes: map[string]schema.Attribute{
			"type":    text("Kind of console: `vnc`, `spice`, `serial` (text only, no screen) or `none`. Default: the hypervisor's; on libvirt `vnc`. Changing it restarts a running VM.", oneOf("vnc", "spice", "serial", "none")),
			"address": address,
			"port":    integer("Port on which the host listens, 1 to 65535, for `vnc` from 5900; 0 lets the hypervisor choose a free one at each start. Default: 0. Changing it restarts a running VM.", int64validator.Between(0, 65535)),
			"tls":     flag("Encrypt the connection, with the certificate that the host has for that; libvirt takes it for `spice` only, VNC being a setting of the whole host. Default: the hypervisor's. Changing it restarts a running VM."),
			"password_wo": schema.StringAttribute{
				MarkdownDescription: "Password that the console asks for, never kept in plan or state; for `vnc` at most 8 characters. Needs Terraform 1.11 or OpenTofu 1.11. " +
					"Raise `password_wo_version` to have it set again, which a running VM takes at once; on libvirt the first one restarts it. " +
					"It cannot be empty, and the VM keeps it where it is no longer set: a console without one comes of applying the `type` `serial` and then another. " +
					"A VM made from this one or from its template does not inherit it, and without a password of its own no `address` either that other hosts reach. Default: none.",
				Optional: true, WriteOnly: true, Sensitive: true,
				Validators: []validator.String{stringvalidator.LengthAtLeast(1), stringvalidator.AlsoRequires(sibling("password_wo_version"))},
			},
			"password_wo_version": schema.Int64Attribute{
				MarkdownDescription: "Version of `password_wo`, a number that you raise when the password changed.",
				Optional:            true,
				Validators:          []validator.Int64{int64validator.AtLeast(0), int64validator.AlsoRequires(sibling("password_wo"))},
			},
		},
	}
}

func (m *Console) expand(spec *backends.VMSpec) {
	if m != nil {
		spec.Console = &backends.ConsoleSpec{
			Type: m.Type, Address: m.Address, Port: m.Port, TLS: m.TLS, Password: m.PasswordWO, PasswordVersion: m.PasswordWOVersion,
		}
	}
}

// flattenConsole shows a console only where one is managed: every VM may have
// one of the hypervisor's own choice.
func flattenConsole(c *backends.ConsoleSpec, prior *Console) *Console {
	if c == nil || prior == nil {
		return prior
	}
	return &Console{
		Type: or(c.Type, prior.Type), Address: or(c.Address, prior.Address), Port: orNone(c.Port), TLS: or(c.TLS, prior.TLS),
		PasswordWOVersion: or(c.PasswordVersion, prior.PasswordWOVersion),
	}
}
