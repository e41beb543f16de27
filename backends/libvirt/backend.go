// Package libvirt drives VMs on libvirt with QEMU, on KVM or emulated.
//
// A VM is a libvirt domain, its id the domain's UUID, its disks volumes in storage
// pools. What libvirt has no place for (keys of disks and networks, tags, what
// goes with the VM) is kept in the domain's own metadata, the ownership mark: there
// is no state anywhere else.
//
// # Calls
//
// A refresh of N VMs reads N domain definitions, and beside that, whatever N is:
// states and disk sizes in one call, the lists of VMs with saved memory and of
// those that start with the host in one each a second, and one for the DHCP leases of each
// libvirt network that running VMs use. Only what the caller asks for with an aspect of its own costs
// more: AspectGuest a question to each running VM's agent, AspectSeed the seed's bytes.
package libvirt

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/catalogues"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/libvirt/conn"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/libvirt/storage"
)

// Config says which libvirtd to drive and what VMs get that do not say.
type Config struct {
	conn.Config // the connection; only URI is required

	StoragePool string // pool of disks that name none; "" is "default"
	Network     string // in NIC.Network form, of NICs that name none; "" is "default"
	DomainType  string // "kvm" or "qemu"; "" is kvm where it works, else qemu
}

// Backend is a connected libvirtd.
type Backend struct {
	backends.Unimplemented

	cfg   Config
	conn  *conn.Conn
	store *storage.Store
	locks locks
	macs  macTable
	pools poolCache

	flagged flagged

	facts atomic.Pointer[hostFacts] // nil until the host was asked

	now func() time.Time
}

var _ backends.Backend = (*Backend)(nil)

// Open connects to a libvirtd. It fails where that cannot be reached or refuses
// the credentials. Close the Backend when done.
func Open(ctx context.Context, cfg Config) (backends.Backend, error) {
	b, err := open(ctx, cfg)
	if err != nil {
		return nil, err
	}
	return b, nil
}

func open(ctx context.Context, cfg Config) (*Backend, error) {
	if cfg.StoragePool == "" {
		cfg.StoragePool = "default"
	}
	if cfg.Network == "" {
		cfg.Network = "default"
	}
	switch cfg.DomainType {
	case "", "kvm", "qemu":
	default:
		return nil, backends.Errorf(backends.Invalid, "connect to libvirt", "", "domain_type is %q; it is kvm or qemu", cfg.DomainType)
	}
	c, err := conn.Open(ctx, cfg.Config)
	if err != nil {
		return nil, backends.Wrap(err, "connect to libvirt", "")
	}
	store := storage.New(c, storage.Options{DefaultPool: cfg.StoragePool})
	return &Backend{
		Unimplemented: backends.Unimplemented{Kind: backends.Libvirt},
		cfg:           cfg,
		conn:          c,
		store:         store,
		now:           time.Now,
	}, nil
}

// Close ends the connection and waits for everything that was started.
func (b *Backend) Close() error { return b.conn.Close() }

// Info says what the host is and can do. It is asked once.
func (b *Backend) Info(ctx context.Context) (backends.Info, error) {
	h, err := b.host(ctx)
	if err != nil {
		return backends.Info{}, backends.Wrap(err, "read the host's capabilities", "")
	}
	return backends.Info{
		Backend:   backends.Libvirt,
		Product:   "QEMU",
		Version:   h.version,
		Endpoint:  b.conn.Endpoint(),
		Catalogue: h.narrow(catalogues.Libvirt()),
	}, nil
}
