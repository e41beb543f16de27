package vcsim

import "time"

// Credentials of a server whose options name none. A stand-alone host knows
// its administrator as root.
const (
	DefaultUsername     = "administrator@vsphere.local"
	DefaultHostUsername = "root"
	DefaultPassword     = "vSphere-7-of-9" //nolint:gosec // Of a simulator.
)

// Options shape a simulated vSphere. The zero value is a vCenter with the
// small estate that Seed describes, strict and without delays.
type Options struct {
	// ESXi simulates a stand-alone host instead of a vCenter.
	ESXi bool

	// Listen is the address to listen on, by default a free port on loopback.
	Listen string

	// Username and Password are the only ones that log in.
	Username, Password string

	// VMs is how many powered-off virtual machines are added to the estate,
	// named "bulk-0000" and so on.
	VMs int

	// Delay is added to every call, and up to Jitter more at random.
	Delay, Jitter time.Duration

	// TaskTime is how long a task takes; 0 means as long as its work.
	TaskTime time.Duration

	// Guests pretends a guest on every machine that has a disk, not only where
	// the disk's content begins with GuestMarker: for people, whose images do not.
	Guests bool

	// NoKeyProvider leaves the vCenter without a key provider, so that no
	// virtual TPM can be added.
	NoKeyProvider bool

	// Lax leaves govmomi's simulator as it is, to compare.
	Lax bool
}

// withDefaults returns the options with what was left out filled in.
func (o Options) withDefaults() Options {
	if o.Listen == "" {
		o.Listen = "127.0.0.1:0"
	}

	if o.Username == "" {
		o.Username = DefaultUsername
		if o.ESXi {
			o.Username = DefaultHostUsername
		}
	}

	if o.Password == "" {
		o.Password = DefaultPassword
	}

	return o
}
