package pvesim

import (
	"maps"
	"slices"
)

func init() {
	handle("GET /cluster/ha", haIndex)
	handle("GET /cluster/ha/groups", haGroups)
	handle("POST /cluster/ha/groups", haCreateGroup)
	handle("GET /cluster/ha/groups/{group}", haGroup)
	handle("PUT /cluster/ha/groups/{group}", haUpdateGroup)
	handle("DELETE /cluster/ha/groups/{group}", haDeleteGroup)
}

var haGroupKeys = []string{"comment", "nofailback", "restricted"}

func haIndex(r *request) (any, error) {
	names := []string{"status", "resources", "groups"}
	if r.opts.Version >= 9 {
		names = append(names, "rules")
	}
	list := []map[string]any{}
	for _, name := range names {
		list = append(list, map[string]any{"id": name})
	}
	return list, nil
}

// groupsGone refuses groups on Proxmox VE 9, where rules took their place.
func (r *request) groupsGone(what string) error {
	if r.opts.Version >= 9 {
		return die("cannot %s: ha groups have been migrated to rules", what)
	}
	return nil
}

func (r *request) showGroup(id string) map[string]any {
	return haShow(r.ha.groups[id], map[string]any{"group": id, "type": "group", "digest": haDigest(r.ha.groups)})
}

func haGroups(r *request) (any, error) {
	if err := r.groupsGone("index groups"); err != nil {
		return nil, err
	}
	list := []map[string]any{}
	for _, id := range slices.Sorted(maps.Keys(r.ha.groups)) {
		list = append(list, r.showGroup(id))
	}
	return list, nil
}

func haGroup(r *request) (any, error) {
	if err := r.groupsGone("read group"); err != nil {
		return nil, err
	}
	id := r.p["group"]
	if r.ha.groups[id] == nil {
		return nil, die("no such ha group '%s'", id)
	}
	return r.showGroup(id), nil
}

func haCreateGroup(r *request) (any, error) {
	if err := r.groupsGone("create group"); err != nil {
		return nil, err
	}
	id := r.p["group"]
	if r.ha.groups[id] != nil {
		return nil, die("create ha group failed: ha group ID '%s' already defined", id)
	}
	s := section{}
	if err := haUpdate(s, r.p, haGroupKeys, []string{"nodes"}); err != nil {
		return nil, err
	}
	r.ha.groups[id] = s
	r.haWake()
	return nil, nil
}

func haUpdateGroup(r *request) (any, error) {
	if err := r.groupsGone("update group"); err != nil {
		return nil, err
	}
	id := r.p["group"]
	change := func() error {
		if err := haModified(r.p, haDigest(r.ha.groups)); err != nil {
			return err
		}
		if r.ha.groups[id] == nil {
			return die("no such ha group '%s'", id)
		}
		s := maps.Clone(r.ha.groups[id])
		if err := haUpdate(s, r.p, haGroupKeys, []string{"nodes"}); err != nil {
			return err
		}
		r.ha.groups[id] = s
		r.haWake()
		return nil
	}
	return nil, prefixed("update ha group failed", change())
}

func haDeleteGroup(r *request) (any, error) {
	if err := r.groupsGone("delete group"); err != nil {
		return nil, err
	}
	for _, sid := range slices.Sorted(maps.Keys(r.ha.resources)) {
		if r.ha.resources[sid]["group"] == r.p["group"] {
			return nil, die("delete ha group failed: ha group is used by service '%s'", sid)
		}
	}
	delete(r.ha.groups, r.p["group"])
	r.haWake()
	return nil, nil
}
