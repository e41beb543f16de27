package backends

import "time"

// PowerState is whether a VM runs.
type PowerState string

// The power states. A suspended VM's memory is on disk and its host may be
// restarted; a paused one's is in memory.
const (
	Running   PowerState = "running"
	Stopped   PowerState = "stopped"
	Suspended PowerState = "suspended"
	Paused    PowerState = "paused"
	Unknown   PowerState = "unknown"
)

// PowerAction is a transition that SetPower makes.
type PowerAction string

// The power actions.
const (
	PowerOn  PowerAction = "start"    // from stopped; resumes a suspended or paused VM
	PowerOff PowerAction = "stop"     // at once, as if by the plug; discards suspended memory
	Shutdown PowerAction = "shutdown" // asks the guest
	Reboot   PowerAction = "reboot"   // asks the guest
	Reset    PowerAction = "reset"    // at once
	Suspend  PowerAction = "suspend"  // memory to disk
	Pause    PowerAction = "pause"    // memory stays
	Resume   PowerAction = "resume"   // from suspended or paused
)

// Settled is the state that the action leads to, "" where the guest decides, or where none changes.
func (a PowerAction) Settled() PowerState {
	switch a {
	case PowerOn, Resume:
		return Running
	case PowerOff:
		return Stopped
	case Suspend:
		return Suspended
	case Pause:
		return Paused
	default:
		return ""
	}
}

// Verb is the action as an operation of errors: "shut down".
func (a PowerAction) Verb() string {
	if a == Shutdown {
		return "shut down"
	}
	return string(a)
}

// Aspects selects what GetVMs reads, so that nobody pays for what is not wanted.
type Aspects uint

// The aspects. Config and Runtime cost no call per VM beyond one; Guest asks
// each running VM's agent for addresses, in parallel and with a short bound;
// Seed reads back the cloud-init inputs and static addresses that only the seed
// holds. GuestDetail asks the agents, beside the addresses, for host name,
// operating system and version; a driver that gets them with the addresses, or
// without the agent, tells them for Guest too.
const (
	AspectConfig Aspects = 1 << iota
	AspectRuntime
	AspectGuest
	AspectSeed
	AspectGuestDetail
)

// VMFilter narrows ListVMs; the zero value takes all.
type VMFilter struct {
	Names []string // exact; nil is any
	Tags  []string // all of them
	Power PowerState
	Host  string
	// Light: Owned need not be told where that costs a call for each VM.
	Light bool
}

// VMSummary is what ListVMs says of a VM.
type VMSummary struct {
	ID    ID
	Name  string
	Host  string
	Power PowerState
	Tags  []string
	Owned bool // carries this product's mark
	// Template is set where it is a template: it never runs, and VMs are made of it.
	Template bool
}

// Result is one VM of a bulk read, or why it could not be read.
type Result struct {
	VM  *VM
	Err error
}

// VM is what a hypervisor says of a VM. Maps have the same keys as
// Config.Disks and Config.Networks.
type VM struct {
	ID     ID
	UUID   string // what the guest sees in its firmware tables
	Config VMSpec
	Owned  bool // carries this product's mark; otherwise keys are the natural device names

	// Runtime.
	Power    PowerState
	Host     string
	Status   string // the hypervisor's own word
	Template bool   // it never runs, and VMs are made of it

	Disks    map[string]DiskStatus
	Networks map[string]NICStatus

	ConsoleType string // "vnc", "spice", "serial", "webmks" or ""

	// Guest is nil where AspectGuest was not asked, the VM does not run, or no
	// agent answered in time. Addresses that the hypervisor knows without an
	// agent are in Networks all the same.
	Guest *Guest
	// Pending is set where changes wait for the next start.
	Pending bool
}

// DiskStatus is what is known of a disk beyond its configuration.
type DiskStatus struct {
	Device    string // the hypervisor's name for the slot: "vda", "scsi0"
	Path      string // where the bytes are: a file, a volume id, a datastore path
	VolumeID  string // id under which Disks and Images know it
	SizeBytes int64  // exact
	Owned     bool   // goes with the VM
	Backing   string // what the content is shared with copy-on-write, "" for none or not known
}

// NICStatus is what is known of an interface beyond its configuration.
type NICStatus struct {
	MAC       string
	Addresses []string // no link-local, loopback or container bridges; IPv4 first
	Device    string   // the guest's name for it, where the agent says
}

// Guest is what an agent in the guest says.
type Guest struct {
	Hostname     string
	OS           string // "Debian GNU/Linux 13 (trixie)"
	Kernel       string
	AgentVersion string
	AgentRunning bool
	Interfaces   []GuestInterface

	// What follows costs an agent more, so only GuestInfo asks for it. Nil where
	// the agent does not tell.
	Users       []GuestUser
	FileSystems []GuestFileSystem
	Time        time.Time // the guest's clock; zero: not told
	TimeZone    string
}

// GuestUser is somebody who is logged in to a guest.
type GuestUser struct {
	Name  string
	Since time.Time
}

// GuestFileSystem is a file system that a guest has mounted.
type GuestFileSystem struct {
	MountPoint string
	Type       string // "ext4"
	Device     string
	TotalBytes int64 // -1 unknown
	UsedBytes  int64 // -1 unknown
}

// GuestInterface is one interface as the guest sees it.
type GuestInterface struct {
	Name      string
	MAC       string
	Addresses []string // without prefix length, everything the guest reported
}

// GuestCommand is what GuestExec runs, without a shell.
type GuestCommand struct {
	Path  string
	Args  []string
	Env   []string
	Stdin []byte
}

// GuestResult is what came of a GuestCommand.
type GuestResult struct {
	ExitCode int
	Stdout   []byte
	Stderr   []byte
}

// Console is where a VM's console answers.
type Console struct {
	Type     string // "vnc", "spice", "serial", "webmks"
	URL      string
	Password string
	Expires  time.Time // zero: when the VM stops
}

// Snapshot is one snapshot of a VM.
type Snapshot struct {
	ID, Name, Description, Parent string
	CreatedAt                     time.Time
	Memory, Quiesced, Current     bool
	SizeBytes                     int64      // that it takes beside the VM, -1 where unknown
	Power                         PowerState // that a revert leaves the VM in
}

// Volume is a disk with a life of its own.
type Volume struct {
	ID         string
	Name       string
	Disk       Disk
	Path       string
	AttachedTo ID // "" when free
}

// Host is a machine that runs VMs.
type Host struct {
	Name      string
	Cluster   string
	Online    bool
	CPUs      int64
	MemoryMiB int64
}

// Network is what a NIC can be connected to.
type Network struct {
	Name   string // the value for NIC.Network
	Kind   string // "network", "bridge", "distributed", ...
	VLAN   int64  // 0 where none
	Active bool
}

// Storage is what disks can be placed on.
type Storage struct {
	Name          string // the value for Disk.Storage
	Kind          string // "dir", "logical", "vmfs", ...
	CapacityBytes int64
	FreeBytes     int64
	Active        bool
	Shared        bool
}

// TaskFilter narrows Tasks; the zero value takes all.
type TaskFilter struct {
	ID    string // of the task
	VM    ID
	Limit int // 0 is the hypervisor's own
}

// Task is an operation that a hypervisor runs or ran.
type Task struct {
	ID       string
	Op       string
	VM       ID
	State    string // "queued", "running", "success", "error", "canceled"
	Percent  int
	Error    string
	Started  time.Time
	Finished time.Time
}

// Metrics are a VM's current figures.
type Metrics struct {
	CPUPercent   float64 // of its vCPUs
	MemoryUsed   int64   // bytes
	DiskReadBps  int64
	DiskWriteBps int64
	NetInBps     int64
	NetOutBps    int64
	Uptime       time.Duration
}

// Event is one entry of a hypervisor's log.
type Event struct {
	At      time.Time
	VM      ID
	Type    string
	Message string
	User    string
}

// ReconfigureMode is the state in which Reconfigure finds the VM.
type ReconfigureMode int

const (
	// Live: the VM may run, and every change has the impact Live.
	Live ReconfigureMode = iota
	// Cold: the VM is stopped.
	Cold
	// Deferred: the VM runs, and the changes take effect at its next start.
	// Unsupported where the hypervisor cannot keep them until then.
	Deferred
)

// Reconfiguration is what Reconfigure carries out.
type Reconfiguration struct {
	Desired *VMSpec
	Changes []Change
	Mode    ReconfigureMode
}

// DeleteOptions says what DeleteVM leaves.
type DeleteOptions struct {
	// KeepDisks are the keys of disks whose volumes are detached, not deleted.
	KeepDisks []string
}
