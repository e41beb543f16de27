// Package backends is the seam between the provider and the hypervisors: the
// portable vocabulary (specs, observations, changes, capabilities, error
// codes) and the Backend interface that each driver satisfies.
//
// Data flows one way: a resource expands its configuration into a VMSpec, Diff
// compares two specs, Check holds the changes against the connected
// hypervisor's Catalogue, and a driver carries them out. Nothing in this
// package or below it knows Terraform.
//
// # Contract of every method
//
//   - It honours ctx. When ctx ends, the driver stops within seconds, cancels
//     the hypervisor's own task where that can be done, and returns an error
//     of code Canceled or Timeout; one that only waited for a lock until its
//     time was over says Locked, for then nothing was done.
//   - It returns an *Error whose Code says what the caller can do about it.
//     What a driver lacks answers Unsupported; it is never silently ignored.
//   - A write blocks until the hypervisor says done, reports on its way
//     through Report, and reads back what it can not be sure of.
//   - A method may be called from many goroutines. Calls that name one object
//     are serialised by the driver per object, never across objects.
//   - What is nil in a spec was not asked for: the hypervisor's default at
//     creation, left alone at update.
//
// # How the hypervisors meet the contract
//
// The interface was held against four hypervisors before it was fixed. What is
// not obvious:
//
//   - ID. libvirt: the domain's UUID. vSphere: the managed object id, stable
//     while the VM is registered; the instance UUID finds it again. Proxmox VE:
//     the VMID; the node that runs it is looked up, never stored.
//   - GetVMs. libvirt: one XML read a domain, all else in bulk. vSphere: one
//     property collector call for all ids, with the properties of the aspects.
//     Proxmox VE: one config read a VM beside /cluster/resources.
//   - CreateVM returns the id before the work is done. libvirt: the domain is
//     defined, with its mark, before its volumes exist. vSphere: CreateVM_Task's
//     result; a task that fails has removed what it made. Proxmox VE: the VMID
//     is ours from the moment the create call is accepted.
//   - A name that is taken. vSphere refuses it within a folder, libvirt within
//     the host; Proxmox VE allows it, so its driver looks first.
//   - Reconfigure. Live is libvirt's LIVE|CONFIG flags, vSphere's
//     ReconfigVM_Task on a running VM, Proxmox VE's hot-plug. Deferred is
//     libvirt's persistent definition and Proxmox VE's pending changes; vSphere
//     has none and answers Unsupported. Cold is the same everywhere.
//   - Stable keys of disks and networks. Held in the ownership mark: libvirt's
//     metadata element with disk serials and MACs, vSphere's extraConfig with
//     device keys, Proxmox VE's description trailer with slots (scsi0, net0).
//   - Tasks. vSphere has task objects and Proxmox VE has UPIDs: the driver waits
//     for them with growing intervals, reports their ids through Report, and
//     cancels them with the context. libvirt's calls end with their work.
//   - Shutdown and Reboot only ask the guest. vSphere: ShutdownGuest needs the
//     tools. libvirt: ACPI, or the agent. Proxmox VE: its task waits for the
//     guest, so the driver gives it no timeout and does not wait for the task.
//   - ImportImage. libvirt: an upload stream into a volume. vSphere: an NFC lease
//     or a datastore upload. Proxmox VE: download-url on the node where the
//     source is a URL (ImageSource.URL), else an upload.
//   - Snapshots. libvirt: external ones, the VM goes on in a new layer above what was
//     frozen, so that UEFI guests and raw disks have them too; those that others
//     made inside qcow2 files are listed, reverted and deleted by libvirt itself.
//     Disks attached by Volume are left out of a snapshot everywhere (vSphere calls
//     them independent), and one with memory is then a Precondition.
//   - Templates are VMs that never run, with a VM's id. libvirt: a mark on the domain.
//     vSphere and Proxmox VE: their own flag. An OVA becomes one.
//   - Linked clones. libvirt: the source's disks are frozen as for a snapshot, and both
//     go on in layers of their own. vSphere: a snapshot made for it. Proxmox VE:
//     from templates.
//   - Seeds. libvirt gets an ISO that holds the inputs beside what cloud-init reads, vSphere
//     properties of the VM (guestinfo) or such an ISO, so that AspectSeed can tell them back. Proxmox VE has
//     fields of its own for most and snippets for the rest.
package backends
