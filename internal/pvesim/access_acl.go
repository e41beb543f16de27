package pvesim

import (
	"maps"
	"regexp"
	"slices"
	"strings"
)

func init() {
	handle("GET /access/acl", readACL)
	handle("PUT /access/acl", updateACL)
	handle("GET /access/permissions", readPermissions)
}

var (
	pathLetters = regexp.MustCompile(`^[A-Za-z0-9._/-]+$`)
	slashes     = regexp.MustCompile(`/+`)
	// aclPaths are the paths that can be granted anything at.
	aclPaths = regexp.MustCompile(`^(/|/access|/access/groups(/[\w.-]+)?|/access/realm(/[\w.-]+)?|/nodes(/[\w.-]+)?` +
		`|/pool(/[\w.-]+){0,3}|/sdn|/sdn/(controllers|dns|fabrics|ipams)(/[\w-]+)?|/sdn/zones(/[\w.-]+){0,2}` +
		`|/sdn/zones/[\w.-]+/[\w.-]+/[1-9][0-9]{0,3}|/storage(/[\w.-]+)?|/vms(/[1-9][0-9]{2,})?|/mapping(/[\w.-]+){0,2})$`)
)

// normalPath is a path of the access tree as it is kept, "" where it cannot be one.
func normalPath(path string) string {
	if path == "" {
		return ""
	}
	path = strings.TrimSuffix(slashes.ReplaceAllString(path, "/"), "/")
	if !strings.HasPrefix(path, "/") {
		path = "/" + path
	}
	if !pathLetters.MatchString(path) {
		return ""
	}
	return path
}

func readACL(r *request) (any, error) {
	audit := r.may("/access", "Sys.Audit")
	list := []map[string]any{}
	for _, path := range slices.Sorted(maps.Keys(r.access.acl)) {
		if !audit && r.permModify(path) != nil {
			continue
		}
		g := r.access.acl[path]
		for _, of := range []struct {
			kind string
			to   map[string]map[string]bool
		}{{"user", g.users}, {"group", g.groups}, {"token", g.tokens}} {
			for _, id := range slices.Sorted(maps.Keys(of.to)) {
				for _, role := range slices.Sorted(maps.Keys(of.to[id])) {
					if r.access.roles[role] == nil {
						continue
					}
					list = append(list, map[string]any{
						"path": path, "type": of.kind, "ugid": id, "roleid": role, "propagate": bit(of.to[id][role]),
					})
				}
			}
		}
	}
	return list, nil
}

func updateACL(r *request) (any, error) {
	users, groups, tokens := splitList(r.p["users"]), splitList(r.p["groups"]), splitList(r.p["tokens"])
	if len(users)+len(groups)+len(tokens) == 0 {
		const text = "either 'users', 'groups' or 'tokens' is required."
		return nil, wrong(map[string]string{"users": text, "groups": text, "tokens": text})
	}
	path := normalPath(r.p["path"])
	if path == "" || !r.p.flag("delete") && !aclPaths.MatchString(path) {
		return nil, wrongParam("path", "invalid ACL path '%s'", r.p["path"])
	}
	roles := splitList(r.p["roles"])
	for _, role := range roles {
		if err := r.mayGrant(path, role); err != nil {
			return nil, err
		}
	}
	if err := r.access.grantees(users, groups, tokens); err != nil {
		return nil, err
	}
	g := r.access.acl[path]
	if g == nil {
		g = &grants{users: map[string]map[string]bool{}, groups: map[string]map[string]bool{}, tokens: map[string]map[string]bool{}}
		r.access.acl[path] = g
	}
	for _, role := range roles {
		r.grant(g.users, users, role)
		r.grant(g.groups, groups, role)
		r.grant(g.tokens, tokens, role)
	}
	if len(g.users)+len(g.groups)+len(g.tokens) == 0 {
		delete(r.access.acl, path)
	}
	return nil, nil
}

// grant gives a role to each of the names, or takes it.
func (r *request) grant(to map[string]map[string]bool, names []string, role string) {
	for _, name := range names {
		if r.p.flag("delete") {
			delete(to[name], role)
			if len(to[name]) == 0 {
				delete(to, name)
			}
			continue
		}
		if to[name] == nil {
			to[name] = map[string]bool{}
		}
		to[name][role] = !r.p.has("propagate") || r.p.flag("propagate")
	}
}

// grantees refuses names that do not exist.
func (a *access) grantees(users, groups, tokens []string) error {
	const failed = "ACL update failed: "
	for _, name := range groups {
		if a.groups[name] == nil {
			return die(failed+"group '%s' does not exist", name)
		}
	}
	for _, name := range users {
		if a.users[name] == nil {
			return die(failed+"user '%s' does not exist", name)
		}
	}
	for _, id := range tokens {
		userid, name := splitToken(id)
		if _, err := a.token(userid, name); err != nil {
			return die(failed+"%s", text(err))
		}
	}
	return nil
}

// mayGrant refuses a role that is not there, or that is more than who asks has at the path.
func (r *request) mayGrant(path, name string) error {
	role := r.access.roles[name]
	if role == nil {
		return die("ACL update failed: role '%s' does not exist", name)
	}
	own := r.permissions(r.user.authid(), path)
	if _, all := own["Permissions.Modify"]; all {
		return nil
	}
	verb := "add"
	if r.p.flag("delete") {
		verb = "remove"
	}
	for priv := range role.privs {
		if _, has := own[priv]; !has {
			return wrongParam("role", "Cannot %s role '%s' - requires 'Permissions.Modify' or superset of privileges.", verb, name)
		}
	}
	if name == "NoAccess" {
		return wrongParam("role", "Cannot %s role '%s' - requires 'Permissions.Modify'", verb, name)
	}
	return nil
}

// readPermissions shows what somebody may, by path.
func readPermissions(r *request) (any, error) {
	id := r.p["userid"]
	if id == "" {
		id = r.user.authid()
	}
	userid, _ := splitToken(id)
	if id != r.user.authid() && userid != r.user.authid() {
		if err := r.need(r, "/access", "Sys.Audit"); err != nil {
			return nil, err
		}
	}
	paths := map[string]bool{}
	if path := r.p["path"]; path != "" {
		if path = normalPath(path); path == "" || !aclPaths.MatchString(path) {
			return nil, wrongParam("path", "invalid ACL path '%s'", r.p["path"])
		}
		paths[path] = true
	} else {
		for _, path := range []string{"/", "/access", "/access/groups", "/nodes", "/pool", "/sdn", "/storage", "/vms"} {
			paths[path] = true
		}
		for path := range r.access.acl {
			paths[path] = true
		}
		for _, p := range r.pools {
			for id := range p.members {
				paths[vmPath(id)] = true
			}
			for id := range p.storages {
				paths["/storage/"+id] = true
			}
		}
	}
	shown := map[string]any{}
	for path := range paths {
		privs := map[string]any{}
		for priv, propagate := range r.permissions(id, path) {
			privs[priv] = bit(propagate)
		}
		if len(privs) > 0 {
			shown[path] = privs
		}
	}
	return shown, nil
}
