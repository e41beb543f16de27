package pvesim

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

func init() {
	handle("GET /access/domains", listRealms)
	handle("POST /access/domains", createRealm)
	handle("GET /access/domains/{realm}", readRealm)
	handle("PUT /access/domains/{realm}", updateRealm)
	handle("DELETE /access/domains/{realm}", deleteRealm)
}

// listRealms is for everybody: the mask of the login shows it.
func listRealms(r *request) (any, error) {
	list := []map[string]any{}
	for _, name := range slices.Sorted(maps.Keys(r.access.realms)) {
		realm := r.access.realms[name]
		shown := map[string]any{"realm": name, "type": realm["type"]}
		for _, key := range []string{"comment", "tfa"} {
			if realm[key] != "" {
				shown[key] = realm[key]
			}
		}
		if realm["default"] == "1" {
			shown["default"] = 1
		}
		list = append(list, shown)
	}
	return list, nil
}

// realmDigest is the checksum of domains.cfg, which the two realms that are always there are not in.
func (a *access) realmDigest() string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(a.realms)) {
		if name == "pam" || name == "pve" {
			continue
		}
		fmt.Fprintf(&b, "%s: %s\n", a.realms[name]["type"], name)
		for _, key := range slices.Sorted(maps.Keys(a.realms[name])) {
			fmt.Fprintf(&b, "\t%s %s\n", key, a.realms[name][key])
		}
	}
	return checksum(b.String())
}

func (r *request) realm() (section, error) {
	if realm := r.access.realms[r.p["realm"]]; realm != nil {
		return realm, nil
	}
	return nil, die("domain '%s' does not exist", r.p["realm"])
}

func readRealm(r *request) (any, error) {
	realm, err := r.realm()
	if err != nil {
		return nil, err
	}
	shown := map[string]any{"digest": r.access.realmDigest()}
	for k, v := range realm {
		shown[k] = v
	}
	return shown, nil
}

func createRealm(r *request) (any, error) {
	name := r.p["realm"]
	switch kind := r.p["type"]; {
	case r.access.realms[name] != nil:
		return nil, die("add auth server failed: domain '%s' already exists", name)
	case kind == "pam" || kind == "pve":
		return nil, die("add auth server failed: unable to create builtin type '%s'", kind)
	}
	r.access.realms[name] = section{}
	r.setRealm(r.access.realms[name])
	return nil, nil
}

func (r *request) setRealm(realm section) {
	for k, v := range r.p {
		if k != "realm" && k != "delete" && k != "digest" {
			realm[k] = v
		}
	}
	for _, key := range splitList(r.p["delete"]) {
		delete(realm, key)
	}
}

func updateRealm(r *request) (any, error) {
	realm, err := r.realm()
	if err != nil {
		return nil, err
	}
	if d := r.p["digest"]; d != "" && d != r.access.realmDigest() {
		return nil, die("update auth server failed: detected modified configuration - file changed by other user? Try again.")
	}
	r.setRealm(realm)
	return nil, nil
}

func deleteRealm(r *request) (any, error) {
	if _, err := r.realm(); err != nil {
		return nil, err
	}
	name := r.p["realm"]
	if name == "pam" || name == "pve" {
		return nil, die("delete auth server failed: can't delete builtin domain '%s'", name)
	}
	delete(r.access.realms, name)
	return nil, nil
}
