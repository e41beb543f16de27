package provider

import (
	"context"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/vsphere"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/vsphere/conn"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/vsphere/inventory"
)

// vsphereModel is the vsphere object of the provider block.
type vsphereModel struct {
	Endpoint      *string `tfsdk:"endpoint"`
	Username      *string `tfsdk:"username"`
	Password      *string `tfsdk:"password"`
	Insecure      *bool   `tfsdk:"insecure"`
	CACertificate *string `tfsdk:"ca_certificate"`
	Thumbprint    *string `tfsdk:"thumbprint"`
	SessionCache  *string `tfsdk:"session_cache"`
	Datacenter    *string `tfsdk:"datacenter"`
	Cluster       *string `tfsdk:"cluster"`
	ResourcePool  *string `tfsdk:"resource_pool"`
	Host          *string `tfsdk:"host"`
	Datastore     *string `tfsdk:"datastore"`
	Folder        *string `tfsdk:"folder"`
	Network       *string `tfsdk:"network"`
}

// vsphereServer is the variable that stands for a vsphere block.
const vsphereServer = "VSPHERE_SERVER"

func (m *vsphereModel) resolve(r *resolver) func(context.Context) (backends.Backend, error) {
	cfg := m.config(r)
	return func(ctx context.Context) (backends.Backend, error) { return vsphere.Open(ctx, cfg) }
}

func (m *vsphereModel) config(r *resolver) vsphere.Config {
	if m == nil {
		m = &vsphereModel{}
	}
	cfg := vsphere.Config{
		Config: conn.Config{
			Endpoint:      r.required(m.Endpoint, "vsphere", "endpoint", vsphereServer),
			Username:      r.required(m.Username, "vsphere", "username", "VSPHERE_USER"),
			Password:      r.required(m.Password, "vsphere", "password", "VSPHERE_PASSWORD"),
			Insecure:      r.flag(m.Insecure, "VSPHERE_ALLOW_UNVERIFIED_SSL"),
			CACertificate: r.text(m.CACertificate, "VSPHERE_CA_CERTIFICATE"),
			Thumbprint:    r.text(m.Thumbprint, "VSPHERE_THUMBPRINT"),
			SessionCache:  r.text(m.SessionCache, "VIRTRIGAUD_VSPHERE_SESSION_CACHE"),
		},
		Defaults: inventory.Defaults{
			Datacenter:   r.text(m.Datacenter, "VSPHERE_DATACENTER"),
			Cluster:      r.text(m.Cluster, "VSPHERE_CLUSTER"),
			ResourcePool: r.text(m.ResourcePool, "VSPHERE_RESOURCE_POOL"),
			Host:         r.text(m.Host, "VSPHERE_HOST"),
			Datastore:    r.text(m.Datastore, "VSPHERE_DATASTORE"),
			Folder:       r.text(m.Folder, "VSPHERE_FOLDER"),
			Network:      r.text(m.Network, "VSPHERE_NETWORK"),
		},
	}
	const insecure = "VSPHERE_ALLOW_UNVERIFIED_SSL"
	r.contradiction("vsphere", cfg.Insecure, insecure, "thumbprint", cfg.Thumbprint, "VSPHERE_THUMBPRINT")
	r.contradiction("vsphere", cfg.Insecure, insecure, "ca_certificate", cfg.CACertificate, "VSPHERE_CA_CERTIFICATE")
	return cfg
}
