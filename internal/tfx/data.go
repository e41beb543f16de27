// Package tfx joins the portable seam to the Terraform plugin framework: the
// connection that resources share, paths, diagnostics, and the arithmetic of
// planned, configured and prior values.
package tfx

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/hashicorp/terraform-plugin-framework/diag"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// ProviderData is what the provider hands to every resource and data source:
// one backend, connected at its first use and shared by all.
//
// A nil *ProviderData stands for a provider whose configuration is not known
// yet: Configured is false and checks against the hypervisor are skipped.
type ProviderData struct {
	kind    backends.Kind
	version string
	open    func(context.Context) (backends.Backend, error)

	inventory *Inventory

	gate    chan struct{} // held while connecting, so that waiting honours ctx
	mu      sync.Mutex
	backend backends.Backend
	info    backends.Info
	failed  error // the first connection's error, which the others get too
	shown   bool  // failed is a diagnostic already
}

// NewProviderData returns data whose backend is made by open when it is first
// wanted. kind is the driver that open makes; version is the provider's own.
func NewProviderData(kind backends.Kind, version string, open func(context.Context) (backends.Backend, error)) *ProviderData {
	d := &ProviderData{kind: kind, version: version, open: open, gate: make(chan struct{}, 1)}
	d.inventory = &Inventory{data: d, managed: map[backends.ID]bool{}, kept: map[string]bool{}, power: map[backends.ID]backends.PowerState{}, noticed: make(chan struct{})}
	return d
}

// Configured reports whether there is a hypervisor to ask.
func (d *ProviderData) Configured() bool { return d != nil }

// Kind is the driver's name, known without a connection.
func (d *ProviderData) Kind() backends.Kind {
	if d == nil {
		return ""
	}
	return d.kind
}

// Version is the provider's own version.
func (d *ProviderData) Version() string { return d.version }

// Connect returns the backend and what it says of itself, connecting if nobody
// has yet. A failure is remembered and given to every later caller, so that
// many resources do not each wait for a host that is down; only an interrupted
// attempt is repeated.
func (d *ProviderData) Connect(ctx context.Context) (backends.Backend, backends.Info, error) {
	if d == nil {
		return nil, backends.Info{}, backends.Errorf(backends.Precondition, "use the provider", "",
			"its configuration is not known yet")
	}
	if b, info, err, done := d.settled(); done {
		return b, info, err
	}
	select {
	case d.gate <- struct{}{}:
		defer func() { <-d.gate }()
	case <-ctx.Done():
		return nil, backends.Info{}, backends.Wrap(ctx.Err(), "connect "+d.object(), "")
	}
	if b, info, err, done := d.settled(); done {
		return b, info, err
	}
	b, info, err := d.dial(ctx)
	if err != nil && ctx.Err() != nil {
		return nil, backends.Info{}, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.backend, d.info, d.failed = b, info, err
	return b, info, err
}

// Repeated reports whether err is the failure to connect, and some resource has
// shown it already. A refresh or a plan, which fails as a whole by that one
// diagnostic, then need not say it again for each of a hundred VMs.
func (d *ProviderData) Repeated(err error) bool {
	if d == nil || err == nil {
		return false
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if err != d.failed { //nolint:errorlint // the very error that Connect remembers
		return false
	}
	repeated := d.shown
	d.shown = true
	return repeated
}

// Info is Connect for those who only want the hypervisor's description.
func (d *ProviderData) Info(ctx context.Context) (backends.Info, error) {
	_, info, err := d.Connect(ctx)
	return info, err
}

// Close logs out where Connect has logged in. It may be called at any time, at
// most once, and on nil.
func (d *ProviderData) Close() error {
	if d == nil {
		return nil
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.backend == nil {
		return nil
	}
	return d.backend.Close()
}

func (d *ProviderData) settled() (backends.Backend, backends.Info, error, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.backend, d.info, d.failed, d.backend != nil || d.failed != nil
}

func (d *ProviderData) dial(ctx context.Context) (backends.Backend, backends.Info, error) {
	b, err := d.open(ctx)
	if err != nil {
		return nil, backends.Info{}, d.refused(err)
	}
	info, err := b.Info(ctx)
	if err != nil {
		_ = b.Close() // the first cause is what counts
		return nil, backends.Info{}, d.refused(err)
	}
	return b, info, nil
}

// refused is err as resources may show it: what it blames is in the provider
// block, where a resource's diagnostic cannot point.
func (d *ProviderData) refused(err error) error {
	err = backends.Wrap(err, "connect "+d.object(), "")
	var e *backends.Error
	if errors.As(err, &e) {
		return e.At("")
	}
	return err
}

func (d *ProviderData) object() string { return "to the " + string(d.kind) + " backend" }

// FromConfigure takes the *ProviderData out of a Configure request's
// ProviderData, which is nil before the provider itself is configured.
func FromConfigure(providerData any, diags *diag.Diagnostics) *ProviderData {
	if providerData == nil {
		return nil
	}
	d, ok := providerData.(*ProviderData)
	if !ok {
		diags.AddError("Unexpected provider data",
			fmt.Sprintf("The provider handed over a %T. This is a fault of the provider; please report it.", providerData))
		return nil
	}
	return d
}
