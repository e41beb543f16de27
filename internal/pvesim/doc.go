// Package pvesim is a simulated Proxmox VE, version 8 or 9, that is as strict as the real one: a server of its API
// with state behind it, held to recordings of what the real API answers (see the replay test). All suites of the
// Proxmox backend run on it, and people without a Proxmox VE can (see cmd/pvesim).
//
// [Start] starts a server for a test and [New] one for anything else. It listens on loopback with a certificate of
// an authority of its own and answers for all nodes of the cluster, as every node of a real one does. Several
// servers run side by side in one process.
//
// # How it is made
//
// A request goes the way that it goes in pveproxy (dispatch.go): rules that delay or break it, credentials, the endpoint
// in the schema (package apischema, which knows the parameters, formats and privileges of every endpoint), the
// privileges, the node that it is for, its parameters, and then the handler. Handlers are functions of a request
// that register themselves by method and path; they run with the cluster's one lock held. What Proxmox VE does in a
// task is work of a goroutine that takes the lock for as long as it looks or changes something; Close waits for all.
//
// Disks have bytes, kept sparsely: what is uploaded can be imported, cloned and read again. A guest is pretended in
// a VM whose first disk begins with [GuestMarker]: it has addresses, an agent, and a mind of its own about shutting
// down, which tests can set.
//
// # What a cluster begins with
//
// Nodes by name, each with the storages "local" (a directory) and "local-lvm" (thin), with more than one node also
// "shared" (NFS); the bridges vmbr0, where guests find a DHCP server for 10.10.0.0/24, vmbr1, and vmbr2, which
// knows VLANs; root@pam with a password and the token of [Server.Token], which may do all that a token may. More is
// there with [Options.VMs] and [Options.Examples].
//
// Lists of resources show what is. Those of a real cluster show names, states and figures as they were up to 10 s ago:
// [Options.StatsLag] makes them.
//
// # What it is not
//
// Figures of load are made up. Tasks take no time of their own unless [Options.TaskTime] says so. Of ACME, Ceph,
// replication, real realms and APT there is nothing: what the schema has and the simulator has not is refused with
// status 501, "is not simulated".
package pvesim
