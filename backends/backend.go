package backends

import "context"

// Kind names a driver.
type Kind string

// The drivers.
const (
	Mock    Kind = "mock"
	Libvirt Kind = "libvirt"
	VSphere Kind = "vsphere"
	Proxmox Kind = "proxmox"
)

// ID names a VM within one backend for as long as the VM exists: a libvirt
// domain UUID, a vSphere managed object id, a Proxmox VMID. It does not change
// when the VM is renamed or moved to another host.
type ID string

// Backend is one connected hypervisor.
//
// Drivers embed Unimplemented for what they lack, wrappers embed Backend, so
// that no wrapper can lose a method.
type Backend interface {
	Machines
	Power
	Snapshots
	Images
	Disks
	Guests
	Placement
	Inventory
	Telemetry

	// Info proves that the hypervisor answers and accepts the credentials, and
	// says what it is and can do. A driver asks once and remembers the answer.
	Info(ctx context.Context) (Info, error)

	// Close logs out and waits for the driver's goroutines. The Backend must
	// not be used afterwards.
	Close() error
}

// Info is what a backend says of itself.
type Info struct {
	Backend   Kind
	Product   string    // as the hypervisor names itself, such as "QEMU" or "VMware vCenter Server"
	Version   string    // the product's version
	Endpoint  string    // where it was reached, without secrets
	Catalogue Catalogue // narrowed to what is connected
}

// Machines creates, reads, changes and deletes VMs.
type Machines interface {
	// ListVMs finds VMs with few calls whatever their number. The result is
	// sorted by name, then id, and complete: an error comes without a result.
	ListVMs(ctx context.Context, filter VMFilter) ([]VMSummary, error)

	// GetVMs reads VMs in bulk. Every id asked for is a key of the result;
	// one that does not exist has an Err of code NotFound, one that cannot be
	// read now has another code. The error returned is for the call as a whole.
	GetVMs(ctx context.Context, ids []ID, aspects Aspects) (map[ID]Result, error)

	// CreateVM makes a VM and leaves it stopped. The id is returned as soon as
	// the object exists, also next to an error: the caller then owns a partial
	// VM which DeleteVM removes. A name that is taken is a Conflict, also where
	// the hypervisor would allow it, unless the existing VM carries the same
	// CreateToken (an earlier try of the same creation).
	CreateVM(ctx context.Context, spec *VMSpec) (ID, error)

	// CloneVM makes a VM from another; what Spec leaves nil is inherited. Like CreateVM it
	// leaves the result stopped, returns the id next to an error, refuses a name that is taken
	// and obeys Spec.CreateToken. What is missing is a NotFound at source_vm or source_snapshot.
	CloneVM(ctx context.Context, spec *CloneSpec) (ID, error)

	// Reconfigure carries out changes, which Diff computed, so that the VM
	// becomes r.Desired. See ReconfigureMode for the state the VM is in. It is
	// idempotent: a change that already holds is not an error.
	Reconfigure(ctx context.Context, id ID, r Reconfiguration) error

	// DeleteVM removes a VM, whatever its power state, with all that it owns:
	// its volumes other than those kept, firmware variables, TPM state, saved
	// memory, snapshots and seed. Deleting what is gone is a NotFound, which
	// callers take as success.
	DeleteVM(ctx context.Context, id ID, opts DeleteOptions) error
}

// Power switches VMs.
type Power interface {
	// SetPower starts one transition. PowerOn, PowerOff, Suspend, Resume and
	// Reset return when the VM is in the new state; Shutdown and Reboot return
	// when the guest was asked. A transition into the state that the VM is in
	// already succeeds; one that its state forbids is a Precondition.
	SetPower(ctx context.Context, id ID, action PowerAction) error

	// WaitPower returns when the VM is in state, by the hypervisor's events or
	// by reads at growing intervals, or when ctx ends.
	WaitPower(ctx context.Context, id ID, state PowerState) error
}

// Snapshots takes, lists, restores and deletes snapshots.
//
// A snapshot holds a VM's hardware and the content of its disks, with the memory of a
// running VM where that is asked. It changes nothing of what is observed of the VM, except
// where its bytes are. Disks attached by Volume are left out, and one with memory is then a
// Precondition that names the disk; so is every snapshot where the hypervisor cannot leave a disk out,
// and one of a VM with a disk whose storage or format has no snapshots.
type Snapshots interface {
	// CreateSnapshot takes a snapshot of a running or stopped VM and returns its id, unique
	// within the VM. It becomes a child of the current one, and current. A name that another
	// snapshot of the VM has is a Conflict, none is Invalid; Memory of a VM that does not run,
	// and Quiesce where no agent answers, is a Precondition.
	CreateSnapshot(ctx context.Context, id ID, spec SnapshotSpec) (string, error)
	// ListSnapshots returns a VM's snapshots, parents before children. Exactly one is current
	// where there are any: that which the VM's present state was made from.
	ListSnapshots(ctx context.Context, id ID) ([]Snapshot, error)
	// RevertSnapshot returns the VM to a snapshot: hardware, disks and power state. One with
	// memory leaves it running, any other stopped. Name, UUID and other snapshots stay, and
	// what the VM became since then is lost.
	RevertSnapshot(ctx context.Context, id ID, snapshot string) error
	// DescribeSnapshot changes a snapshot's description, and nothing else.
	DescribeSnapshot(ctx context.Context, id ID, snapshot, description string) error
	// DeleteSnapshot removes one snapshot, with its descendants if children; otherwise its
	// children become its parent's. The VM stays as it is, running or not. Where the current
	// one goes, its nearest ancestor that is left becomes current.
	DeleteSnapshot(ctx context.Context, id ID, snapshot string, children bool) error
}

// Images brings disk images to the hypervisor.
type Images interface {
	// ImportImage transfers source and returns the image once it is complete
	// and verified. What was transferred in part is removed before an error is
	// returned, also when ctx was cancelled. A name that is taken is a Conflict
	// unless the image there has spec.Fingerprint, which is returned with Cached set.
	// Where the storage has that content under another name, the new image is made from it
	// without a transfer, and has Cached set too. Content that cannot fit is Exhausted, if
	// possible before it is transferred.
	ImportImage(ctx context.Context, spec ImageSpec, source ImageSource) (Image, error)
	// GetImage reads one image by id, or NotFound.
	GetImage(ctx context.Context, id string) (Image, error)
	// ListImages returns the images of one storage, or of all where storage is "".
	ListImages(ctx context.Context, storage string) ([]Image, error)
	// DeleteImage removes an image; one that VMs still need is a Precondition.
	DeleteImage(ctx context.Context, id string) error
}

// Disks manages disks that have a life of their own.
type Disks interface {
	CreateDisk(ctx context.Context, spec DiskSpec) (Volume, error)
	GetDisk(ctx context.Context, id string) (Volume, error)
	// ResizeDisk grows a disk, online where it is in use. A smaller size is Invalid.
	ResizeDisk(ctx context.Context, id string, sizeGiB int64) error
	// DeleteDisk removes a disk; one that is attached is a Precondition.
	DeleteDisk(ctx context.Context, id string) error
}

// Guests talks to what runs inside a VM.
type Guests interface {
	// GuestInfo asks the agent once, bounded by ctx. No agent is a Precondition.
	GuestInfo(ctx context.Context, id ID) (Guest, error)
	// GuestExec runs a command in the guest and waits for it.
	GuestExec(ctx context.Context, id ID, cmd GuestCommand) (GuestResult, error)
	// Console makes an address at which the VM's console answers. It is a secret that
	// expires. A VM that does not run has none: Precondition.
	Console(ctx context.Context, id ID) (Console, error)
}

// Placement moves VMs.
type Placement interface {
	// Migrate moves a VM, live where it runs, to another host or storage.
	Migrate(ctx context.Context, id ID, to PlacementSpec) error
	// CheckPlacement looks up what a placement names and says, with a Path, what a VM that is made there would
	// meet now: NotFound, Conflict where a name means several things, Invalid where the parts do not fit together. It
	// changes nothing. Unsupported is a driver that has nothing to look up.
	CheckPlacement(ctx context.Context, at PlacementSpec) error
}

// Inventory lists what VMs can be placed on, in one or few calls each.
type Inventory interface {
	Hosts(ctx context.Context) ([]Host, error)
	Networks(ctx context.Context) ([]Network, error)
	Storages(ctx context.Context) ([]Storage, error)
}

// Telemetry reports what happened and how VMs fare.
type Telemetry interface {
	// Tasks returns the hypervisor's recent operations, newest first.
	Tasks(ctx context.Context, filter TaskFilter) ([]Task, error)
	// Metrics reads current figures of VMs in bulk.
	Metrics(ctx context.Context, ids []ID) (map[ID]Metrics, error)
	// Events returns what the hypervisor logged of a VM, newest first.
	Events(ctx context.Context, id ID) ([]Event, error)
}
