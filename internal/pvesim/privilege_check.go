package pvesim

import (
	"regexp"
	"strings"
)

// allowed is the check of privileges that the schema asks for. It comes before the check of parameters, so that
// in is as it was sent. It holds mu.
func (s *Server) allowed(r *request, permissions any, in map[string]any) error {
	p, _ := permissions.(map[string]any)
	who, _ := p["user"].(string)
	if r.user == nil {
		if who == "world" {
			return nil
		}
		return forbidden("user != null")
	}
	switch check, _ := p["check"].([]any); {
	case r.user.root():
		return nil
	case permissions == nil:
		return forbidden("user != root@pam")
	case who == "all":
		return nil
	case len(check) > 0:
		return r.check(check, in)
	}
	return forbidden("")
}

// check performs one check in the schema's own notation: a list of its name and its arguments.
func (r *request) check(check []any, in map[string]any) error {
	name, _ := check[0].(string)
	switch name {
	case "and":
		for _, sub := range subchecks(check[1:]) {
			if err := r.check(sub, in); err != nil {
				return err
			}
		}
		return nil
	case "or":
		for _, sub := range subchecks(check[1:]) {
			if r.check(sub, in) == nil {
				return nil
			}
		}
		return forbidden("")
	case "perm":
		return r.checkPerm(check, in)
	case "perm-modify":
		tmpl, _ := check[1].(string)
		return r.permModify(normalPath(fillIn(tmpl, in)))
	case "userid-group":
		return r.checkUserGroup(check, in)
	case "userid-param":
		return r.checkUser(check, in)
	}
	return forbidden("")
}

func subchecks(of []any) [][]any {
	var found [][]any
	for _, el := range of {
		if l, ok := el.([]any); ok {
			found = append(found, l)
		}
	}
	return found
}

// checkOption finds an option that follows the arguments of a check by its name.
func checkOption(check []any, name string) string {
	for i, el := range check {
		if el == name && i+1 < len(check) {
			return plain(check[i+1])
		}
	}
	return ""
}

func privilegeNames(v any) []string {
	var found []string
	l, _ := v.([]any)
	for _, el := range l {
		found = append(found, plain(el))
	}
	return found
}

// checkPerm is ["perm", path, privileges, options].
func (r *request) checkPerm(check []any, in map[string]any) error {
	if len(check) < 3 {
		return forbidden("")
	}
	if param := checkOption(check[3:], "require_param"); param != "" && in[param] == nil {
		return forbidden("")
	}
	tmpl, _ := check[1].(string)
	path, privs := normalPath(fillIn(tmpl, in)), privilegeNames(check[2])
	if checkOption(check[3:], "any") == "1" {
		return r.needAny(r, path, privs...)
	}
	return r.need(r, path, privs...)
}

// permModify is the check of who may grant roles at a path.
func (r *request) permModify(path string) error {
	kinds := map[string]string{"/storage/": "Datastore.Allocate", "/vms/": "VM.Allocate", "/pool/": "Pool.Allocate"}
	privs := []string{"Permissions.Modify"}
	for prefix, priv := range kinds {
		if strings.HasPrefix(path, prefix) {
			privs = append(privs, priv)
		}
	}
	if path == "" {
		return r.need(r, "/access", privs...)
	}
	return r.needAny(r, path, privs...)
}

// checkUserGroup is ["userid-group", privileges, options]: the privileges at all groups, or at one that the user
// of the request is in.
func (r *request) checkUserGroup(check []any, in map[string]any) error {
	id, privs, mode := plain(in["userid"]), privilegeNames(check[1]), checkOption(check[2:], "groups_param")
	if mode != "create" {
		if _, err := r.access.user(id); err != nil {
			return err
		}
	}
	if r.mayAny("/access/groups", privs...) {
		return nil
	}
	if mode != "" {
		groups := splitList(plain(in["groups"]))
		if len(groups) == 0 {
			return r.needAny(r, "/access/groups", privs...)
		}
		for _, g := range groups {
			if err := r.needAny(r, "/access/groups/"+g, privs...); err != nil {
				return err
			}
		}
	}
	if mode != "create" && !r.mayAnyGroupOf(id, privs...) {
		return forbidden("")
	}
	return nil
}

// mayAnyGroupOf reports whether the user of the request has one of the privileges at a group of another.
func (r *request) mayAnyGroupOf(id string, privs ...string) bool {
	for _, g := range r.access.groupsOf(id) {
		if r.mayAny("/access/groups/"+g, privs...) {
			return true
		}
	}
	return false
}

// checkUser is ["userid-param", "self"] or ["userid-param", "Realm.AllocateUser"].
func (r *request) checkUser(check []any, in map[string]any) error {
	id := plain(in["userid"])
	realm, err := verifyUsername(id)
	if err != nil {
		return err
	}
	if what, _ := check[1].(string); what != "self" {
		return r.need(r, "/access/realm/"+realm, what)
	}
	if _, err := r.access.user(id); err != nil {
		return err
	}
	if id != r.user.authid() {
		return forbidden("")
	}
	return nil
}

var pathVariable = regexp.MustCompile(`\{[^}]+\}`)

// fillIn fills in the parameters of a request.
func fillIn(tmpl string, in map[string]any) string {
	return pathVariable.ReplaceAllStringFunc(tmpl, func(v string) string {
		if s := plain(in[strings.Trim(v, "{}")]); s != "" && s != "0" {
			return s
		}
		return "-"
	})
}
