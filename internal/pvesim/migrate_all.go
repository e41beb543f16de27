package pvesim

import (
	"maps"
	"slices"
	"strconv"
	"strings"
)

func init() {
	handle("POST /nodes/{node}/migrateall", migrateAll)
}

// migrateAll migrates the VMs of a node, or those of them that "vms" lists, each with a task of its own.
func migrateAll(r *request) (any, error) {
	target, only := r.p["target"], splitList(r.p["vms"])
	if r.need(r, "/", "VM.Migrate") != nil {
		if len(only) == 0 {
			return nil, raise(403, "Permission check failed (/, VM.Migrate)")
		}
		for _, id := range only {
			if err := r.need(r, "/vms/"+id, "VM.Migrate"); err != nil {
				return nil, err
			}
		}
	}
	switch {
	case target == r.p["node"]:
		return nil, wrongParam("target", "target is local node.")
	case !r.member(target):
		return nil, die("no such cluster node '%s'", target)
	case r.p.num("maxworkers", 0) == 0 && r.p.num("max-workers", 0) == 0 && r.opts.Version < 9:
		return nil, die("either 'maxworkers' parameter or max_workers in datacenter.cfg must be set!")
	}
	return r.fork(r.p["node"], "migrateall", "", func(w *worker) error { return w.migrateEach(r, only) }), nil
}

func (w *worker) migrateEach(r *request, only []string) error {
	var upids []string
	matched := false
	_ = w.locked(func() error {
		for _, id := range slices.Sorted(maps.Keys(w.machines)) {
			m := w.machines[id]
			vmid := strconv.Itoa(id)
			if m.lxc || m.node.name != r.p["node"] || len(only) > 0 && !slices.Contains(only, vmid) {
				continue
			}
			matched = true
			if why := w.unfit(r, m); why != "" {
				w.say("Check VM %d: skip VM %d - precondition check failed:%s", id, id, why)
				continue
			}
			w.say("Check VM %d: precondition check passed", id)
			w.say("Migrating VM %d", id)
			one := *r
			one.p = params{"node": m.node.name, "vmid": vmid, "target": r.p["target"], "online": strconv.Itoa(bit(m.running))}
			if r.p.has("with-local-disks") {
				one.p["with-local-disks"] = r.p["with-local-disks"]
			}
			upid, err := vmMigrate(&one)
			if err != nil {
				w.say("%s", text(err))
				continue
			}
			upids = append(upids, upid.(string))
		}
		return nil
	})
	for _, upid := range upids {
		w.await(w.ctx, upid)
	}
	switch {
	case w.ctx.Err() != nil:
		return w.ctx.Err()
	case !matched:
		w.logf("no virtual guests matched, nothing to do..")
		return nil
	case len(upids) == 0:
		return die("no migrations worker started...")
	}
	w.logf("All jobs finished, used %d workers in total.", len(upids))
	return nil
}

// unfit says why a VM cannot be migrated with others, "" where it can. It holds mu.
func (w *worker) unfit(r *request, m *machine) string {
	var why strings.Builder
	if m.running && !r.p.flag("with-local-disks") {
		var volids []string
		for _, d := range w.localDisks(m) {
			volids = append(volids, d["volid"].(string))
		}
		if len(volids) > 0 {
			why.WriteString("\n  Has local disks: " + strings.Join(volids, ", "))
		}
	}
	res := w.resourcesOf(m.config, m.running)
	for _, c := range []struct {
		what string
		list []string
	}{
		{"local resources", res.local},
		{"unavailable storages", w.unavailable(m.config, r.p["target"])},
		{"unavailable resources", res.missing[r.p["target"]]},
	} {
		if len(c.list) > 0 {
			why.WriteString("\n  Has " + c.what + ": " + strings.Join(c.list, ", "))
		}
	}
	return why.String()
}
