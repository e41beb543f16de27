package provider

import (
	"context"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/libvirt"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/libvirt/conn"
)

// libvirtModel is the libvirt object of the provider block.
type libvirtModel struct {
	URI         *string   `tfsdk:"uri"`
	StoragePool *string   `tfsdk:"storage_pool"`
	Network     *string   `tfsdk:"network"`
	DomainType  *string   `tfsdk:"domain_type"`
	SSH         *sshModel `tfsdk:"ssh"`
	TLS         *tlsModel `tfsdk:"tls"`
}

type sshModel struct {
	User       *string `tfsdk:"user"`
	PrivateKey *string `tfsdk:"private_key"`
	KnownHosts *string `tfsdk:"known_hosts"`
	Jump       *string `tfsdk:"jump"`
}

type tlsModel struct {
	CACertificate *string `tfsdk:"ca_certificate"`
	Certificate   *string `tfsdk:"certificate"`
	PrivateKey    *string `tfsdk:"private_key"`
}

const defaultLibvirtURI = "qemu:///system"

func (m *libvirtModel) resolve(r *resolver) func(context.Context) (backends.Backend, error) {
	if m == nil {
		m = &libvirtModel{}
	}
	ssh, tls := m.SSH, m.TLS
	if ssh == nil {
		ssh = &sshModel{}
	}
	if tls == nil {
		tls = &tlsModel{}
	}
	cfg := libvirt.Config{
		StoragePool: r.text(m.StoragePool, "VIRTRIGAUD_LIBVIRT_STORAGE_POOL"),
		Network:     r.text(m.Network, "VIRTRIGAUD_LIBVIRT_NETWORK"),
		DomainType:  r.text(m.DomainType, "VIRTRIGAUD_LIBVIRT_DOMAIN_TYPE"),
	}
	cfg.URI = r.text(m.URI, "LIBVIRT_DEFAULT_URI")
	cfg.SSH = conn.SSH{
		User:       r.text(ssh.User, "VIRTRIGAUD_LIBVIRT_SSH_USER"),
		PrivateKey: r.text(ssh.PrivateKey, "VIRTRIGAUD_LIBVIRT_SSH_PRIVATE_KEY"),
		KnownHosts: r.text(ssh.KnownHosts, "VIRTRIGAUD_LIBVIRT_SSH_KNOWN_HOSTS"),
		Jump:       r.text(ssh.Jump, "VIRTRIGAUD_LIBVIRT_SSH_JUMP"),
	}
	cfg.TLS = conn.TLS{
		CA:   r.text(tls.CACertificate, "VIRTRIGAUD_LIBVIRT_TLS_CA_CERTIFICATE"),
		Cert: r.text(tls.Certificate, "VIRTRIGAUD_LIBVIRT_TLS_CERTIFICATE"),
		Key:  r.text(tls.PrivateKey, "VIRTRIGAUD_LIBVIRT_TLS_PRIVATE_KEY"),
	}
	if cfg.URI == "" {
		cfg.URI = defaultLibvirtURI
	}
	return func(ctx context.Context) (backends.Backend, error) { return libvirt.Open(ctx, cfg) }
}
