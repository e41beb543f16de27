package pvesim

import (
	"maps"
	"slices"
	"strings"
)

func init() {
	handle("GET /pools", listPools)
	handle("POST /pools", makePool)
	handle("PUT /pools", changePool)
	handle("PUT /pools/{poolid}", changePool)
	handle("DELETE /pools", removePool)
	handle("DELETE /pools/{poolid}", removePool)
	handle("GET /pools/{poolid}", readPool)
}

// poolNamed is the pool that a request names.
func (r *request) poolNamed(failed string) (*pool, error) {
	p := r.pools[r.p["poolid"]]
	if p == nil {
		return nil, die("%spool '%s' does not exist", failed, r.p["poolid"])
	}
	return p, nil
}

// sees reports whether the user may know of a pool.
func (r *request) sees(p *pool) bool { return r.may("/pool/"+p.name, "Pool.Audit") }

func (p *pool) show() map[string]any {
	answer := map[string]any{"poolid": p.name}
	if p.comment != "" {
		answer["comment"] = p.comment
	}
	return answer
}

// listPools lists the pools, or shows the one that is asked for, with its members.
func listPools(r *request) (any, error) {
	list := []map[string]any{}
	if r.p.has("poolid") {
		p, err := r.poolNamed("")
		if err != nil {
			return nil, err
		}
		if err := r.need(r, "/pool/"+p.name, "Pool.Audit"); err != nil {
			return nil, err
		}
		one := p.show()
		one["members"] = r.poolMembers(p)
		return append(list, one), nil
	}
	for _, name := range slices.Sorted(maps.Keys(r.pools)) {
		if p := r.pools[name]; r.sees(p) {
			list = append(list, p.show())
		}
	}
	return list, nil
}

func readPool(r *request) (any, error) {
	p, err := r.poolNamed("")
	if err != nil {
		return nil, err
	}
	answer := p.show()
	answer["members"] = r.poolMembers(p)
	return answer, nil
}

// poolMembers are the VMs, containers and storages of a pool as lists of resources have them.
func (r *request) poolMembers(p *pool) []map[string]any {
	list := []map[string]any{}
	kind := r.p["type"]
	for _, id := range slices.Sorted(maps.Keys(p.members)) {
		m := r.machines[id]
		if m == nil || kind != "" && kind != m.kind() {
			continue
		}
		list = append(list, r.guestResource(m))
	}
	for _, id := range slices.Sorted(maps.Keys(p.storages)) {
		i := slices.IndexFunc(r.storages, func(st *storage) bool { return st.id == id })
		if i < 0 || kind != "" && kind != "storage" {
			continue
		}
		for _, n := range r.nodes {
			status := "available"
			if !n.online {
				status = "unknown"
			}
			list = append(list, map[string]any{
				"id": "storage/" + n.name + "/" + id, "type": "storage", "storage": id, "node": n.name, "status": status,
				"plugintype": r.storages[i].kind, "content": r.storages[i].options["content"], "maxdisk": r.storages[i].capacity, "disk": 0,
				"shared": number(r.storages[i].options["shared"]),
			})
		}
	}
	return list
}

func makePool(r *request) (any, error) {
	const failed = "create pool failed: "
	name := r.p["poolid"]
	if r.pools[name] != nil {
		return nil, die("%spool '%s' already exists", failed, name)
	}
	if i := strings.LastIndex(name, "/"); i >= 0 && r.pools[name[:i]] == nil {
		return nil, die("%sparent '%s' of pool '%s' does not exist", failed, name[:i], name)
	}
	r.pools[name] = &pool{name: name, comment: r.p["comment"], members: map[int]bool{}, storages: map[string]bool{}}
	return nil, nil
}

// changePool takes members in or, with "delete", lets them go.
func changePool(r *request) (any, error) {
	const failed = "update pool failed: "
	p, err := r.poolNamed(failed)
	if err != nil {
		return nil, err
	}
	leave := r.p.flag("delete")
	vms, storages := keyList(r.p["vms"]), keyList(r.p["storage"])
	for _, text := range vms {
		if err := r.checkMember(p, text, leave); err != nil {
			return nil, err
		}
	}
	for _, id := range storages {
		if err := r.permModify("/storage/" + id); err != nil {
			return nil, prefixed("update pool failed", err)
		}
		switch {
		case leave && !p.storages[id]:
			return nil, die("%sStorage '%s' is not a pool member", failed, id)
		case !leave && p.storages[id]:
			return nil, die("%sStorage '%s' is already a pool member", failed, id)
		}
	}
	if r.p.has("comment") {
		p.comment = r.p["comment"]
	}
	for _, text := range vms {
		id := params{"id": text}.num("id", 0)
		if leave {
			delete(p.members, id)
			continue
		}
		for _, o := range r.pools {
			delete(o.members, id)
		}
		p.members[id] = true
	}
	for _, id := range storages {
		if leave {
			delete(p.storages, id)
		} else {
			p.storages[id] = true
		}
	}
	return nil, nil
}

// checkMember refuses what cannot become, or stop being, a member.
func (r *request) checkMember(p *pool, text string, leave bool) error {
	const failed = "update pool failed: "
	id := params{"id": text}.num("id", 0)
	if err := r.permModify("/vms/" + text); err != nil {
		return prefixed("update pool failed", err)
	}
	if leave {
		if !p.members[id] {
			return die("%sVM %s is not a pool member", failed, text)
		}
		return nil
	}
	if r.machines[id] == nil {
		return die("%sVM %s does not exist", failed, text)
	}
	for _, o := range r.pools {
		switch {
		case !o.members[id]:
		case o == p:
			return die("%sVM %s is already a pool member", failed, text)
		case !r.p.flag("allow-move"):
			return die("%sVM %s belongs already to pool '%s' and allow-move is not set", failed, text, o.name)
		default:
			if err := r.need(r, "/pool/"+o.name, "Pool.Allocate"); err != nil {
				return prefixed("update pool failed", err)
			}
		}
	}
	return nil
}

func removePool(r *request) (any, error) {
	const failed = "delete pool failed: "
	p, err := r.poolNamed(failed)
	if err != nil {
		return nil, err
	}
	for name := range r.pools {
		if strings.HasPrefix(name, p.name+"/") {
			return nil, die("%spool '%s' is not empty (contains pool '%s')", failed, p.name, name)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(p.members)) {
		if r.machines[id] != nil {
			return nil, die("%spool '%s' is not empty (contains VM %d)", failed, p.name, id)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(p.storages)) {
		return nil, die("%spool '%s' is not empty (contains storage '%s')", failed, p.name, id)
	}
	delete(r.pools, p.name)
	return nil, nil
}
