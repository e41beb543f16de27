package inventory

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/vmware/govmomi/vim25/types"
)

type reference = types.ManagedObjectReference

// node is an object with what placement asks of it. Which fields mean something is up to the kind.
type node struct {
	Object
	parent reference
	stored string // Name as vSphere stores it
	below  string // Path from the kind's folder of the datacenter: "team/web"

	root reference // Datacenter: folder of VMs; compute resource: root pool
	// Host: version of virtual hardware that it gives; datacenter, compute resource: that new VMs are to get. 0 is not known, or not said.
	hardware int64
	drs      bool // Cluster

	owner reference // Pool: its compute resource; Host: likewise; Datastore: its cluster, if any

	connected, maintenance bool  // Host
	cpus, memory, free     int64 // Host: threads, MiB, MiB
	datastores, networks   map[reference]bool

	summary types.DatastoreSummary // Datastore
	mounts  map[reference]bool     // Datastore: hosts that can write to it

	net segment // Network
}

// Index is the inventory as it was at one moment. It does not change, but for what is promised of its room.
type Index struct {
	read  time.Time
	nodes map[reference]*node
	named map[Kind]map[string][]*node // by name
	home  reference                   // the default datacenter, where one is set and exists

	defaults   Defaults
	standalone bool  // an ESXi
	newest     int64 // version of virtual hardware that the connected vSphere knows

	mu       sync.Mutex
	promised map[reference]int64 // bytes of datastores, MiB of hosts, since it was read
}

func newIndex(all map[reference]properties, defaults Defaults, standalone bool) *Index {
	x := &Index{
		nodes: make(map[reference]*node, len(all)), named: map[Kind]map[string][]*node{},
		promised: map[reference]int64{}, defaults: defaults, standalone: standalone,
	}
	for ref, p := range all {
		x.nodes[ref] = newNode(ref, p)
	}
	roots := map[reference]bool{}
	for _, n := range x.nodes {
		if n.Kind == Datacenter {
			roots[n.root] = true
		}
	}
	for ref, n := range x.nodes {
		x.locate(n, roots)
		if n.Kind == Network {
			n.wire(all[ref], all)
		}
		if n.Kind == "" {
			continue
		}
		if x.named[n.Kind] == nil {
			x.named[n.Kind] = map[string][]*node{}
		}
		x.named[n.Kind][n.Name] = append(x.named[n.Kind][n.Name], n)
	}
	for _, dc := range x.of(Datacenter) {
		if defaults.Datacenter != "" && (dc.Name == defaults.Datacenter || dc.Path == "/"+strings.TrimPrefix(canonical(defaults.Datacenter), "/")) {
			x.home = dc.Ref
		}
	}
	return x
}

func newNode(ref reference, p properties) *node {
	name := get[string](p, "name")
	n := &node{Object: Object{Ref: ref, Name: Unescape(name)}, stored: name, parent: get[reference](p, "parent")}
	switch ref.Type {
	case "Datacenter":
		n.Kind, n.root = Datacenter, get[reference](p, "vmFolder")
		n.hardware = defaultHardware(get[types.DatacenterConfigInfo](p, "configuration").DefaultHardwareVersionKey)
	case "ComputeResource":
		n.root = get[reference](p, "resourcePool")
		n.hardware = defaultHardware(get[types.ComputeResourceConfigInfo](p, "configurationEx").DefaultHardwareVersionKey)
	case "ClusterComputeResource":
		n.Kind, n.root = Cluster, get[reference](p, "resourcePool")
		c := get[types.ClusterConfigInfoEx](p, "configurationEx")
		n.hardware = defaultHardware(c.DefaultHardwareVersionKey)
		if c.DrsConfig.Enabled != nil {
			n.drs = *c.DrsConfig.Enabled
		}
	case "ResourcePool", "VirtualApp":
		n.Kind, n.owner = Pool, get[reference](p, "owner")
	case "StoragePod":
		n.Kind = DatastoreCluster
	case "HostSystem":
		n.setHost(p)
	case "Datastore":
		n.setDatastore(p)
	case "Network", "OpaqueNetwork", "DistributedVirtualPortgroup":
		n.Kind = Network
	}
	return n
}

func (n *node) setHost(p properties) {
	hardware := get[types.HostHardwareSummary](p, "summary.hardware")
	n.Kind, n.owner = Host, n.parent
	n.connected = get[types.HostSystemConnectionState](p, "runtime.connectionState") == types.HostSystemConnectionStateConnected
	n.maintenance = get[bool](p, "runtime.inMaintenanceMode")
	n.cpus, n.memory = int64(hardware.NumCpuThreads), hardware.MemorySize>>20
	n.hardware = hostHardware(get[types.AboutInfo](p, "summary.config.product"))
	n.free = n.memory - int64(get[int32](p, "summary.quickStats.overallMemoryUsage"))
	n.datastores, n.networks = set(refs(p, "datastore")), set(refs(p, "network"))
}

func (n *node) setDatastore(p properties) {
	n.Kind, n.owner = Datastore, n.parent
	n.summary = get[types.DatastoreSummary](p, "summary")
	n.mounts = map[reference]bool{}
	for _, m := range get[types.ArrayOfDatastoreHostMount](p, "host").DatastoreHostMount {
		no := func(b *bool) bool { return b != nil && !*b }
		if m.MountInfo.AccessMode != string(types.HostMountModeReadOnly) && !no(m.MountInfo.Mounted) && !no(m.MountInfo.Accessible) {
			n.mounts[m.Key] = true
		}
	}
}

// locate fills in path and datacenter. roots are the datacenters' folders of VMs.
func (x *Index) locate(n *node, roots map[reference]bool) {
	var names []string
	vms, below := false, 0
	for at := n; at != nil; at = x.nodes[at.parent] {
		if at.Ref.Type == "Datacenter" {
			n.Datacenter, below = at.Ref, len(names)-1 // without the kind's folder
		}
		vms = vms || roots[at.Ref]
		names = append(names, Escape(at.Name))
		if at.parent == at.Ref {
			break
		}
	}
	slices.Reverse(names)
	n.Path = "/" + strings.Join(names, "/")
	if below > 0 {
		n.below = strings.Join(names[len(names)-below:], "/")
	}
	if n.Ref.Type == "Folder" && vms {
		n.Kind = Folder
	}
}

func set(refs []reference) map[reference]bool {
	out := make(map[reference]bool, len(refs))
	for _, r := range refs {
		out[r] = true
	}
	return out
}

// of returns the objects of kinds, sorted by path.
func (x *Index) of(kinds ...Kind) []*node {
	var out []*node
	for _, kind := range kinds {
		for _, same := range x.named[kind] {
			out = append(out, same...)
		}
	}
	slices.SortFunc(out, byPath)
	return out
}

func byPath(a, b *node) int {
	return cmp.Or(strings.Compare(a.Path, b.Path), strings.Compare(a.Ref.Value, b.Ref.Value))
}

// Object returns what ref points to; ok is false where the index does not have it.
func (x *Index) Object(ref types.ManagedObjectReference) (o Object, ok bool) {
	n := x.nodes[ref]
	if n == nil {
		return Object{}, false
	}
	return n.Object, true
}

// Objects returns the objects of a kind, sorted by path.
func (x *Index) Objects(kind Kind) []Object { return objects(x.of(kind)) }

func objects(nodes []*node) []Object {
	out := make([]Object, len(nodes))
	for i, n := range nodes {
		out[i] = n.Object
	}
	return out
}

// Compute returns the cluster or stand-alone compute resource of a host or resource pool.
func (x *Index) Compute(ref types.ManagedObjectReference) (o Object, ok bool) {
	n := x.nodes[ref]
	if n == nil || n.Kind != Host && n.Kind != Pool {
		return Object{}, false
	}
	return x.Object(n.owner)
}

// RootPool returns the resource pool that a cluster or compute resource has of itself.
func (x *Index) RootPool(compute types.ManagedObjectReference) types.ManagedObjectReference {
	if n := x.nodes[compute]; n != nil {
		return n.root
	}
	return reference{}
}

// Name is the name by which ref can be found again: its plain name where that means it alone, else its path; the
// reference's value where it is not known. A VM's cluster decides its datacenter, so
// networks, datastores and folders of other datacenters do not count.
func (x *Index) Name(ref types.ManagedObjectReference) string {
	n := x.nodes[ref]
	switch {
	case n == nil:
		return ref.Value
	case n.Kind == "":
		return n.Name
	case n.Kind != Datacenter && x.home.Value != "" && n.Datacenter != x.home:
		return n.Path
	}
	same := x.match(n.Name, kin(n.Kind)...)
	if slices.Contains([]Kind{Network, Datastore, DatastoreCluster, Folder}, n.Kind) {
		same = filter(same, within(n.Datacenter))
	}
	if len(same) == 1 && same[0] == n {
		return n.Name
	}
	return n.Path
}

// kin are the kinds that share names with one in an attribute.
func kin(k Kind) []Kind {
	if k == Datastore || k == DatastoreCluster {
		return []Kind{Datastore, DatastoreCluster}
	}
	return []Kind{k}
}

// Spelling returns given where that names ref, else Name(ref): what a user wrote, a name or a path, is what is told back
// as long as it is true.
func (x *Index) Spelling(given string, ref types.ManagedObjectReference) string {
	if given != "" && x.Names(given, ref) {
		return given
	}
	return x.Name(ref)
}

// Names reports whether given is a name or path of ref, though perhaps not of it alone, or of the datastore cluster that it is in.
func (x *Index) Names(given string, ref types.ManagedObjectReference) bool {
	n := x.nodes[ref]
	if n == nil {
		return given == ref.Value
	}
	return n.Kind != "" && slices.ContainsFunc(x.match(given, kin(n.Kind)...), func(m *node) bool {
		return m == n || n.Kind == Datastore && m.Ref == n.owner ||
			n.Kind == Network && m.net.opaqueID != "" && m.net.opaqueID == n.net.logicalSwitch
	})
}

// Standalone reports whether this is the inventory of an ESXi without a vCenter.
func (x *Index) Standalone() bool { return x.standalone }

// match returns the objects of kinds that a name or path means: those at exactly that path,
// from the root or from the kind's folder of a datacenter, else those whose path ends in it.
// In what is not absolute the default datacenter is meant where there is one.
func (x *Index) match(given string, kinds ...Kind) []*node {
	if path, absolute := strings.CutPrefix(canonical(given), "/"); absolute {
		return slices.DeleteFunc(x.ending(path, kinds), func(n *node) bool { return n.Path != "/"+path })
	}
	var all []*node
	for _, kind := range kinds {
		all = append(all, x.named[kind][given]...) // also a name with a slash in it
		all = append(all, x.named[kind][Unescape(given)]...)
	}
	if strings.Contains(given, "/") {
		all = append(all, x.ending(canonical(given), kinds)...)
	}
	slices.SortFunc(all, byPath)
	all = slices.Compact(all)
	if x.home.Value != "" && !slices.Contains(kinds, Datacenter) {
		all = slices.DeleteFunc(all, func(n *node) bool { return n.Datacenter != x.home })
	}
	exact := slices.DeleteFunc(slices.Clone(all), func(n *node) bool { return !n.at(given) })
	if len(exact) > 0 {
		return exact
	}
	return all
}

// ending returns the objects whose path ends in the names of path.
func (x *Index) ending(path string, kinds []Kind) []*node {
	last := Unescape(path[strings.LastIndex(path, "/")+1:])
	var out []*node
	for _, kind := range kinds {
		for _, n := range x.named[kind][last] {
			if strings.HasSuffix(n.Path, "/"+path) {
				out = append(out, n)
			}
		}
	}
	return out
}

// at reports whether path is the object's, from the kind's folder of its datacenter.
func (n *node) at(path string) bool {
	return path != "" && (n.below == canonical(path) || n.below == Escape(path))
}

// names are those of all objects of kinds that can be meant, as Name gives them.
func (x *Index) names(kinds ...Kind) []string {
	seen := map[string]bool{}
	for _, n := range x.of(kinds...) {
		if x.home.Value == "" || n.Datacenter == x.home || n.Kind == Datacenter {
			if n.Kind != Network || !n.net.uplink {
				seen[x.Name(n.Ref)] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(seen))
}
