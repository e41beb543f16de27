package provider

import (
	"regexp"

	"github.com/hashicorp/terraform-plugin-framework-validators/stringvalidator"
	"github.com/hashicorp/terraform-plugin-framework/provider/schema"
)

// thumbprint is the hash of a certificate, by SHA-1 or SHA-256.
var thumbprint = regexp.MustCompile(`^[0-9A-Fa-f]{2}(:?[0-9A-Fa-f]{2}){19}((:?[0-9A-Fa-f]{2}){12})?$`)

func vsphereAttribute() schema.Attribute {
	named := stringvalidator.LengthAtLeast(1)
	return schema.SingleNestedAttribute{
		MarkdownDescription: "VMware vSphere: a vCenter, or a stand-alone ESXi host, which has neither clones and templates nor migration, policies and customization. " +
			"Only the API is needed. What names an object takes its name or its inventory path; an ambiguous name is refused with its candidates.",
		Optional: true,
		Attributes: map[string]schema.Attribute{
			"endpoint": setting("Where vSphere answers: a host name, `host:port`, or a URL such as `https://vcenter.example.org/sdk`. Environment: `VSPHERE_SERVER`.", named),
			"username": setting("Login name, such as `terraform@vsphere.local`. Environment: `VSPHERE_USER`.", named),
			"password": secret("Password. A wrong one is tried once only, so that it does not lock the account. Environment: `VSPHERE_PASSWORD`.", named),
			"insecure": schema.BoolAttribute{
				MarkdownDescription: "Accept any certificate of the server; anybody in between can then read the password. Default: `false`. Environment: `VSPHERE_ALLOW_UNVERIFIED_SSL`.",
				Optional:            true,
			},
			"ca_certificate": setting("Certificates that are trusted beside the system's, in PEM, such as the download of vCenter's own authority. Environment: `VSPHERE_CA_CERTIFICATE`.", named),
			"thumbprint": setting("Hash of the server's certificate, SHA-256 or SHA-1 in hexadecimal, with or without colons. A certificate with this hash is trusted whoever signed it. Environment: `VSPHERE_THUMBPRINT`.",
				stringvalidator.RegexMatches(thumbprint, "must be the SHA-256 or SHA-1 hash of a certificate, 32 or 20 bytes in hexadecimal")),
			"session_cache": setting("Directory in which the session is kept, so that the next run need not log in. It holds what is as good as the password for as long as the session lives. Default: none, every run logs in and out. Environment: `VIRTRIGAUD_VSPHERE_SESSION_CACHE`.", named),
			"datacenter":    setting("Datacenter, where there are several. Environment: `VSPHERE_DATACENTER`.", named),
			"cluster":       setting("Cluster of VMs that name no host, cluster or resource pool. Environment: `VSPHERE_CLUSTER`.", named),
			"resource_pool": setting("Resource pool of VMs that name none. Default: the root pool of the cluster or host. Environment: `VSPHERE_RESOURCE_POOL`.", named),
			"host":          setting("Host of VMs that name no host, cluster or resource pool. Environment: `VSPHERE_HOST`.", named),
			"datastore":     setting("Datastore, or datastore cluster, of disks and images that name none. Environment: `VSPHERE_DATASTORE`.", named),
			"folder":        setting("Folder of VMs that name none, such as `team/web`. Default: the datacenter's own. Environment: `VSPHERE_FOLDER`.", named),
			"network":       setting("Network of interfaces that name none. Environment: `VSPHERE_NETWORK`.", named),
		},
	}
}
