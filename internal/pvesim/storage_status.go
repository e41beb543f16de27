package pvesim

import (
	"slices"
	"strings"
)

func init() {
	handle("GET /nodes/{node}/storage", nodeStorages)
	handle("GET /nodes/{node}/storage/{storage}/status", storageStatus)
	handle("GET /nodes/{node}/storage/{storage}", storageIndex)
}

func storageIndex(r *request) (any, error) {
	names := "content download-url file-restore import-metadata prunebackups rrd rrddata status upload"
	if r.opts.Version > 8 {
		names = "content download-url file-restore import-metadata oci-registry-pull prunebackups rrd rrddata status upload"
	}
	var list []any
	for _, name := range strings.Fields(names) {
		list = append(list, map[string]any{"subdir": name})
	}
	return list, nil
}

// enabled tells whether a node can use the storage.
func (st *storage) enabled(node string) bool { return !st.disabled() && st.on(node) }

// status is what a node says of a storage.
func (c *cluster) status(st *storage, node string) map[string]any {
	s := map[string]any{
		"type": st.kind, "content": strings.Join(st.contents(), ","), "shared": bit(st.shared()),
		"enabled": bit(st.enabled(node)), "active": bit(st.enabled(node)), "total": int64(0), "used": int64(0), "avail": int64(0),
	}
	if st.enabled(node) {
		used := min(c.usedOf(st, node), st.capacity)
		s["total"], s["used"], s["avail"] = st.capacity, used, st.capacity-used
	}
	return s
}

func nodeStorages(r *request) (any, error) {
	if id := r.p["storage"]; id != "" && r.storage(id) == nil {
		return nil, wrongParam("storage", "No such storage.")
	}
	node, target := r.p["node"], r.p["target"]
	if target == node || target == "localhost" {
		target = ""
	}
	list := []any{}
	for _, st := range r.storages {
		wanted := func(content string) bool { return st.holds(content) }
		switch {
		case !r.mayAny("/storage/"+st.id, "Datastore.Audit", "Datastore.AllocateSpace"):
		case r.p["storage"] != "" && r.p["storage"] != st.id:
		case r.p.has("content") && (!st.enabled(node) || !slices.ContainsFunc(splitList(r.p["content"]), wanted)):
		case r.p.flag("enabled") && st.disabled():
		case target != "" && !(st.shared() && st.on(node) && st.on(target)):
		default:
			list = append(list, r.nodeStorage(st, node))
		}
	}
	return list, nil
}

func (r *request) nodeStorage(st *storage, node string) map[string]any {
	s := r.status(st, node)
	s["storage"] = st.id
	if total, _ := s["total"].(int64); total > 0 {
		used, _ := s["used"].(int64)
		s["used_fraction"] = float64(used) / float64(total)
	}
	if !r.p.flag("format") || len(st.formats()) == 0 || !st.enabled(node) {
		return s
	}
	supported := map[string]int{}
	for _, f := range st.formats() {
		supported[f] = 1
	}
	s["format"] = []any{supported, st.formats()[0]}
	if r.opts.Version > 8 {
		s["formats"] = map[string]any{"supported": slices.Sorted(slices.Values(st.formats())), "default": st.formats()[0]}
	}
	if st.kind == "iscsi" || st.kind == "iscsidirect" {
		s["select_existing"] = 1
	}
	return s
}

func storageStatus(r *request) (any, error) {
	st := r.storage(r.p["storage"])
	if st == nil {
		return nil, wrongParam("storage", "No such storage.")
	}
	return r.status(st, r.p["node"]), nil
}
