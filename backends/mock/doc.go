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
//     whole size, a thin one a twentieth, at least what its image holds.
//   - networks default, lan, dmz, VM Network, the bridges vmbr0 and vmbr1, and
//     dvs-prod and dvs-test of a distributed switch.
//   - resource pools Resources, production and test; folders vm, vm/web and vm/db.
//
// With Options.SampleData there are also the images default/debian-12,
// default/ubuntu-24.04 and default/rescue.iso, the templates debian-12-template
// and windows-2022-template, and the VMs web-01, db-01 (both running) and
// legacy-app (stopped, not made by this product).
//
// # Faults
//
// A Fault names an operation by the Backend's method: "CreateVM", "Get*".
// Finer names are SetPower.<action> ("SetPower.start"), CreateVM.finish (the VM
// exists, then its creation fails), ImportImage.transfer (in the middle of it)
// and Guest (the guest hangs: no agent answers and no shutdown is obeyed).
package mock
