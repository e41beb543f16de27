// Package mock is the embedded hypervisor: it needs no server and obeys every
// rule of the seam, so that it is both the reference for the drivers and
// something to try modules on.
//
// A Backend keeps its world in memory, or in a state file that several
// processes share. Its guests are pretended: a VM that runs has an agent at
// once, which tells the cloud-init host name (else the VM's name), the static
// addresses and what the network's DHCP server handed out. Everything is
// deterministic: ids, MACs and addresses follow from the seed and the names.
//
// # Inventory
//
// Every world has
//
//   - hosts mock-01, mock-02 and mock-03 of the cluster mock-cluster, each with
//     64 CPUs of 2,600 MHz and 512 GiB, and mock-04, which is offline. Only
//     reservations count against a host; a VM larger than the host never fits.
//   - storages default (100 TiB), local-lvm (10 TiB), datastore1 (20 TiB), fast
//     (2 TiB, shared) and small (16 GiB, to run out of). A thick disk takes its
//     whole size, a thin one a twentieth, at least what its image holds. A disk
//     that shares its content, the base that it shares, and a snapshot of a disk
//     take a twentieth each; a snapshot with memory takes the memory too.
//   - storage policies gold (on fast), silver (on datastore1 and fast) and bronze
//     (on all but fast). A disk that names a policy and no storage goes to the
//     first that satisfies it.
//   - a content library shared with the items shared/debian-12,
//     shared/ubuntu-24.04 and shared/rescue.iso.
//   - networks default, lan, dmz, VM Network, the bridges vmbr0 and vmbr1, and
//     dvs-prod and dvs-test of a distributed switch.
//   - resource pools Resources, production and test; folders vm, vm/web and vm/db.
//
// With Options.SampleData there are also the images default/debian-12,
// default/ubuntu-24.04 and default/rescue.iso, the templates debian-12-template
// and windows-2022-template, and the VMs web-01, db-01 (both running) and
// legacy-app (stopped, not made by this product).
//
// # Content
//
// Disks hold no bytes. What tells one content from another is the values that
// Backend.WriteData writes to a disk, as a guest writes files: they go into
// snapshots, clones, templates and images, and come back with a revert.
//
// A template is a VM that never starts. It counts as an image too, with its VM's
// id. A VM whose content linked clones share, and an image likewise, cannot be
// deleted before them; what the clones of a VM share is a base that is not
// listed anywhere and goes with the last of them.
//
// Consoles have an address with a ticket of ten minutes, and nobody answers there.
//
// # Faults
//
// A Fault names an operation by the Backend's method: "CreateVM", "Get*",
// "CreateSnapshot", "RevertSnapshot", "DeleteSnapshot", "CloneVM", "Console".
// Its name is that of the VM, image or disk. Finer names are
//
//   - SetPower.<action>, such as "SetPower.start";
//   - CreateVM.finish and CloneVM.finish: the VM exists, then its creation fails;
//   - ImportImage.transfer: in the middle of it, also of an appliance's disks;
//   - Guest: the guest hangs, so that no agent answers, no shutdown is obeyed and
//     nothing is quiesced.
package mock
