package pvesim

// miscState is what a cluster knows beside its VMs, storages and users.
type miscState struct {
	leases   map[string]*leases // by bridge
	consoles map[int]*console   // by port
}

func newMiscState() *miscState {
	return &miscState{leases: newLeases(), consoles: map[int]*console{}}
}
