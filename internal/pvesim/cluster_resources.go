package pvesim

import (
	"maps"
	"slices"
	"strconv"
)

func init() {
	handle("GET /cluster/resources", clusterResources)
	handle("GET /cluster/nextid", nextID)
	handle("GET /cluster/status", clusterStatus)
}

// clusterResources lists what there is, and that the user may look at, in the whole cluster.
func clusterResources(r *request) (any, error) {
	kind := r.p["type"]
	list := []map[string]any{}
	if kind == "" {
		list = append(list, r.poolResources()...)
	}
	if kind == "" || kind == "vm" {
		list = append(list, r.guestResources()...)
	}
	if kind == "" || kind == "node" {
		for _, n := range r.members() {
			list = append(list, r.nodeResource(n))
		}
	}
	if kind == "" || kind == "storage" {
		list = append(list, r.storageResources()...)
	}
	if kind == "" || kind == "sdn" {
		list = append(list, r.zoneResources()...)
	}
	return list, nil
}

func (r *request) poolResources() []map[string]any {
	var list []map[string]any
	for _, name := range slices.Sorted(maps.Keys(r.pools)) {
		if r.may("/pool/"+name, "Pool.Audit") {
			list = append(list, map[string]any{"id": "/pool/" + name, "pool": name, "type": "pool"})
		}
	}
	return list
}

func (r *request) guestResources() []map[string]any {
	pools := map[int]string{}
	for name, p := range r.pools {
		if !r.may("/pool/"+name, "Pool.Audit") {
			continue
		}
		for id := range p.members {
			pools[id] = name
		}
	}
	var list []map[string]any
	for _, id := range slices.Sorted(maps.Keys(r.machines)) {
		if !r.may(vmPath(id), "VM.Audit") {
			continue
		}
		m := r.guestResource(r.machines[id])
		if pool := pools[id]; pool != "" {
			m["pool"] = pool
		}
		list = append(list, m)
	}
	return list
}

// guestResource is a VM or container as the lists of resources show it: the cluster itself knows where it is, its lock
// and its tags, and all else from its node.
func (c *cluster) guestResource(m *machine) map[string]any {
	row := map[string]any{"id": m.resource(), "type": m.kind(), "vmid": m.id, "node": m.node.name, "status": "unknown"}
	for _, key := range []string{"lock", "tags"} {
		if v := m.config[key]; v != "" {
			row[key] = v
		}
	}
	if state := c.haOf(m); state != "" {
		row["hastate"] = state
	}
	maps.Copy(row, c.heard(m.resource(), m.node, func() map[string]any { return c.guestStats(m) }))
	return row
}

// nodeEntry is a node as lists show it, with its figures where the user may see them.
func (r *request) nodeEntry(n *node) map[string]any {
	row := map[string]any{"id": "node/" + n.name, "node": n.name, "type": "node", "status": "online", "level": ""}
	if !n.online {
		row["status"] = "offline"
		delete(row, "level")
		return row
	}
	if r.may("/nodes/"+n.name, "Sys.Audit") {
		maps.Copy(row, r.heard("node/"+n.name, n, func() map[string]any { return r.nodeStats(n) }))
	}
	return row
}

func (r *request) nodeResource(n *node) map[string]any {
	row := r.nodeEntry(n)
	row["cgroup-mode"] = 2
	if state := r.haOfNode(n.name); state != "" {
		row["hastate"] = state
	}
	return row
}

func (r *request) storageResources() []map[string]any {
	var list []map[string]any
	for _, st := range r.storages {
		if st.disabled() || !r.may("/storage/"+st.id, "Datastore.Audit") {
			continue
		}
		for _, n := range r.members() {
			if st.on(n.name) {
				list = append(list, r.storageResource(st, n))
			}
		}
	}
	return list
}

// storageResource is a storage of a node as the lists of resources show it.
func (c *cluster) storageResource(st *storage, n *node) map[string]any {
	row := map[string]any{
		"id": storageID(st, n), "type": "storage", "storage": st.id, "node": n.name, "status": "unknown",
		"plugintype": st.kind, "content": c.status(st, n.name)["content"], "shared": bit(st.shared()),
	}
	maps.Copy(row, c.heard(storageID(st, n), n, func() map[string]any { return c.storageStats(st, n) }))
	return row
}

// zoneResources are the zones of the network that are on each node; version 9 calls them networks.
func (r *request) zoneResources() []map[string]any {
	var list []map[string]any
	if !r.may("/sdn/zones/localnetwork", "SDN.Audit") {
		return nil
	}
	for _, n := range r.members() {
		if !n.online {
			continue
		}
		row := map[string]any{"id": "sdn/" + n.name + "/localnetwork", "type": "sdn", "sdn": "localnetwork", "node": n.name, "status": "ok"}
		if r.opts.Version > 8 {
			row = map[string]any{
				"id": "network/" + n.name + "/zone/localnetwork", "type": "network", "network-type": "zone", "network": "localnetwork",
				"node": n.name, "status": "ok",
			}
		}
		list = append(list, row)
	}
	return list
}

// nextID is a free id. Nothing keeps it for who asked.
func nextID(r *request) (any, error) {
	if id, asked := r.p["vmid"]; asked {
		if r.machines[r.p.num("vmid", 0)] != nil {
			return nil, wrongParam("vmid", "VM %s already exists", id)
		}
		return id, nil
	}
	lower, upper := r.idRange()
	for id := lower; id < upper; id++ {
		if r.machines[id] == nil {
			return strconv.Itoa(id), nil
		}
	}
	return nil, die("unable to get any free VMID in range [%d, %d]", lower, upper)
}

// idRange is where ids are looked for, which an option of the cluster can narrow.
func (c *cluster) idRange() (lower, upper int) {
	lower, upper = 100, 1000000
	parts, err := c.schema.Parse("#next-id", c.misc.options["next-id"])
	if err != nil || c.misc.options["next-id"] == "" {
		return lower, upper
	}
	return params(parts).num("lower", lower), params(parts).num("upper", upper)
}

// clusterStatus says which nodes are there. A node alone is no cluster.
func clusterStatus(r *request) (any, error) {
	var list []map[string]any
	if len(r.members()) > 1 {
		up := 0
		for _, n := range r.members() {
			up += bit(n.online)
		}
		list = append(list, map[string]any{
			"type": "cluster", "id": "cluster", "name": clusterName, "nodes": len(r.members()), "version": len(r.members()),
			"quorate": bit(2*up > len(r.members())),
		})
	}
	for i, n := range r.members() {
		row := map[string]any{
			"type": "node", "id": "node/" + n.name, "name": n.name, "nodeid": i + 1, "ip": "10.10.0." + strconv.Itoa(i+2),
			"local": bit(i == 0), "online": bit(n.online), "level": "",
		}
		if len(r.members()) == 1 {
			row["nodeid"] = 0
		}
		list = append(list, row)
	}
	return list, nil
}
