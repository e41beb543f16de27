package pvesim

import (
	"maps"
	"slices"
	"strings"
)

func init() {
	handle("GET /access/groups", listUserGroups)
	handle("POST /access/groups", createGroup)
	handle("GET /access/groups/{groupid}", readGroup)
	handle("PUT /access/groups/{groupid}", updateGroup)
	handle("DELETE /access/groups/{groupid}", deleteGroup)
}

func listUserGroups(r *request) (any, error) {
	list := []map[string]any{}
	for _, name := range slices.Sorted(maps.Keys(r.access.groups)) {
		if !r.mayAny("/access/groups/"+name, "User.Modify", "Sys.Audit", "Group.Allocate") {
			continue
		}
		g := r.access.groups[name]
		shown := map[string]any{"groupid": name, "users": strings.Join(slices.Sorted(maps.Keys(g.members)), ",")}
		if g.comment != "" {
			shown["comment"] = g.comment
		}
		list = append(list, shown)
	}
	return list, nil
}

func createGroup(r *request) (any, error) {
	id := r.p["groupid"]
	if r.access.groups[id] != nil {
		return nil, die("create group failed: group '%s' already exists", id)
	}
	r.access.groups[id] = &group{comment: r.p["comment"], members: map[string]bool{}}
	return nil, nil
}

// group is the group of the path.
func (r *request) group(failed string) (*group, error) {
	if g := r.access.groups[r.p["groupid"]]; g != nil {
		return g, nil
	}
	return nil, die("%sgroup '%s' does not exist", failed, r.p["groupid"])
}

func readGroup(r *request) (any, error) {
	g, err := r.group("")
	if err != nil {
		return nil, err
	}
	shown := map[string]any{"members": append([]string{}, slices.Sorted(maps.Keys(g.members))...)}
	if g.comment != "" {
		shown["comment"] = g.comment
	}
	return shown, nil
}

func updateGroup(r *request) (any, error) {
	g, err := r.group("update group failed: ")
	if err == nil && r.p.has("comment") {
		g.comment = r.p["comment"]
	}
	return nil, err
}

func deleteGroup(r *request) (any, error) {
	if _, err := r.group("delete group failed: "); err != nil {
		return nil, err
	}
	id := r.p["groupid"]
	delete(r.access.groups, id)
	for _, g := range r.access.acl {
		delete(g.groups, id)
	}
	return nil, nil
}
