package pvesim

import (
	"maps"
	"slices"
	"strconv"
	"strings"
)

func init() {
	handle("GET /access/users", listUsers)
	handle("POST /access/users", createUser)
	handle("GET /access/users/{userid}", readUser)
	handle("PUT /access/users/{userid}", updateUser)
	handle("DELETE /access/users/{userid}", deleteUser)
	handle("PUT /access/users/{userid}/unlock-tfa", unlockUser)
}

// userKeys are the properties of a user that are text.
var userKeys = []string{"firstname", "lastname", "email", "comment", "keys"}

// shown is what the API says of a user, but for the groups and tokens.
func (u *user) shown() map[string]any {
	m := map[string]any{"enable": bit(u.enabled), "expire": u.expire}
	for k, v := range u.options {
		m[k] = v
	}
	return m
}

// groupsOf are the groups of a user, in order.
func (a *access) groupsOf(id string) []string {
	names := []string{}
	for _, name := range slices.Sorted(maps.Keys(a.groups)) {
		if a.groups[name].members[id] {
			names = append(names, name)
		}
	}
	return names
}

func listUsers(r *request) (any, error) {
	all := r.mayAny("/access/groups", "User.Modify", "Sys.Audit")
	list := []map[string]any{}
	for _, id := range slices.Sorted(maps.Keys(r.access.users)) {
		u := r.access.users[id]
		if !all && id != r.user.authid() && !r.mayAnyGroupOf(id, "User.Modify", "Sys.Audit") {
			continue
		}
		if r.p.has("enabled") && r.p.flag("enabled") != u.enabled {
			continue
		}
		shown := u.shown()
		shown["userid"] = id
		if realm, err := verifyUsername(id); err == nil && r.access.realms[realm] != nil {
			shown["realm-type"] = r.access.realms[realm]["type"]
		}
		if r.p.flag("full") {
			shown["groups"] = strings.Join(r.access.groupsOf(id), ",")
			tokens := []map[string]any{}
			for _, name := range slices.Sorted(maps.Keys(u.tokens)) {
				t := u.tokens[name].shown()
				t["tokenid"] = name
				tokens = append(tokens, t)
			}
			shown["tokens"] = tokens
		}
		list = append(list, shown)
	}
	return list, nil
}

func createUser(r *request) (any, error) {
	id := r.p["userid"]
	realm, err := verifyUsername(id)
	switch {
	case err != nil:
		return nil, err
	case r.access.users[id] != nil:
		return nil, die("create user failed: user '%s' already exists", id)
	case r.p.has("password") && r.access.realms[realm] == nil:
		return nil, die("create user failed: auth domain '%s' does not exist", realm)
	}
	groups := splitList(r.p["groups"])
	if err := r.knownGroups("create", groups); err != nil {
		return nil, err
	}
	u := &user{enabled: !r.p.has("enable") || r.p.flag("enable"), options: section{}}
	u.expire, _ = strconv.ParseInt(r.p["expire"], 10, 64)
	for _, key := range userKeys {
		if r.p[key] != "" {
			u.options[key] = r.p[key]
		}
	}
	r.access.users[id] = u
	if r.p.has("password") {
		r.access.password[id] = r.p["password"]
	}
	r.join(id, groups)
	return nil, nil
}

func (r *request) knownGroups(verb string, groups []string) error {
	for _, g := range groups {
		if r.access.groups[g] == nil {
			return die("%s user failed: no such group '%s'", verb, g)
		}
	}
	return nil
}

func (r *request) join(id string, groups []string) {
	for _, g := range groups {
		r.access.groups[g].members[id] = true
	}
}

func readUser(r *request) (any, error) {
	u, err := r.access.user(r.p["userid"])
	if err != nil {
		return nil, err
	}
	shown := u.shown()
	shown["groups"] = r.access.groupsOf(r.p["userid"])
	shown["tokens"] = nil
	if u.tokens != nil {
		tokens := map[string]any{}
		for name, t := range u.tokens {
			tokens[name] = t.shown()
		}
		shown["tokens"] = tokens
	}
	return shown, nil
}

func updateUser(r *request) (any, error) {
	id := r.p["userid"]
	u, err := r.access.user(id)
	if err != nil {
		return nil, err
	}
	groups := splitList(r.p["groups"])
	if err := r.knownGroups("update", groups); err != nil {
		return nil, err
	}
	if r.p.has("enable") {
		u.enabled = r.p.flag("enable")
	}
	if r.p.has("expire") {
		u.expire, _ = strconv.ParseInt(r.p["expire"], 10, 64)
	}
	for _, key := range userKeys {
		if r.p.has(key) {
			u.options[key] = r.p[key]
		}
	}
	if r.p.has("groups") && !r.p.flag("append") {
		for _, g := range r.access.groups {
			delete(g.members, id)
		}
	}
	r.join(id, groups)
	return nil, nil
}

func deleteUser(r *request) (any, error) {
	id := r.p["userid"]
	if _, err := r.access.user(id); err != nil {
		return nil, err
	}
	delete(r.access.users, id)
	delete(r.access.password, id)
	for _, g := range r.access.groups {
		delete(g.members, id)
	}
	for _, g := range r.access.acl {
		delete(g.users, id)
		maps.DeleteFunc(g.tokens, func(t string, _ map[string]bool) bool { return strings.HasPrefix(t, id+"!") })
	}
	return nil, nil
}

// unlockUser forgets that codes were wrong.
func unlockUser(r *request) (any, error) {
	u, err := r.access.user(r.p["userid"])
	if err != nil {
		return nil, err
	}
	locked := false
	for _, f := range u.second {
		locked = locked || f.wrong >= codeLimit
		f.wrong = 0
	}
	return bit(locked), nil
}
