package pvesim

import "time"

// Options shape a simulated cluster. The zero value is one node of Proxmox VE 8 without delays.
type Options struct {
	// Version is 8 or 9; 0 is 8.
	Version int
	// Nodes are the names of the nodes; none is one, "pve1".
	Nodes []string
	// Listen is the address to listen on, by default a free port on loopback.
	Listen string
	// VMs is how many stopped VMs are there at the start, named "bulk-0000" and so on, with two disks each.
	VMs int
	// Examples are there at the start: the pool "production", the storage "lvm" whose disks are thick, the mappings "gpu"
	// (PCI) and "stick" (USB) on every node, and the template "debian-12-template" with a guest, at ExampleTemplate.
	Examples bool
	// Delay is added to every request, and up to Jitter more at random.
	Delay, Jitter time.Duration
	// LoginDelay is how long the refusal of a login or of a credential waits; Proxmox VE waits 3 s.
	LoginDelay time.Duration
	// TaskTime is how long a task takes beside what it waits for; 0 means as long as its work.
	TaskTime time.Duration
	// LockWait is how long a request waits for the lock of a VM's configuration; 0 is what Proxmox VE waits, 10 s.
	LockWait time.Duration
	// AgentWait is how long a question to an agent takes that does not answer. Proxmox VE waits 3 s; 0 is that where an
	// agent hangs, and no time where there is none.
	AgentWait time.Duration
	// ShutdownWait is the most that a request to shut down or reboot waits for the guest, whatever it says; 0 is
	// what it says, or what Proxmox VE waits.
	ShutdownWait time.Duration
	// HARound is how often the manager of high availability looks after its services; 0 is 20 ms, where Proxmox
	// VE takes 10 s; negative: no manager runs, and services stay queued.
	HARound time.Duration
	// StatsLag is how often nodes tell the cluster the names, states and figures of their guests and storages, and so how
	// old they can be in lists of resources. In Proxmox VE it is 10 s; 0 shows them as they are. See Server.Broadcast.
	StatsLag time.Duration
	// Guests pretends a guest with an agent in every VM that runs, not only where a
	// disk's content begins with GuestMarker: for people, whose images do not.
	Guests bool
	// NoKVM gives the nodes processors without virtualisation: a VM starts only where its configuration has kvm=0.
	NoKVM bool
}

func (o Options) withDefaults() Options {
	if o.Version == 0 {
		o.Version = 8
	}
	if len(o.Nodes) == 0 {
		o.Nodes = []string{"pve1"}
	}
	if o.Listen == "" {
		o.Listen = "127.0.0.1:0"
	}
	if o.LockWait == 0 {
		o.LockWait = 10 * time.Second
	}
	if o.HARound == 0 {
		o.HARound = 20 * time.Millisecond
	}
	return o
}
