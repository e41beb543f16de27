// Package provider is the virtrigaud Terraform provider: its configuration, and
// what it registers. The hypervisor is connected at its first use.
package provider

import (
	"context"
	"errors"
	"sync"

	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/ephemeral"
	"github.com/hashicorp/terraform-plugin-framework/provider"
	"github.com/hashicorp/terraform-plugin-framework/resource"

	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/capabilities"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/console"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/disk"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/image"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/inventory"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/snapshot"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/tfx"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/vm"
)

// TypeName is how every resource's name begins.
const TypeName = "virtrigaud"

// Provider implements provider.Provider.
type Provider struct {
	version string

	mu   sync.Mutex
	open []*tfx.ProviderData // what Close must log out from
}

var (
	_ provider.Provider                       = (*Provider)(nil)
	_ provider.ProviderWithEphemeralResources = (*Provider)(nil)
	_ provider.ProviderWithValidateConfig     = (*Provider)(nil)
)

// New returns the provider; version is its release, "dev" for none.
func New(version string) *Provider { return &Provider{version: version} }

// Metadata implements provider.Provider.
func (p *Provider) Metadata(_ context.Context, _ provider.MetadataRequest, resp *provider.MetadataResponse) {
	resp.TypeName = TypeName
	resp.Version = p.version
}

// Configure implements provider.Provider. It reads the configuration and the
// environment and connects to nothing. A configuration that is not known yet
// leaves the provider unconfigured: plans work and are not checked.
func (p *Provider) Configure(ctx context.Context, req provider.ConfigureRequest, resp *provider.ConfigureResponse) {
	if !req.Config.Raw.IsFullyKnown() {
		return
	}
	var m model
	resp.Diagnostics.Append(req.Config.Get(ctx, &m)...)
	if resp.Diagnostics.HasError() {
		return
	}
	s, err := m.resolve(environment)
	if err != nil {
		err.add(&resp.Diagnostics)
		return
	}
	data := tfx.NewProviderData(s.kind, p.version, s.open)
	p.mu.Lock()
	p.open = append(p.open, data)
	p.mu.Unlock()
	resp.ResourceData = data
	resp.DataSourceData = data
	resp.EphemeralResourceData = data
}

// Close logs out of every hypervisor that was connected.
func (p *Provider) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	var errs []error
	for _, data := range p.open {
		errs = append(errs, data.Close())
	}
	p.open = nil
	return errors.Join(errs...)
}

// Resources implements provider.Provider.
func (p *Provider) Resources(context.Context) []func() resource.Resource {
	return []func() resource.Resource{
		disk.NewResource,
		image.NewResource,
		snapshot.NewResource,
		vm.NewResource,
		vm.NewCloneResource,
	}
}

// DataSources implements provider.Provider.
func (p *Provider) DataSources(context.Context) []func() datasource.DataSource {
	return []func() datasource.DataSource{
		capabilities.NewDataSource,
		image.NewDataSource,
		inventory.NewHosts,
		inventory.NewNetworks,
		inventory.NewStorages,
		inventory.NewVMs,
		vm.NewDataSource,
	}
}

// EphemeralResources implements provider.ProviderWithEphemeralResources.
func (p *Provider) EphemeralResources(context.Context) []func() ephemeral.EphemeralResource {
	return []func() ephemeral.EphemeralResource{
		console.NewResource,
	}
}
