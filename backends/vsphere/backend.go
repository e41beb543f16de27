// Package vsphere drives VMs on VMware vSphere: a vCenter, or a stand-alone ESXi host.
//
// A VM's id is its managed object id, its disks are files on datastores. What vSphere has no
// place for (keys of disks and networks, what was asked where it only keeps what came of it) is in the VM's
// extraConfig, the ownership mark: there is no state anywhere else.
//
// # Calls
//
// A refresh reads all VMs in one traversal of the property collector, in pages, with the
// names of what they refer to in one more, and their tags in one: what it costs does not grow with the
// number of VMs beyond paging. A write reads the VM, sends one specification and waits for one task.
package vsphere

import (
	"context"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/vsphere/conn"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/vsphere/inventory"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/vsphere/tags"
)

// Config says which vSphere to drive and where VMs go that do not say.
type Config struct {
	conn.Config
	inventory.Defaults
}

// Backend is a connected vCenter or ESXi.
type Backend struct {
	backends.Unimplemented

	cfg  Config
	conn *conn.Conn
	inv  *inventory.Inventory

	links    links
	policies policies
	tags     tags.Directory
}

var _ backends.Backend = (*Backend)(nil)

// Open connects and logs in. It fails where vSphere cannot be reached or refuses the credentials. Close the Backend when done.
func Open(ctx context.Context, cfg Config) (backends.Backend, error) {
	b, err := open(ctx, cfg)
	if err != nil {
		return nil, err
	}
	return b, nil
}

func open(ctx context.Context, cfg Config) (*Backend, error) {
	c, err := conn.Open(ctx, cfg.Config)
	if err != nil {
		return nil, err
	}
	return &Backend{
		Unimplemented: backends.Unimplemented{Kind: backends.VSphere},
		cfg:           cfg,
		conn:          c,
		inv:           inventory.New(c, cfg.Defaults),
	}, nil
}

// Close logs out and waits for everything that was started.
func (b *Backend) Close() error { return b.conn.Close() }
