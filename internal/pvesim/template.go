package pvesim

import (
	"slices"
	"strconv"
)

func init() {
	handle("POST /nodes/{node}/qemu/{vmid}/template", vmTemplate)
	handle("GET /nodes/{node}/qemu/{vmid}/feature", vmFeature)
}

// vmTemplate makes a VM a template: nothing starts it any more, and its disks become bases of linked clones. With
// "disk", only that disk does.
func vmTemplate(r *request) (any, error) {
	m, err := r.vm()
	if err != nil {
		return nil, err
	}
	disk := r.p["disk"]
	if err := m.checkTemplate(disk); err != nil {
		return nil, err
	}
	node, id := m.node.name, m.id
	return r.fork(node, "qmtemplate", strconv.Itoa(id), func(w *worker) error {
		return w.inLock(node, id, func(m *machine) error {
			if err := m.checkTemplate(disk); err != nil {
				return err
			}
			m.template = true
			return w.makeBases(m, disk)
		})
	}), nil
}

func (m *machine) checkTemplate(disk string) error {
	if err := m.checkLock(); err != nil {
		return err
	}
	switch {
	case len(m.snapshots) > 0:
		return die("unable to create template, because VM contains snapshots")
	case m.template && disk == "":
		return die("you can't convert a template to a template")
	case m.running:
		return die("you can't convert a VM to template if VM is running")
	}
	return nil
}

// makeBases makes the disks of a template bases. It holds mu.
func (w *worker) makeBases(m *machine, disk string) error {
	keys, drives := m.config.disks()
	for _, key := range keys {
		d := drives[key]
		v := w.volume(m.node.name, d.file)
		if disk != "" && key != disk || v == nil || !v.can("template", "") {
			continue
		}
		before := v.file()
		if err := w.makeBase(v); err != nil {
			return err
		}
		if v.storage.kind == "lvmthin" {
			group := v.storage.options["vgname"]
			w.say("  Renamed \"%s\" to \"%s\" in volume group \"%s\"", before, v.file(), group)
			w.say("  Logical volume %s/%s changed.", group, v.file())
		}
		d.file = v.volid
		m.config[key] = d.String()
	}
	return nil
}

// vmFeature tells whether all disks of a VM, or of a snapshot of it, can do something, and on which nodes.
func vmFeature(r *request) (any, error) {
	m, err := r.vm()
	if err != nil {
		return nil, noConfig(r.p["node"], r.p.num("vmid", 0))
	}
	config, snap := m.config, r.p["snapname"]
	if snap != "" {
		s := m.snapshots[snap]
		if s == nil {
			return nil, noSnapshot(snap)
		}
		config = s.config
	}
	has := 0
	if r.hasFeature(m.node.name, config, r.p["feature"], snap) {
		has = 1
	}
	nodes := []string{}
	for _, n := range r.members() {
		if r.reachable(config, m.node.name, n.name) {
			nodes = append(nodes, n.name)
		}
	}
	return map[string]any{"hasFeature": has, "nodes": nodes}, nil
}

// reachable tells whether a node sees all volumes of a configuration whose VM is at another.
func (c *cluster) reachable(s section, home, node string) bool {
	return !slices.ContainsFunc(s.drives(), func(key string) bool {
		st := c.storage(parseDrive(s[key]).storage())
		switch {
		case st == nil:
			return false
		case st.disabled():
			return true
		case st.options["nodes"] != "":
			return !st.on(node)
		}
		return !st.shared() && node != home
	})
}
