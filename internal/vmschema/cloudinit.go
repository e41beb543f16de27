package vmschema

import (
	"slices"

	"github.com/hashicorp/terraform-plugin-framework-validators/int64validator"
	"github.com/hashicorp/terraform-plugin-framework-validators/stringvalidator"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// CloudInit is what cloud-init finds at the guest's first boot.
type CloudInit struct {
	Hostname          *string     `tfsdk:"hostname"`
	UserData          *string     `tfsdk:"user_data"`
	UserDataWO        *string     `tfsdk:"user_data_wo"`
	UserDataWOVersion *int64      `tfsdk:"user_data_wo_version"`
	VendorData        *string     `tfsdk:"vendor_data"`
	MetaData          *string     `tfsdk:"meta_data"`
	NetworkConfig     *string     `tfsdk:"network_config"`
	Users             []CloudUser `tfsdk:"users"`
	SSHAuthorizedKeys []string    `tfsdk:"ssh_authorized_keys"`
	Datasource        *string     `tfsdk:"datasource"`
	InstanceID        *string     `tfsdk:"instance_id"`
}

// CloudUser is one account that cloud-init makes.
type CloudUser struct {
	Name              *string  `tfsdk:"name"`
	Groups            []string `tfsdk:"groups"`
	Shell             *string  `tfsdk:"shell"`
	Sudo              *string  `tfsdk:"sudo"`
	PasswordHash      *string  `tfsdk:"password_hash"`
	SSHAuthorizedKeys []string `tfsdk:"ssh_authorized_keys"`
}

func cloudInitAttribute() schema.Attribute {
	sibling := func(name string) path.Expression { return path.MatchRelative().AtParent().AtName(name) }
	userData := text("User data for cloud-init: a `#cloud-config` document, a script, or whatever else cloud-init takes. "+
		"`users`, `ssh_authorized_keys` and `hostname` are merged into a `#cloud-config`. It is kept in state; use `user_data_wo` for what must not be.",
		stringvalidator.ConflictsWith(sibling("user_data_wo")))
	userData.Sensitive = true
	vendorData := text("Vendor data for cloud-init, in the same forms as `user_data`; user data wins.")
	vendorData.Sensitive = true
	// Not computed: the framework forbids that for an object with a write-only part.
	return schema.SingleNestedAttribute{Optional: true, MarkdownDescription: "What cloud-init finds at the guest's first boot. Changing it later writes the new data for the next time that cloud-init asks; " +
		"it never restarts or replaces the VM. Set another `instance_id` to make cloud-init run again at the next boot. Taken out of the configuration, it leaves what the VM has as it is.", Attributes: map[string]schema.Attribute{
		"hostname": text("Host name of the guest. Default: the VM's name.",
			matches(`^[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*$`,
				"must be a host name: letters, digits and hyphens, in labels of at most 63 characters"),
			stringvalidator.LengthAtMost(253)),
		"user_data": userData,
		"user_data_wo": schema.StringAttribute{
			MarkdownDescription: "Like `user_data`, but never kept in plan or state. Needs Terraform 1.11 or OpenTofu 1.11. Raise `user_data_wo_version` to have it written again.",
			Optional:            true, WriteOnly: true, Sensitive: true,
			Validators: []validator.String{stringvalidator.AlsoRequires(sibling("user_data_wo_version"))},
		},
		"user_data_wo_version": schema.Int64Attribute{
			MarkdownDescription: "Version of `user_data_wo`, a number that you raise when the data changed.",
			Optional:            true,
			Validators:          []validator.Int64{int64validator.AtLeast(0), int64validator.AlsoRequires(sibling("user_data_wo"))},
		},
		"vendor_data":    vendorData,
		"meta_data":      text("Meta data, a YAML mapping that is merged over what the provider makes."),
		"network_config": text("Network configuration for cloud-init, version 1 or 2, in YAML. It replaces what the provider makes of `networks` and `dns`."),
		"users": schema.ListNestedAttribute{
			MarkdownDescription: "Accounts to make in the guest, beside the image's default one.",
			Optional:            true, Computed: true, Validators: noNulls,
			NestedObject: schema.NestedAttributeObject{Attributes: map[string]schema.Attribute{
				"name": schema.StringAttribute{
					MarkdownDescription: "Login name.", Required: true,
					Validators: []validator.String{matches(`^[a-z_][a-z0-9_-]{0,31}$`, "must be a login name: lower-case letters, digits, hyphens and underscores, at most 32")},
				},
				"groups":              schema.ListAttribute{MarkdownDescription: "Groups that the account is added to.", Optional: true, ElementType: types.StringType, Validators: noNulls},
				"shell":               schema.StringAttribute{MarkdownDescription: "Login shell, such as `/bin/bash`. Default: the image's.", Optional: true},
				"sudo":                schema.StringAttribute{MarkdownDescription: "Rule for sudo, such as `ALL=(ALL) NOPASSWD:ALL`. Default: none.", Optional: true},
				"password_hash":       schema.StringAttribute{MarkdownDescription: "Hash of the password, in crypt(3) form as `mkpasswd` prints it. Default: the password is locked.", Optional: true, Sensitive: true},
				"ssh_authorized_keys": schema.ListAttribute{MarkdownDescription: "Public SSH keys that may log in.", Optional: true, ElementType: types.StringType, Validators: noNulls},
			}},
		},
		"ssh_authorized_keys": textList("Public SSH keys for the image's default account."),
		"datasource":          text("How the data reaches the guest: `nocloud` (a seed on a drive), `configdrive`, or `guestinfo` (properties that VMware's tools read). libvirt has `nocloud`, vSphere `guestinfo` and `nocloud`, Proxmox VE `nocloud` and `configdrive`. Default: the hypervisor's; on vSphere `guestinfo`.", oneOf("nocloud", "configdrive", "guestinfo")),
		"instance_id":         text("Identity of the instance. When it changes, cloud-init runs its first-boot steps again at the next boot. Default: the VM's UUID, which never changes.", stringvalidator.LengthAtLeast(1)),
	}}
}

func (m *CloudInit) expand(spec *backends.VMSpec) {
	if m == nil {
		return
	}
	c := &backends.CloudInit{
		Hostname: m.Hostname, UserData: or(m.UserDataWO, m.UserData), VendorData: m.VendorData, MetaData: m.MetaData,
		NetworkConfig: m.NetworkConfig, SSHKeys: slices.Clone(m.SSHAuthorizedKeys), Datasource: m.Datasource,
		InstanceID: m.InstanceID, UserDataVersion: m.UserDataWOVersion,
	}
	if m.Users != nil {
		c.Users = make([]backends.CloudUser, 0, len(m.Users))
	}
	for _, u := range m.Users {
		c.Users = append(c.Users, backends.CloudUser{
			Name: value(u.Name), Groups: slices.Clone(u.Groups), Shell: value(u.Shell), Sudo: value(u.Sudo),
			PasswordHash: value(u.PasswordHash), SSHKeys: slices.Clone(u.SSHAuthorizedKeys),
		})
	}
	spec.CloudInit = c
}

// flattenCloudInit shows what a seed was made from. What the seed does not hold,
// write-only user data foremost, stays as it was.
func flattenCloudInit(c *backends.CloudInit, prior *CloudInit) *CloudInit {
	if c == nil {
		return prior
	}
	p := value(prior)
	m := &CloudInit{
		Hostname: or(c.Hostname, p.Hostname), UserData: or(c.UserData, p.UserData),
		UserDataWOVersion: or(c.UserDataVersion, p.UserDataWOVersion),
		VendorData:        or(c.VendorData, p.VendorData), MetaData: or(c.MetaData, p.MetaData),
		NetworkConfig: or(c.NetworkConfig, p.NetworkConfig), Users: p.Users, SSHAuthorizedKeys: p.SSHAuthorizedKeys,
		Datasource: or(c.Datasource, p.Datasource), InstanceID: or(c.InstanceID, p.InstanceID),
	}
	if m.UserDataWOVersion != nil {
		m.UserData = nil
	}
	if c.SSHKeys != nil {
		m.SSHAuthorizedKeys = slices.Clone(c.SSHKeys)
	}
	if c.Users != nil {
		m.Users = make([]CloudUser, 0, len(c.Users))
	}
	for _, u := range c.Users {
		m.Users = append(m.Users, CloudUser{
			Name: some(u.Name), Groups: slices.Clone(u.Groups), Shell: some(u.Shell), Sudo: some(u.Sudo),
			PasswordHash: some(u.PasswordHash), SSHAuthorizedKeys: slices.Clone(u.SSHKeys),
		})
	}
	return m
}
