// Package proxmox drives VMs on Proxmox VE.
//
// A VM's id is its VMID. Which node it is on is looked up, because it moves. What Proxmox VE has no place for (keys of
// disks and networks, what was asked where it keeps only what came of it) is in a comment at the end of the VM's notes,
// the ownership mark: there is no state anywhere else.
//
// # Calls
//
// A refresh asks the cluster where VMs are, each node what runs there, and of each VM its configuration with what of it is pending, in
// parallel. Agents are asked where a guest is wanted, each with a bound of its own. A write reads the VM, sends what differs
// with the digest of what was read, and waits for one task.
package proxmox

import (
	"context"
	"time"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/catalogues"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/proxmox/pve"
)

// Config says which cluster to drive and where VMs go that do not say.
type Config struct {
	pve.Config
	Defaults
	// ListingAge is how old the lists of VMs, nodes and storages may be that reads share, where nothing was written here meanwhile;
	// 0 shares them among simultaneous reads only. A configuration is always read anew.
	ListingAge time.Duration
}

// Defaults are for what a VM or an image does not name.
type Defaults struct {
	Node         string // "" is the one with most free memory
	Storage      string // of disks; "" is one of the node's that takes them
	ImageStorage string // of images and seeds; "" is one of the node's that takes them
	Bridge       string // of interfaces; "" is vmbr0
	Pool         string
	// FirstID and LastID bound the VMIDs of new VMs; 0 is Proxmox VE's own range.
	FirstID, LastID int64
}

// The VMIDs that Proxmox VE knows.
const (
	firstID = 100
	lastID  = 999_999_999
)

// Backend is a connected cluster.
type Backend struct {
	backends.Unimplemented

	cfg    Config
	conn   *pve.Client
	estate *estate
	making reservations
	doomed doomed
	turns  turns
	quiet  time.Duration // see abandoned
	stale  time.Duration // see sweepStage
}

var _ backends.Backend = (*Backend)(nil)

// Open connects and logs in. It fails where Proxmox VE cannot be reached or refuses the credentials. Close the Backend when done.
func Open(ctx context.Context, cfg Config) (backends.Backend, error) {
	b, err := open(ctx, cfg)
	if err != nil {
		return nil, err
	}
	return b, nil
}

func open(ctx context.Context, cfg Config) (*Backend, error) {
	if cfg.FirstID == 0 {
		cfg.FirstID = firstID
	}
	if cfg.LastID == 0 {
		cfg.LastID = lastID
	}
	if cfg.Bridge == "" {
		cfg.Bridge = "vmbr0"
	}
	conn, err := pve.Open(ctx, cfg.Config)
	if err != nil {
		return nil, err
	}
	return &Backend{
		Unimplemented: backends.Unimplemented{Kind: backends.Proxmox},
		cfg:           cfg,
		conn:          conn,
		estate:        newEstate(ctx, conn, cfg.ListingAge),
		quiet:         quiet,
		stale:         stale,
	}, nil
}

// Close gives up what the connection does in the background.
func (b *Backend) Close() error {
	b.estate.close()
	return b.conn.Close()
}

// Info says what answers and what it can do. That the connection was opened proved the credentials.
func (b *Backend) Info(context.Context) (backends.Info, error) {
	return backends.Info{
		Backend:   backends.Proxmox,
		Product:   "Proxmox VE",
		Version:   b.conn.Version().String(),
		Endpoint:  b.conn.Endpoint(),
		Catalogue: b.catalogue(),
	}, nil
}

// catalogue is what the connected version can do.
func (b *Backend) catalogue() backends.Catalogue { return catalogues.Proxmox() }
