package pvesim

import (
	"net"
	"regexp"
	"strconv"
	"strings"
)

func init() {
	handle("POST /nodes/{node}/qemu/{vmid}/migrate", vmMigrate)
	handle("POST /nodes/{node}/qemu/{vmid}/remote_migrate", vmRemoteMigrate)
}

// vmMigrate moves a VM to another node, on the fly where it runs. One that is managed is moved by the manager.
func vmMigrate(r *request) (any, error) {
	target := r.p["target"]
	switch {
	case target == r.p["node"]:
		return nil, wrongParam("target", "target is local node.")
	case !r.member(target):
		return nil, die("no such cluster node '%s'", target)
	}
	for _, name := range []string{"force", "migration_type", "migration_network"} {
		if r.p.has(name) && r.p[name] != "0" && !r.user.root() {
			return nil, wrongParam(name, "Only root may use this option.")
		}
	}
	m, err := r.vm()
	if err != nil {
		return nil, err
	}
	if err := m.checkLock(); err != nil {
		return nil, err
	}
	j := &migration{node: m.node.name, target: target, vmid: m.id, online: m.running, withDisks: r.p.flag("with-local-disks"), force: r.p.flag("force")}
	if m.running && !r.p.flag("online") {
		return nil, die("can't migrate running VM without --online")
	}
	if err := j.checkStorages(r, m); err != nil {
		return nil, err
	}
	if r.haManaged(m) {
		return r.fork(j.node, "hamigrate", strconv.Itoa(m.id), func(w *worker) error {
			return w.locked(func() error {
				w.say("Requesting HA migration for VM %d to node %s", j.vmid, target)
				w.haCommand("migrate", m.sid(), target)
				return nil
			})
		}), nil
	}
	return r.forkNow(r.user, j.node, "qmigrate", strconv.Itoa(m.id), j.run), nil
}

// checkStorages refuses storages that the target does not have, or that the user may not fill.
func (j *migration) checkStorages(r *request, m *machine) (err error) {
	text, mapped := r.p["targetstorage"]
	if j.storages, err = parseStorageMap(text); err != nil {
		return err
	}
	if !mapped || j.storages.same {
		for _, key := range m.config.drives() {
			id := parseDrive(m.config[key]).storage()
			if id == "" {
				continue
			}
			if _, err := r.usable(j.node, id); err != nil {
				return err
			}
			if _, err := r.usable(j.target, id); err != nil {
				return err
			}
		}
	}
	if !mapped {
		return nil
	}
	if !j.storages.same {
		if err := r.need(r, "/vms/"+r.p["vmid"], "VM.Config.Disk"); err != nil {
			return err
		}
	}
	targets := []string{j.storages.otherwise}
	for _, id := range j.storages.by {
		targets = append(targets, id)
	}
	for _, id := range targets {
		if id == "" {
			continue
		}
		st, err := r.usable(j.target, id)
		if err != nil {
			return err
		}
		if err := r.need(r, "/storage/"+id, "Datastore.AllocateSpace"); err != nil {
			return err
		}
		if !st.holds("images") {
			return die("storage '%s' does not support vm images", id)
		}
	}
	return nil
}

var endpointHost = regexp.MustCompile(`(?:^|,)host=([^,]+)`)

// vmRemoteMigrate moves a VM to another cluster. There is none.
func vmRemoteMigrate(r *request) (any, error) {
	if _, err := r.vm(); err != nil {
		return nil, err
	}
	host, port := "", property(r.p["target-endpoint"], "port", "")
	if found := endpointHost.FindStringSubmatch(r.p["target-endpoint"]); found != nil {
		host = found[1]
	}
	if port == "" {
		port = "8006"
	}
	return nil, die("remote migration: failed to connect - Can't connect to %s (No route to host)", net.JoinHostPort(strings.Trim(host, "[]"), port))
}
