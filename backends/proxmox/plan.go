package proxmox

import (
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/proxmox/vmconf"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/cloudinit"
)

// world is what the mapping between a VMSpec and a configuration needs to know of the node and its storages.
type world struct {
	MHz      int64                   // of one of the node's processors; 0 is not known
	Storages map[string]storageFacts // that the node can use now, by name
	Storage  string                  // for disks that name none, where it suits; "" is any
	Bridge   string                  // for NICs that name no network
	Mappings map[string]string       // of host devices: "pci" or "usb" by the mapping's name; nil is not known
}

// storageFacts is what the mapping needs to know of a storage.
type storageFacts struct {
	Type          string   // "dir", "lvmthin", "nfs"
	Content       []string // "images", "iso", "import", "snippets"; nil is not known
	Sparse        bool     // of a zfspool
	Preallocation string   // of a storage of files
	Free          int64    // bytes; 0 is not known
}

// hardware is a VM's configuration as it was read.
type hardware struct {
	VMID     int64
	Node     string
	Pool     string        // the resource pool that it is in
	Config   vmconf.Config // what is configured: pending values have won
	Mark     *mark         // nil for a VM that was made elsewhere
	Template bool
}

// newHardware takes the mark out of a configuration that was read. With an error there is none.
func newHardware(vmid int64, node, pool string, config vmconf.Config) (*hardware, error) {
	m, _, err := readMark(config["description"], vmid)
	return &hardware{VMID: vmid, Node: node, Pool: pool, Config: config, Mark: m, Template: config.Bool("template", false)}, err
}

// observation is what a configuration says of a VM.
type observation struct {
	Spec        backends.VMSpec
	Disks       map[string]backends.DiskStatus
	Networks    map[string]backends.NICStatus // without addresses
	UUID        string
	ConsoleType string
	Owned       bool
	Agent       bool              // the channel is there
	Slots       map[string]string // of disks, by key: "scsi0"
	NICs        map[string]string // of interfaces, by key: "net0"
}

// request asks for a plan.
type request struct {
	World world
	VMID  int64
	Node  string
	// Have is the VM that is changed; nil makes a new one.
	Have *hardware
	// Want is what is desired: for a change, what is nil is left alone.
	Want *backends.VMSpec
	// Running: what the plan changes must be possible in a running VM.
	Running bool

	// Import is the volume that the disk "root" of a new VM is made from, and ImportBytes its size for
	// a guest, 0 where that is not known.
	Import      string
	ImportBytes int64

	// UUID is the new VM's; MAC makes an address. Both are needed where a seed is rendered.
	UUID string
	MAC  func() string
	// SeedVolume is the volume id that a seed would be uploaded as: another one than the VM has. "" where no storage
	// takes ISO files: a seed is refused then.
	SeedVolume string
	// Clone: the disks were another VM's, whose guest has been set up.
	Clone bool
}

// plan is what makes a VM become what is desired. It is carried out in the order of its fields: Seed is uploaded, drives are
// detached, parameters are set, disks are moved and grown, and what is left over is freed.
type plan struct {
	// Seed is the ISO to upload first, nil for none.
	Seed *seedPlan
	// Detach are drives whose keys go, in a PUT of their own, before others are set.
	Detach []detach
	// Set and Delete are one PUT, or all of POST /qemu beside vmid and node. Set holds the description, with the mark,
	// where it changes.
	Set    vmconf.Config
	Delete []string
	Move   []move
	Resize []resize
	// Free are volumes that no drive names any more, to be deleted: a seed's ISO, a cloud-init drive's volume.
	Free []string

	Pool *string // that the VM is put in; "" takes it out
	Node *string // that the VM is moved to

	// Blame is the attribute that asks for a parameter.
	Blame map[string]backends.Path
	Mark  *mark           // as in the description
	Spec  backends.VMSpec // what the VM becomes
	// Slots and NICs are the keys of the configuration, by the disk's or network's.
	Slots map[string]string
	NICs  map[string]string
}

// detach takes a drive away.
type detach struct {
	Slot   string
	Volume string // that it holds
	// Delete: the volume goes, from the unusedN that it becomes. Where it is false, and not Attach, it stays without
	// the VM, and must not go with it.
	Delete bool
	Attach string // another slot, in Set, that gets the volume
	Path   backends.Path
}

// move puts a disk on another storage or into another format, with the old volume deleted.
type move struct {
	Slot    string
	Storage string
	Format  string // "" keeps it
	Path    backends.Path
}

// resize grows a disk to Bytes.
type resize struct {
	Slot  string
	Bytes int64
	Path  backends.Path
}

// seedPlan is a NoCloud ISO.
type seedPlan struct {
	Volume string // volume id that it is uploaded as
	Slot   string // drive that it is put into, in Set
	Input  cloudinit.Input
}

// empty reports whether there is nothing to do but to write the mark.
func (p *plan) empty() bool {
	return p.Seed == nil && len(p.Detach)+len(p.Delete)+len(p.Move)+len(p.Resize)+len(p.Free) == 0 &&
		len(p.Set.Without("description")) == 0 && p.Pool == nil && p.Node == nil
}
