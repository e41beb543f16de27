package pvesim

// miscState is what a cluster knows beside its VMs, storages and users.
type miscState struct {
	leases                               map[string]*leases // by bridge
	consoles                             map[int]*console   // by port
	interfaces                           map[*node][]*iface // what waits for a reload of a node's network
	sdn                                  *sdnState
	mappings                             map[string]*objects // by kind: "pci", "usb", "dir"
	backups, replications, notifications *objects
	options                              section            // of the cluster
	dns, nodeOptions                     map[string]section // by node
}

func newMiscState() *miscState {
	return &miscState{
		leases: newLeases(), consoles: map[int]*console{}, interfaces: map[*node][]*iface{}, sdn: newSDN(),
		mappings: map[string]*objects{"pci": newObjects(), "usb": newObjects(), "dir": newObjects()},
		backups:  newObjects(), replications: newObjects(), notifications: newObjects(), options: section{}, dns: map[string]section{}, nodeOptions: map[string]section{},
	}
}
