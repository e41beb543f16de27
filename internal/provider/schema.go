package provider

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework-validators/int64validator"
	"github.com/hashicorp/terraform-plugin-framework-validators/stringvalidator"
	"github.com/hashicorp/terraform-plugin-framework/provider"
	"github.com/hashicorp/terraform-plugin-framework/provider/schema"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
)

// Schema implements provider.Provider.
func (p *Provider) Schema(_ context.Context, _ provider.SchemaRequest, resp *provider.SchemaResponse) {
	resp.Schema = schema.Schema{
		MarkdownDescription: "Manages virtual machines on libvirt/KVM, VMware vSphere, Proxmox VE, and on an embedded mock hypervisor, with one schema for all. " +
			"What a hypervisor cannot do is an error at plan time, on the attribute that asks for it.\n\n" +
			"Exactly one of `libvirt`, `vsphere`, `proxmox` and `mock` says where the VMs live; without a block the environment variable `VIRTRIGAUD_BACKEND` does, or the one of `LIBVIRT_DEFAULT_URI`, `VSPHERE_SERVER` and `PROXMOX_VE_ENDPOINT` that is set. " +
			"Every value can also come from the environment variable that its description names; the block wins. " +
			"The provider connects when something is first read or written.",
		Attributes: map[string]schema.Attribute{
			"libvirt": libvirtAttribute(),
			"vsphere": vsphereAttribute(),
			"proxmox": proxmoxAttribute(),
			"mock":    mockAttribute(),
			"max_parallel_operations": schema.Int64Attribute{
				MarkdownDescription: "How many calls the hypervisor gets at once, 1 to 256. Default: `16`. Environment: `VIRTRIGAUD_MAX_PARALLEL_OPERATIONS`.",
				Optional:            true, Validators: []validator.Int64{int64validator.Between(1, 256)},
			},
			"request_timeout": schema.StringAttribute{
				MarkdownDescription: "How long the hypervisor may take to answer one read, such as `30s`. Operations that change something are bounded by the `timeouts` of their resource. " +
					"Default: `60s`. Environment: `VIRTRIGAUD_REQUEST_TIMEOUT`.",
				Optional: true, Validators: []validator.String{duration{}},
			},
		},
	}
}

func libvirtAttribute() schema.Attribute {
	return schema.SingleNestedAttribute{
		MarkdownDescription: "A libvirt daemon with QEMU. Nothing is needed beside the daemon, and no file on the machine that runs Terraform: keys and certificates can be given inline.",
		Optional:            true,
		Attributes: map[string]schema.Attribute{
			"uri": setting("Where libvirt answers: `qemu:///system`, `qemu+ssh://user@host/system`, `qemu+tls://host/system` or `qemu+tcp://host/system`. " +
				"Default: `qemu:///system`. Environment: `LIBVIRT_DEFAULT_URI`."),
			"storage_pool": setting("Storage pool for disks that name none. Default: `default`. Environment: `VIRTRIGAUD_LIBVIRT_STORAGE_POOL`."),
			"network":      setting("Network for interfaces that name none. Default: `default`. Environment: `VIRTRIGAUD_LIBVIRT_NETWORK`."),
			"domain_type": setting("`kvm`, or `qemu` for emulation without hardware support. Default: `kvm` where it works, else `qemu`. Environment: `VIRTRIGAUD_LIBVIRT_DOMAIN_TYPE`.",
				stringvalidator.OneOf("kvm", "qemu")),
			"ssh": schema.SingleNestedAttribute{
				MarkdownDescription: "For URIs with `ssh`. What is unset is taken from the URI's parameters, then from where OpenSSH keeps it. The server's host key is always verified.",
				Optional:            true,
				Attributes: map[string]schema.Attribute{
					"user":        setting("Login name. Environment: `VIRTRIGAUD_LIBVIRT_SSH_USER`."),
					"private_key": secret("Private key, PEM or OpenSSH format, without a passphrase. Environment: `VIRTRIGAUD_LIBVIRT_SSH_PRIVATE_KEY`."),
					"known_hosts": setting("Lines of a known_hosts file that hold the server's host key. Environment: `VIRTRIGAUD_LIBVIRT_SSH_KNOWN_HOSTS`."),
					"jump":        setting("Host to go through, `[user@]host[:port]`. Environment: `VIRTRIGAUD_LIBVIRT_SSH_JUMP`."),
				},
			},
			"tls": schema.SingleNestedAttribute{
				MarkdownDescription: "For URIs with `tls`, in PEM. What is unset is read from libvirt's usual places.",
				Optional:            true,
				Attributes: map[string]schema.Attribute{
					"ca_certificate": setting("Certificate of the authority that signed the server's. Environment: `VIRTRIGAUD_LIBVIRT_TLS_CA_CERTIFICATE`."),
					"certificate":    setting("Client certificate. Environment: `VIRTRIGAUD_LIBVIRT_TLS_CERTIFICATE`."),
					"private_key":    secret("Key of the client certificate. Environment: `VIRTRIGAUD_LIBVIRT_TLS_PRIVATE_KEY`."),
				},
			},
		},
	}
}

func mockAttribute() schema.Attribute {
	return schema.SingleNestedAttribute{
		MarkdownDescription: "An embedded hypervisor for trying out modules and for tests: it needs no server and its guests are pretended.",
		Optional:            true,
		Attributes: map[string]schema.Attribute{
			"state_file": setting("File that keeps the mock's VMs between runs. Default: none, they end with the run. Environment: `VIRTRIGAUD_MOCK_STATE_FILE`."),
			"imitate": setting("Take on the capabilities of another hypervisor, `libvirt`, `vsphere` or `proxmox`, so that a plan shows what that one would refuse. Environment: `VIRTRIGAUD_MOCK_IMITATE`.",
				stringvalidator.OneOf("libvirt", "vsphere", "proxmox")),
			"latency": setting("How long every operation takes, such as `200ms`. Default: `0s`. Environment: `VIRTRIGAUD_MOCK_LATENCY`.", duration{zero: true}),
			"jitter":  setting("Random time that every operation takes beside `latency`, at most. Default: `0s`. Environment: `VIRTRIGAUD_MOCK_JITTER`.", duration{zero: true}),
			"seed": schema.Int64Attribute{
				MarkdownDescription: "Seed of ids, addresses and chance; the same seed gives the same world. Default: `0`. Environment: `VIRTRIGAUD_MOCK_SEED`.",
				Optional:            true,
			},
			"sample_data": schema.BoolAttribute{
				MarkdownDescription: "Start with sample images, templates and VMs. Default: `false`. Environment: `VIRTRIGAUD_MOCK_SAMPLE_DATA`.",
				Optional:            true,
			},
			"faults": faultsAttribute(),
		},
	}
}

func faultsAttribute() schema.Attribute {
	return schema.ListNestedAttribute{
		MarkdownDescription: "Operations that fail, to see what Terraform makes of it.",
		Optional:            true,
		NestedObject: schema.NestedAttributeObject{Attributes: map[string]schema.Attribute{
			"operation": setting("Which operations, such as `CreateVM`, `SetPower.start` or `Get*`. Default: all."),
			"name":      setting("Pattern for the name or id of the object, such as `web-*`. Default: any."),
			"code": setting("Code of the error. Default: `transient`.", stringvalidator.OneOf("not_found", "conflict", "locked", "invalid", "unsupported",
				"precondition", "auth", "exhausted", "transient", "timeout", "canceled", "internal")),
			"message": setting("Cause that the error names."),
			"skip": schema.Int64Attribute{
				MarkdownDescription: "How many matching operations succeed first. Default: `0`.", Optional: true,
				Validators: []validator.Int64{int64validator.AtLeast(0)},
			},
			"count": schema.Int64Attribute{
				MarkdownDescription: "How many fail then. Default: all.", Optional: true,
				Validators: []validator.Int64{int64validator.AtLeast(1)},
			},
			"probability": schema.Float64Attribute{
				MarkdownDescription: "Probability with which each of those fails, above 0 and at most 1. Default: `1`.", Optional: true,
				Validators: []validator.Float64{probability{}},
			},
		}},
	}
}

func setting(doc string, v ...validator.String) schema.StringAttribute {
	return schema.StringAttribute{MarkdownDescription: doc, Optional: true, Validators: v}
}

func secret(doc string, v ...validator.String) schema.StringAttribute {
	return schema.StringAttribute{MarkdownDescription: doc, Optional: true, Sensitive: true, Validators: v}
}
