package backends

// VMSpec is a VM's configuration: what a user desires, or, in VM.Config, what a
// hypervisor has. Nil pointers, nil maps and nil slices mean "not asked" in the
// first and "not known" in the second; an empty slice or map is a value.
type VMSpec struct {
	Name        string
	Description *string
	Tags        []string // a set: order means nothing; sorted when observed
	GuestOS     *string  // "linux", "windows", "other" or the hypervisor's own id

	// Image is the id of the image that the disk "root" is made from, Template
	// the id or name of a VM or template that the whole VM is made from. Both
	// act at creation only; Diff ignores them.
	// Linked asks that the disks share the content of Image or Template
	// copy-on-write instead of getting a copy of it; what is shared cannot be
	// deleted before the VM.
	Image    string
	Template string
	Linked   bool

	CPU                  CPU
	Memory               Memory
	Firmware             *string // "bios" or "uefi"
	SecureBoot           *bool
	TPM                  *bool // a TPM 2.0
	NestedVirtualization *bool

	Disks    map[string]Disk // by stable key; "root" receives the image and boots
	CDROM    *CDROM
	Networks map[string]NIC // by stable key
	DNS      *DNS

	CloudInit     *CloudInit
	Customization *Customization

	Placement        PlacementSpec
	HighAvailability *HighAvailability
	FaultTolerance   *bool
	DRSAutomation    *string
	HostDevices      map[string]HostDevice

	Console  *ConsoleSpec
	Watchdog *string // what happens when the guest hangs: "reset", "poweroff", "pause" or "none"; "" takes the device away
	RNG      *bool   // a device that gives the guest random numbers

	// Libvirt, VSphere and Proxmox hold what exists on that hypervisor only.
	Libvirt *LibvirtOptions
	VSphere *VSphereOptions
	Proxmox *ProxmoxOptions

	// Settings is what the caller wants to find again with the VM, and a driver
	// keeps in its mark without looking at it: text without secrets, below 4 KiB.
	Settings *string

	// CreateToken marks one creation, so that a repeated call can tell its own
	// half-made VM from somebody else's. Not part of Diff.
	CreateToken string
}

// CPU is a VM's processors. The guest sees Sockets × Cores × Threads vCPUs.
type CPU struct {
	Cores          *int64 // per socket
	Sockets        *int64
	Threads        *int64  // per core
	MaxCores       *int64  // per socket, to which Cores can be raised while the VM runs
	Model          *string // "host-passthrough", "host-model" or a model's name
	HotAdd         *bool
	ReservationMHz *int64
	LimitMHz       *int64
	Shares         *int64
	Affinity       *string // host CPUs, in "0-3,8" form
}

// VCPUs is the number of processors that the guest sees, with 1 for what is unset.
func (c CPU) VCPUs() int64 { return or1(c.Sockets) * or1(c.Cores) * or1(c.Threads) }

// MaxVCPUs is the number to which VCPUs can be raised while the VM runs.
func (c CPU) MaxVCPUs() int64 {
	cores := or1(c.Cores)
	if c.MaxCores != nil && *c.MaxCores > cores {
		cores = *c.MaxCores
	}
	return or1(c.Sockets) * cores * or1(c.Threads)
}

func or1(p *int64) int64 {
	if p == nil || *p < 1 {
		return 1
	}
	return *p
}

// Memory is a VM's memory.
type Memory struct {
	SizeMiB        *int64
	MaxMiB         *int64 // to which SizeMiB can be raised while the VM runs
	HotAdd         *bool
	ReservationMiB *int64 // as much as SizeMiB is all of it: locked to the host
	LimitMiB       *int64
	Shares         *int64
	Ballooning     *bool
}

// Disk is one disk of a VM.
type Disk struct {
	SizeGiB       *int64  // when observed: whole GiB, rounded down, at least 1
	Storage       *string // datastore, pool or storage name
	Provisioning  *string // "thin", "thick" or "eager_zeroed"
	Format        *string // "qcow2", "raw" or "vmdk"
	Policy        *string
	Bus           *string // "virtio", "scsi", "sata", "ide", "nvme"
	Cache         *string // "none", "writeback", "writethrough", "directsync", "unsafe"
	Discard       *bool
	SSD           *bool
	IOThread      *bool
	KeepOnDestroy *bool
	IOPSLimit     *int64 // operations a second, reads and writes together; 0 is none
	ThroughputMiB *int64 // MiB a second, reads and writes together; 0 is none
	// Slot is the place on Bus, "CONTROLLER:UNIT" such as "1:0"; nil is the hypervisor's choice.
	Slot *string
	// Shared lets several VMs write to the disk at once, each of which has to say so.
	Shared *bool
	// Options are further ones by the hypervisor's own names, "backup": "0" on Proxmox VE. As observed it has
	// the keys that were asked for here and no others; of those, what a desired one does not have is taken away.
	Options map[string]string
	// Volume is the id of an existing disk that is attached instead of one
	// being made; it is not the VM's own and outlives it.
	Volume *string
}

// CDROM is what lies in a VM's drive.
type CDROM struct {
	ISO string // an image's id; "" is an empty drive
}

// NIC is one network interface of a VM.
type NIC struct {
	Network   *string // network, port group or bridge; libvirt also takes "bridge:NAME", "direct:DEVICE", "ovs:BRIDGE"
	VLAN      *int64  // 1 to 4094; 0 is no tag
	Model     *string // "virtio", "e1000", "e1000e", "rtl8139", "vmxnet3"
	MAC       *string // lower case, with colons
	MTU       *int64  // bytes
	Connected *bool
	Order     *int64 // position on the bus; keys in order where unset
	// BandwidthMbps bounds each direction, in 10^6 bits a second; 0 is none.
	BandwidthMbps *int64
	Options       map[string]string // as Disk.Options: "firewall": "1"
	IPv4          *IPConfig
	IPv6          *IPConfig
}

// IPConfig is a static address. Nil in a NIC is a value: the guest uses DHCP (v4) or
// router advertisements (v6).
type IPConfig struct {
	Address string   // CIDR, "10.0.0.5/24"
	Gateway string   // or ""
	Routes  []Route  // beside the gateway's
	Extra   []string // further addresses, CIDR
}

// Route is one static route.
type Route struct {
	To  string // CIDR
	Via string
}

// DNS is what the guest resolves with.
type DNS struct {
	Servers []string
	Search  []string
}

// CloudInit is what cloud-init finds at the guest's first boot.
type CloudInit struct {
	Hostname      *string
	UserData      *string
	VendorData    *string
	MetaData      *string // YAML mapping, merged over what is made from the other fields
	NetworkConfig *string // replaces what is made from Networks and DNS
	Users         []CloudUser
	SSHKeys       []string // for the image's default user
	Datasource    *string  // "nocloud"; "configdrive" and "guestinfo" where the hypervisor has it
	// InstanceID makes cloud-init run its per-instance stages again when it
	// changes; unset it is the VM's UUID and never changes.
	InstanceID *string
	// UserDataVersion stands for UserData where that is write-only: Diff
	// compares the version and a driver does not tell UserData back.
	UserDataVersion *int64
}

// CloudUser is one account that cloud-init makes.
type CloudUser struct {
	Name         string
	Groups       []string
	Shell        string
	Sudo         string // a sudoers rule, "ALL=(ALL) NOPASSWD:ALL"
	PasswordHash string // crypt(3) form; secret
	SSHKeys      []string
}

// Customization asks the hypervisor's own guest customization.
type Customization struct {
	Hostname string
	Domain   string
	TimeZone string
	Windows  *WindowsCustomization
}

// WindowsCustomization is what sysprep needs.
type WindowsCustomization struct {
	Organization string
	FullName     string
	ProductKey   string // secret, and kept like a password
	Workgroup    string
	JoinDomain   string // Active Directory, by DomainAdmin
	DomainAdmin  string
	// AdminPassword, of the local administrator, DomainPassword, of DomainAdmin, and ProductKey
	// are write-only where PasswordVersion is set: Diff then compares that. Secret; a driver
	// tells none of them back.
	AdminPassword   string
	DomainPassword  string
	PasswordVersion *int64
	RunOnce         []string // commands at the first login, in order
	AutoLogonCount  *int64   // how often the administrator is logged in without being asked
}

// PlacementSpec is where a VM lives. Nil is wherever the hypervisor likes.
type PlacementSpec struct {
	Host         *string
	Cluster      *string
	ResourcePool *string
	Folder       *string
	Storage      *string // for disks that name none
	Pool         *string // Proxmox resource pool
}

// HighAvailability asks the hypervisor to restart a VM elsewhere when its host fails.
type HighAvailability struct {
	Enabled    *bool
	Group      *string
	Priority   *string
	MaxRestart *int64
}

// HostDevice hands a device of the host to the guest; one field is set.
type HostDevice struct {
	PCI     string // "0000:65:00.0"
	Mapping string
	USB     string // "vendor:product"
	VGPU    string // a profile, "grid_p40-2q"
}

// LibvirtOptions exists on libvirt only.
type LibvirtOptions struct {
	Machine    *string // "q35", "pc" or a versioned machine type
	DomainType *string // "kvm" or "qemu"; unset: kvm where it works
	Loader     *string // path of the firmware image instead of libvirt's own choice
	Autostart  *bool   // start with the host
}

// VSphereOptions exists on vSphere only.
type VSphereOptions struct {
	HardwareVersion *int64 // 19 is vmx-19; it never goes down
	// ExtraConfig is merged into the VM's own. As observed it has the keys that were asked
	// for here and no others; of those, what a desired one does not have is taken away.
	ExtraConfig map[string]string
	// CustomAttributes are values by the attribute's name; they obey the same rule.
	CustomAttributes map[string]string
	// BootOrder names what the firmware tries in order: keys of disks, keys of networks
	// and "cdrom". Where a disk and a network have one key, the disk is meant.
	BootOrder          []string
	BootDelayMs        *int64  // that the firmware waits for somebody to press a key
	LatencySensitivity *string // "low", "normal", "medium" or "high"
	// SCSIType is that of the controllers of disks on the scsi bus: "pvscsi", "lsilogic",
	// "lsilogic_sas" or "buslogic".
	SCSIType *string
}

// ProxmoxOptions exists on Proxmox VE only.
type ProxmoxOptions struct {
	VMID           *int64  // at creation; unset: the next free one of the provider's range
	Machine        *string // "q35", "pc" or a versioned machine type
	SCSIController *string // "virtio-scsi-single", "virtio-scsi-pci", "lsi", "lsi53c810", "megasas" or "pvscsi"
	Autostart      *bool   // start with the node
	// BootOrder names what the firmware tries in order: keys of disks, keys of networks and "cdrom".
	// Where a disk and a network have one key, the disk is meant.
	BootOrder []string
	// Snippets are volumes of cloud-init data that replace what Proxmox VE makes, by "user",
	// "network", "meta" and "vendor": "local:snippets/web.yaml".
	Snippets map[string]string
	// Options are further settings by Proxmox VE's own names, "tablet": "0". As observed it has the keys
	// that were asked for here and no others; of those, what a desired one does not have is taken away.
	Options map[string]string
}

// ConsoleSpec is how a VM's console can be reached.
type ConsoleSpec struct {
	Type    *string // "vnc", "spice", "serial" (no screen) or "none"
	Address *string // the host listens on, such as "127.0.0.1"
	Port    *int64  // 0 is the hypervisor's choice
	TLS     *bool
	// Password is write-only: a driver does not tell it back, and Diff compares
	// PasswordVersion. Secret; nil is none at creation.
	Password        *string
	PasswordVersion *int64
}

// CloneSpec asks for a VM made from another VM or template, running or not, or
// from a snapshot of it. The clone has a UUID, MACs, firmware variables, TPM state
// and disks of its own; the source is not changed in any way that its user sees.
//
// What Spec leaves nil is inherited, and so is what a disk or NIC in Spec leaves
// nil of the source's one with the same key. A map that is not nil names all of the
// clone's disks or NICs: those whose key the source has are made from it, others are
// new, and the source's others are left out. A disk keeps the source's size where
// none is given, and cannot be smaller. Disks that the source attaches by Volume are
// inherited as copies; a snapshot does not hold them, so where one is not left out, the
// clone of a snapshot is a Precondition at that disk.
//
// Not inherited is what belongs to one VM: MACs, static addresses, cloud-init's Hostname,
// InstanceID and NetworkConfig, customization, placement on a host, a console's port
// and password, Settings and KeepOnDestroy. Where the source's console asks for a password and Spec
// gives none, its address is not inherited either, unless it is a loopback one. A source with a seed gives its clone one with
// the source's other inputs and an instance id of the clone's own, so that cloud-init runs
// again: the guest gets the clone's name, new SSH host keys and the clone's addresses.
type CloneSpec struct {
	Source ID
	// Snapshot of Source, whose hardware is then what is inherited; "" is its present
	// state: that of a running VM is as after a power cut, and at most as old as the call.
	Snapshot string
	// Linked shares the content of the source's disks copy-on-write. What the
	// driver needs for that (a base) it makes, and removes with the last clone.
	// A source cannot be deleted before its linked clones: Precondition, naming them.
	Linked bool
	Spec   VMSpec
}

// DiskSpec asks for a disk with a life of its own.
type DiskSpec struct {
	Name string
	Disk Disk
}

// SnapshotSpec asks for a snapshot.
type SnapshotSpec struct {
	Name        string
	Description string
	Memory      bool
	Quiesce     bool
}
