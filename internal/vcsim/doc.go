// Package vcsim is a simulated vSphere that is as strict as the real one:
// govmomi's simulator, which takes almost anything, behind checks that refuse
// what vSphere refuses, with vSphere's faults. All suites of the vSphere
// backend run on it, and people without a vCenter can (see cmd/vcsim).
//
// [Start] starts a server for a test and [New] one for anything else. It
// listens on loopback with a certificate of an authority of its own, holds the
// estate that [Seed] names, and counts, delays and breaks calls on request.
// Several servers run side by side in one process.
//
// # How it is made
//
// The simulator asserts its own concrete types all over, so its objects stay
// what they are. Its registry is asked before each call who answers it
// (see dispatch.go): a value that wraps the object for the time of the call,
// looks whether the call is allowed, and then calls the method, ours or the
// simulator's. However a machine came about, calls to it are so the strict
// ones. Refused tasks start and end with the fault, as vSphere's do; missing
// privileges and unknown objects are refused at once.
//
// A front of our own (front.go) stands before the simulator's HTTP handlers.
// What the simulator's REST part calls itself goes to an inner address that is
// neither counted nor broken.
//
// # What it refuses
//
//   - Sessions: everything without one, also reading properties; after three
//     wrong passwords in a row the account is locked (the fault stays
//     InvalidLogin). Sessions of both APIs end with [Server.ExpireSessions].
//   - Names: taken in the folder (DuplicateName), empty or longer than 80
//     characters (InvalidName).
//   - Hardware: guest ids, hardware versions, memory and processors out of
//     bounds, half sockets, reservations beyond the memory, a lower hardware
//     version (InvalidArgument); secure boot without EFI (InvalidVmConfig).
//     Keys of the extra configuration that stand for fields are ignored.
//   - Files: datastores that there are not (InvalidDatastorePath), that the host
//     does not mount (InaccessibleDatastore) or that are full (NoDiskSpace).
//   - Devices: keys in use or unknown, units taken or out of bounds, another
//     type (InvalidDeviceSpec), controllers that there are not
//     (InvalidController), too many of a kind (TooManyDevices), a controller
//     that still has devices, a smaller disk, a larger one that has snapshots or
//     a parent (InvalidDeviceOperation; an independent one is in no snapshot), a network that the host has not got
//     (InvalidDeviceBacking), a virtual TPM without EFI (InvalidDeviceSpec) or
//     without a key provider (GenericVmConfigFault).
//   - Changes of a running machine: memory and processors without the hot-add
//     flags (MemoryHotPlugNotSupported, CpuHotPlugNotSupported), less memory,
//     flags, firmware, guest id, hardware version, nesting, cores per socket,
//     secure boot, MAC addresses (InvalidPowerState), devices that cannot be
//     plugged (DeviceHotPlugNotSupported). Any change with an old changeVersion
//     (ConcurrentAccess).
//   - Power: transitions that the state forbids (InvalidPowerState), templates
//     (NotSupported), guests without tools (ToolsUnavailable), more than the
//     host has (InsufficientMemoryResourcesFault, InsufficientCpuResourcesFault,
//     NumVirtualCpusNotSupported), a passed-through device without all memory
//     reserved and a static MAC address from the range of generated ones
//     (GenericVmConfigFault).
//   - Placement: a pool that is not the host's (InvalidArgument), networks that
//     the new host has not got (CannotAccessNetwork), hosts in maintenance
//     (InvalidState).
//   - Customization: another family of guests (UncustomizableGuest), another
//     number of network cards (NicSettingMismatch).
//   - Tags: a second one of a category of cardinality SINGLE, with REST's
//     invalid_argument.
//   - Policies: datastores other than [Seed].PolicyDatastore are not compatible
//     with [Seed].Policy. Which machine and disk has which policy is remembered.
//   - Privileges that [Server.Revoke] takes away, on the object that the API
//     reference names for the method or for the part of the specification.
//   - On a stand-alone host: what only a vCenter does (NotSupported).
//
// Types of faults are the API reference's. Where it leaves a choice, ours may
// not be vSphere's: the faults of a disk with snapshots, of a virtual TPM
// without a key provider, of a controller with devices, of a device key in
// use, and of a family of guests that cannot be customised. That independent
// disks grow beside snapshots is a judgement too: a snapshot puts no layer on
// them, which is what the reference gives as the reason. Texts are not
// vSphere's own. Capacity for machines is looked at per machine and not summed
// up over a host.
//
// # What it adds
//
// What govmomi's simulator lacks or only pretends, after the API reference. A
// capability that is proved only on such an extension says so in the catalogue
// of the vSphere backend.
//
//   - Disks have content, which follows them through copies, moves, snapshots
//     and clones ([Server.WriteDisk], [Server.ReadDisk]). Thick ones take their
//     size of the datastore, thin ones what was written. A machine is destroyed
//     with its own files: not with disks that were detached, and nothing else
//     in its folder. A disk that another machine has open is locked (FileLocked)
//     unless both share it as multi-writer.
//   - Snapshots put delta disks on the disks. A revert restores hardware,
//     options, extra configuration, content and power state; a disk that was
//     added since is deleted unless another snapshot has it. Removal merges the
//     deltas, or leaves them to ConsolidateVMDisks.
//   - Clones have all of their source, or of its snapshot, but identity and MAC
//     addresses. Linked ones are children of a snapshot's disks, which can
//     neither be removed nor destroyed meanwhile (FileLocked; vSphere itself
//     looks at locks only, and may let a base go whose clones are off).
//   - Relocation moves files and changes provisioning, and keeps snapshots.
//   - Leases take in and give out disks as streamOptimized VMDKs. A transfer
//     that is cut off, an abort or a silent client takes the machine away.
//     Machines that are deployed from a content library have its content.
//   - Guests are pretended on disks whose content begins with [GuestMarker].
//     While such a machine runs, tools tell its name and its addresses: those of
//     cloud-init's properties (guestinfo) or NoCloud volume, of an applied
//     customization, or of DHCP. Guests obey after a while, or do not
//     ([Server.IgnoreShutdown]); a customization may fail
//     ([Server.FailCustomization]). Nothing is executed in them.
//   - Tasks take their time ([Server.SetTaskTime]), tell their progress and hold
//     their machine (TaskInProgress). Clones, relocations and copies can be
//     cancelled before their work begins, without a trace.
//   - AcquireTicket, AnswerVM ([Server.Ask]), MountToolsInstaller, MigrateVM,
//     ExportVm, PromoteDisks, RenameSnapshot, UpgradeVM's AlreadyUpgraded, and all
//     events of a query instead of the last ten. Nobody answers at a console.
//
// # What is shared by all servers of a process
//
// govmomi's simulator keeps the delay of tasks, the status of the next answer
// and the leases of transfers in variables of its package; none is set here.
// The templates of hosts are, so that servers are built one after the other. It
// writes to the standard logger, which leaves out what is in order once a server
// was made. An answer that panics ends the process.
package vcsim
