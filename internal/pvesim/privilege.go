package pvesim

import (
	"maps"
	"net/http"
	"strconv"
	"strings"
)

// forbidden is status 403 with what lacks.
func forbidden(what string) error {
	if what != "" {
		what = " (" + what + ")"
	}
	return &refusal{status: http.StatusForbidden, message: "Permission check failed" + what + "\n"}
}

// need refuses a request whose user lacks one of the privileges at a path of the access tree, "/vms/100".
func (c *cluster) need(r *request, path string, privs ...string) error {
	has := c.permissions(r.user.authid(), path)
	for _, priv := range privs {
		if _, ok := has[priv]; !ok {
			return forbidden(path + ", " + priv)
		}
	}
	return nil
}

// needAny refuses a request whose user has none of the privileges at a path.
func (c *cluster) needAny(r *request, path string, privs ...string) error {
	has := c.permissions(r.user.authid(), path)
	for _, priv := range privs {
		if _, ok := has[priv]; ok {
			return nil
		}
	}
	return forbidden(path + ", " + strings.Join(privs, "|"))
}

// may reports whether the user has all of the privileges at a path.
func (r *request) may(path string, privs ...string) bool { return r.need(r, path, privs...) == nil }

// mayAny reports whether the user has one of the privileges at a path.
func (r *request) mayAny(path string, privs ...string) bool {
	return r.needAny(r, path, privs...) == nil
}

// vmPath is where the privileges of a VM or container are.
func vmPath(id int) string { return "/vms/" + strconv.Itoa(id) }

// permissions are the privileges that a user or token has at a path, with whether they go on to what is below.
func (c *cluster) permissions(authid, path string) map[string]bool {
	all := c.access.roles["Administrator"].privs
	if authid == "root@pam" {
		return all
	}
	if path == "" {
		return nil
	}
	userid, name := splitToken(authid)
	if name == "" {
		return c.privsOf(c.rolesAt(authid, path))
	}
	t, err := c.access.token(userid, name)
	if err != nil {
		return nil
	}
	owner := c.permissions(userid, path)
	if !t.privsep {
		return owner
	}
	own := c.privsOf(c.rolesAt(authid, path))
	maps.DeleteFunc(own, func(priv string, _ bool) bool { _, ok := owner[priv]; return !ok })
	for priv := range own {
		own[priv] = own[priv] && owner[priv]
	}
	return own
}

// privsOf are the privileges of roles.
func (c *cluster) privsOf(roles map[string]bool) map[string]bool {
	privs := map[string]bool{}
	for name, propagate := range roles {
		if role := c.access.roles[name]; role != nil {
			for priv := range role.privs {
				privs[priv] = privs[priv] || propagate
			}
		}
	}
	return privs
}

// rolesAt are the roles of a user or token at a path, those that it has by a pool among them.
func (c *cluster) rolesAt(authid, path string) map[string]bool {
	roles := c.access.rolesAt(authid, path)
	if _, none := roles["NoAccess"]; none {
		return roles
	}
	for name, p := range c.pools {
		if !p.has(path) {
			continue
		}
		more := c.access.rolesAt(authid, "/pool/"+name)
		if _, none := more["NoAccess"]; none {
			return map[string]bool{"NoAccess": false}
		}
		for role := range more {
			if _, has := roles[role]; !has {
				roles[role] = false
			}
		}
	}
	return roles
}

// has reports whether what a path of the access tree names is in the pool.
func (p *pool) has(path string) bool {
	if id, ok := strings.CutPrefix(path, "/vms/"); ok {
		n, err := strconv.Atoi(id)
		return err == nil && p.members[n]
	}
	id, ok := strings.CutPrefix(path, "/storage/")
	return ok && p.storages[id]
}

// rolesAt goes down the access tree. What is nearer to the path replaces what is farther, a user's own roles those
// of the groups.
func (a *access) rolesAt(authid, path string) map[string]bool {
	roles := map[string]bool{}
	steps := []string{"/"}
	if path != "/" {
		for i := 1; i <= len(path); i++ {
			if i == len(path) || path[i] == '/' {
				steps = append(steps, path[:i])
			}
		}
	}
	for i, step := range steps {
		g := a.acl[step]
		if g == nil {
			continue
		}
		final := i == len(steps)-1
		for _, found := range []map[string]bool{
			applying(g.tokens[authid], final), applying(g.users[authid], final), a.byGroup(g, authid, final),
		} {
			if len(found) > 0 {
				roles = found
				break
			}
		}
	}
	if propagate, none := roles["NoAccess"]; none {
		return map[string]bool{"NoAccess": propagate}
	}
	return roles
}

// applying are the roles that hold at a step of the way to a path.
func applying(granted map[string]bool, final bool) map[string]bool {
	found := map[string]bool{}
	for role, propagate := range granted {
		if final || propagate {
			found[role] = propagate
		}
	}
	return found
}

func (a *access) byGroup(g *grants, authid string, final bool) map[string]bool {
	found := map[string]bool{}
	for name, granted := range g.groups {
		if grp := a.groups[name]; grp != nil && grp.members[authid] {
			maps.Copy(found, applying(granted, final))
		}
	}
	return found
}
