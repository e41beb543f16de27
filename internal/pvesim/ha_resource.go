package pvesim

import (
	"maps"
	"regexp"
	"slices"
)

func init() {
	handle("GET /cluster/ha/resources", haResources)
	handle("POST /cluster/ha/resources", haCreateResource)
	handle("GET /cluster/ha/resources/{sid}", haResource)
	handle("PUT /cluster/ha/resources/{sid}", haUpdateResource)
	handle("DELETE /cluster/ha/resources/{sid}", haDeleteResource)
	handle("POST /cluster/ha/resources/{sid}/migrate", haMoveResource("migrate"))
	handle("POST /cluster/ha/resources/{sid}/relocate", haMoveResource("relocate"))
}

var validVMID = regexp.MustCompile(`^[1-9][0-9]+$`)

// haResourceKeys are what an entry of the resources may have.
func (r *request) haResourceKeys() []string {
	keys := []string{"state", "group", "comment", "max_restart", "max_relocate"}
	if r.opts.Version >= 9 {
		keys = append(keys, "failback")
	}
	return keys
}

func (r *request) showResource(sid string) map[string]any {
	_, kind, _, _ := r.parseSid(sid)
	return haShow(r.ha.resources[sid], map[string]any{"sid": sid, "type": kind, "digest": haDigest(r.ha.resources)})
}

func haResources(r *request) (any, error) {
	list := []map[string]any{}
	for _, sid := range slices.Sorted(maps.Keys(r.ha.resources)) {
		shown := r.showResource(sid)
		if kind := r.p["type"]; kind != "" && kind != shown["type"] {
			continue
		}
		if group := r.ha.resources[sid]["group"]; group != "" && r.ha.groups[group] == nil {
			shown["errors"] = map[string]any{"group": "group '" + group + "' does not exist"}
		}
		list = append(list, shown)
	}
	return list, nil
}

func haResource(r *request) (any, error) {
	sid, _, _, err := r.parseSid(r.p["sid"])
	if err != nil {
		return nil, err
	}
	if r.ha.resources[sid] == nil {
		return nil, die("no such resource '%s'", sid)
	}
	return r.showResource(sid), nil
}

func haCreateResource(r *request) (any, error) {
	sid, kind, name, err := r.parseSid(r.p["sid"])
	if err != nil {
		return nil, err
	}
	if given := r.p["type"]; given != "" && given != kind {
		return nil, die("types does not match")
	}
	if r.opts.Version >= 9 && r.p.has("group") {
		return nil, die("invalid parameter 'group': ha groups have been migrated to rules")
	}
	switch {
	case kind != "vm" && kind != "ct":
		return nil, die("unknown section type '%s'", kind)
	case !validVMID.MatchString(name):
		return nil, die("invalid VMID")
	case r.machines[params{"id": name}.num("id", 0)] == nil:
		return nil, die("resource '%s' does not exist in cluster", sid)
	case r.ha.resources[sid] != nil:
		return nil, die("create resource failed: resource ID '%s' already defined", sid)
	}
	s := section{}
	if err := haUpdate(s, r.p, r.haResourceKeys(), nil); err != nil {
		return nil, err
	}
	r.ha.resources[sid] = s
	r.haWake()
	return nil, nil
}

// haInError refuses what a service in error may not have before it was disabled.
func (r *request) haInError(sid string) error {
	s := r.ha.services[sid]
	if r.ha.resources[sid] == nil || s == nil || s.state != "error" || r.p["state"] == "disabled" {
		return nil
	}
	return die("service '%s' in error state, must be disabled and fixed first", sid)
}

func haUpdateResource(r *request) (any, error) {
	sid, _, _, err := r.parseSid(r.p["sid"])
	if err != nil {
		return nil, err
	}
	if group := r.p["group"]; group != "" {
		if r.opts.Version >= 9 {
			return nil, die("invalid parameter 'group': ha groups have been migrated to rules")
		}
		if r.ha.groups[group] == nil {
			return nil, die("HA group '%s' does not exist", group)
		}
	}
	if err := r.haInError(sid); err != nil {
		return nil, err
	}
	return nil, r.changeResource(sid, r.p)
}

// changeResource changes an entry of the resources.
func (r *request) changeResource(sid string, p params) error {
	change := func() error {
		if err := haModified(p, haDigest(r.ha.resources)); err != nil {
			return err
		}
		if r.ha.resources[sid] == nil {
			return die("no such resource '%s'", sid)
		}
		s := maps.Clone(r.ha.resources[sid])
		if err := haUpdate(s, p, r.haResourceKeys(), nil); err != nil {
			return err
		}
		r.ha.resources[sid] = s
		r.haWake()
		return nil
	}
	return prefixed("update resources config failed", change())
}

func haDeleteResource(r *request) (any, error) {
	sid, _, _, err := r.parseSid(r.p["sid"])
	if err != nil {
		return nil, err
	}
	if r.ha.resources[sid] == nil {
		return nil, die("cannot delete service '%s', not HA managed!", sid)
	}
	r.haForget(sid, r.opts.Version >= 9 && r.p["purge"] != "0")
	return nil, nil
}

func haMoveResource(how string) handler {
	return func(r *request) (any, error) {
		sid, _, _, err := r.parseSid(r.p["sid"])
		if err != nil {
			return nil, err
		}
		if res := r.ha.resources[sid]; res == nil || res["state"] == "ignored" {
			return nil, die("resource '%s' is not HA managed", sid)
		}
		if err := r.haInError(sid); err != nil {
			return nil, err
		}
		r.haCommand(how, sid, r.p["node"])
		if r.opts.Version < 9 {
			return nil, nil
		}
		answer := map[string]any{"sid": sid, "requested-node": r.p["node"]}
		with, against := r.haMotion(sid)
		if len(with) > 0 {
			answer["comigrated-resources"] = with
		}
		if blocking := against[r.p["node"]]; len(blocking) > 0 {
			answer["blocking-resources"] = blocking
		}
		return answer, nil
	}
}
