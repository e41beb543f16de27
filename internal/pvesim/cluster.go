package pvesim

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/pvesim/apischema"
)

// cluster is all that a simulated cluster knows. mu guards everything that is
// reachable from it but what says otherwise. A handler runs with mu held and lets
// go of it only in request.unlocked and lockConfig; the work of a task runs
// without it.
type cluster struct {
	mu     sync.Mutex
	opts   Options
	schema *apischema.Table
	extra  []*apischema.Endpoint // beside the schema

	nodes    []*node
	storages []*storage // in the order of storage.cfg
	volumes  *volumes
	machines map[int]*machine
	pools    map[string]*pool
	tasks    *taskList
	access   *access
	ha       *haState
	firewall *firewallState
	misc     *miscState // mappings, SDN, backup jobs, replication, notifications

	told map[string]broadcast // by id of resource, see Options.StatsLag

	events      []*event // the cluster's log, oldest first
	eventSerial int

	fingerprint string // of the certificate, SHA-256
	authority   string // the certificate of the authority, PEM

	ctx  context.Context // ends with the server; tasks obey it
	work sync.WaitGroup  // tasks that run

	trouble sync.Mutex // guards panics
	panics  []string
}

// node is one host of a cluster.
type node struct {
	name    string
	online  bool // an offline node answers 595
	refuses bool // an offline node refuses connections, instead of being out of reach
	stray   bool // no member of the cluster: only its directory is there, of old
	cpus    int
	memory  int64 // bytes
	booted  time.Time
	ifaces  []*iface // bridges, bonds and cards, as /nodes/{node}/network lists them
	digests map[string]string
}

// iface is one network interface of a node, with what its configuration says by PVE's own names.
type iface struct {
	name    string
	kind    string // "bridge", "eth", ...
	active  bool
	options map[string]string // "address", "bridge_ports", "bridge_vlan_aware", ...
}

// machine is one VM, or one container.
type machine struct {
	id   int
	node *node
	lxc  bool

	config    section              // what runs, or would
	pending   section              // values that wait for the next start
	deletions map[string]bool      // keys that wait to be deleted; true: force
	snapshots map[string]*snapshot // by name; their "parent" is in their config
	template  bool

	running bool
	paused  bool
	started time.Time
	pid     int
	passed  []string // the PCI devices that it has while it runs, by their addresses
	reboots bool     // it is to start again once it has stopped

	unseeded *unseeded // what the cloud-init drive does not say yet
	inGuest  *guest    // nil where nothing boots
	control  guestControl

	flock   chan struct{} // the lock of its configuration file: holds one token while it is free
	sharers int           // tasks that share the lock, and what gives it back after the last
	unshare func()
	shared  chan struct{} // closed for those who wait to share it when somebody has it; nil where nobody waits
}

// section is a configuration by key, in PVE's text form: "1" for a boolean, a
// property string for what has parts. Its "digest" is computed when it is shown.
type section map[string]string

// snapshot is one snapshot of a machine.
type snapshot struct {
	name   string
	config section // as it was, with "parent", "snaptime", "snapstate", "vmstate", "description", "runningmachine"
}

// pool is one resource pool.
type pool struct {
	name, comment string
	members       map[int]bool
	storages      map[string]bool
}

// panicked remembers a mistake of the simulator itself.
func (c *cluster) panicked(text string) {
	c.trouble.Lock()
	defer c.trouble.Unlock()
	c.panics = append(c.panics, text)
}

// byName finds a node.
func (c *cluster) node(name string) *node {
	for _, n := range c.nodes {
		if n.name == name {
			return n
		}
	}
	return nil
}

// members are the nodes of the cluster, online or not.
func (c *cluster) members() []*node {
	return slices.DeleteFunc(slices.Clone(c.nodes), func(n *node) bool { return n.stray })
}

// member tells whether a node is one of the cluster, online or not.
func (c *cluster) member(name string) bool {
	n := c.node(name)
	return n != nil && !n.stray
}

func newMachine(id int, n *node) *machine {
	m := &machine{id: id, node: n, config: section{}, pending: section{}, deletions: map[string]bool{}, snapshots: map[string]*snapshot{}, flock: make(chan struct{}, 1)}
	m.flock <- struct{}{}
	return m
}

// kind is "qemu" or "lxc".
func (m *machine) kind() string {
	if m.lxc {
		return "lxc"
	}
	return "qemu"
}
