package provider

import (
	"context"
	"regexp"

	"github.com/hashicorp/terraform-plugin-framework-validators/stringvalidator"
	"github.com/hashicorp/terraform-plugin-framework/provider/schema"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
)

var (
	// tokenForm is that of an API token. What does not match is not repeated in the error.
	tokenForm = regexp.MustCompile(`^[^\s!@]+@[^\s!@]+![^\s=]+=\S+$`)
	// fingerprints are one or more SHA-256 hashes of certificates.
	fingerprints = regexp.MustCompile(`^\s*[0-9A-Fa-f]{2}(:?[0-9A-Fa-f]{2}){31}([,;\s]+[0-9A-Fa-f]{2}(:?[0-9A-Fa-f]{2}){31})*\s*$`)
	realmed      = regexp.MustCompile(`^[^@\s]+@[^@\s]+$`)
)

func proxmoxAttribute() schema.Attribute {
	named := stringvalidator.LengthAtLeast(1)
	return schema.SingleNestedAttribute{
		MarkdownDescription: "Proxmox VE 8 or 9: a cluster, or a single node. Only the API is needed, by a token or by a password. " +
			"A VM's id is its VMID; the node that it is on may change.",
		Optional: true,
		Attributes: map[string]schema.Attribute{
			"endpoint": setting("Where Proxmox VE answers: a host name, `host:port` (default: port 8006) or a URL such as `https://pve1.example.org:8006/`. "+
				"Several nodes of one cluster, with commas between, take over from each other. Environment: `PROXMOX_VE_ENDPOINT`.", named),
			"api_token": secret("API token, `user@realm!name=secret`. With privilege separation it needs privileges of its own. Environment: `PROXMOX_VE_API_TOKEN`.",
				hidden{tokenForm, "must have the form user@realm!name=secret"}),
			"username": setting("Login name with its realm, such as `terraform@pve`, in place of a token. Environment: `PROXMOX_VE_USERNAME`.",
				stringvalidator.RegexMatches(realmed, "must have a realm, as root@pam has")),
			"password": secret("Password. A wrong one is tried once only, so that it does not lock the account. Environment: `PROXMOX_VE_PASSWORD`.", named),
			"otp": secret("Second factor of the login: the secret of a TOTP (base32, or an `otpauth` URI), from which codes are made as they are needed, or one code, which is good for a single login, "+
				"or `recovery:KEY`. Environment: `PROXMOX_VE_OTP`.", named),
			"insecure": schema.BoolAttribute{
				MarkdownDescription: "Accept any certificate of the server; anybody in between can then read token or password. Default: `false`. Environment: `PROXMOX_VE_INSECURE`.",
				Optional:            true,
			},
			"ca_certificate": setting("Certificates that are trusted beside the system's, in PEM, such as a node's `/etc/pve/pve-root-ca.pem`. Environment: `PROXMOX_VE_CA_CERTIFICATE`.", named),
			"fingerprint": setting("SHA-256 of the server's certificate in hexadecimal, with or without colons, as Proxmox VE shows it at a node's certificates; several with commas between. "+
				"A certificate with this hash is trusted whoever signed it, and no other. Environment: `PROXMOX_VE_FINGERPRINT`.",
				stringvalidator.RegexMatches(fingerprints, "must be the SHA-256 hash of a certificate, 32 bytes in hexadecimal")),
			"node":          setting("Node of VMs that name none. Default: the one with most free memory. Environment: `PROXMOX_VE_NODE`.", named),
			"storage":       setting("Storage of disks that name none. Default: one of the node's that takes disks. Environment: `PROXMOX_VE_STORAGE`.", named),
			"image_storage": setting("Storage of images that name none, and of cloud-init media that are uploaded. Default: one of the node's that takes them. Environment: `PROXMOX_VE_IMAGE_STORAGE`.", named),
			"bridge":        setting("Bridge of interfaces that name no network. Default: `vmbr0`. Environment: `PROXMOX_VE_BRIDGE`.", named),
			"pool":          setting("Pool of VMs that name none. Environment: `PROXMOX_VE_POOL`.", named),
			"vm_id_range":   setting("VMIDs that new VMs get, such as `1000-1999`. Default: `100-999999999`. Environment: `PROXMOX_VE_VM_ID_RANGE`.", vmIDs{}),
		},
	}
}

// hidden validates the form of a secret without showing it.
type hidden struct {
	form *regexp.Regexp
	must string
}

func (v hidden) Description(context.Context) string             { return v.must }
func (v hidden) MarkdownDescription(ctx context.Context) string { return v.Description(ctx) }

func (v hidden) ValidateString(_ context.Context, req validator.StringRequest, resp *validator.StringResponse) {
	if s := req.ConfigValue; !s.IsNull() && !s.IsUnknown() && !v.form.MatchString(s.ValueString()) {
		resp.Diagnostics.AddAttributeError(req.Path, "Invalid secret", req.Path.String()+" "+v.must+".")
	}
}

// vmIDs validates a range of VMIDs.
type vmIDs struct{}

func (vmIDs) Description(context.Context) string               { return `must be a range such as "1000-1999"` }
func (v vmIDs) MarkdownDescription(ctx context.Context) string { return v.Description(ctx) }

func (vmIDs) ValidateString(_ context.Context, req validator.StringRequest, resp *validator.StringResponse) {
	if req.ConfigValue.IsNull() || req.ConfigValue.IsUnknown() {
		return
	}
	if _, _, err := vmIDRange(req.ConfigValue.ValueString()); err != nil {
		resp.Diagnostics.AddAttributeError(req.Path, "Invalid range of VMIDs", req.Path.String()+" "+err.Error()+".")
	}
}
