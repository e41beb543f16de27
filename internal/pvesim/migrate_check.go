package pvesim

import (
	"maps"
	"slices"
	"strings"
)

func init() {
	handle("GET /nodes/{node}/qemu/{vmid}/migrate", migrateCheck)
}

// resources are what binds a VM to its node beside its disks.
type resources struct {
	local   []string // keys of devices of the node
	mapped  map[string]map[string]any
	missing map[string][]string // by node, keys of mapped devices that it has not
}

// resourcesOf looks for devices of the host in a configuration. A mapped device does not bind a VM that is stopped.
func (c *cluster) resourcesOf(s section, running bool) resources {
	res := resources{local: []string{}, mapped: map[string]map[string]any{}, missing: map[string][]string{}}
	if running {
		res.local = append(res.local, s.unsavable()...)
	}
	if s.set("ivshmem") {
		res.local = append(res.local, "ivshmem")
	}
	for _, key := range slices.SortedFunc(maps.Keys(s), compareKeys) {
		value, kind := s[key], ""
		switch {
		case hasNumber(key, "usb"):
			if strings.EqualFold(property(value, "host", "host"), "spice") {
				continue
			}
			kind = "usb"
		case hasNumber(key, "hostpci"):
			kind = "pci"
		case hasNumber(key, "virtiofs"):
			kind = "dir"
		case hasNumber(key, "serial") && value != "socket", hasNumber(key, "parallel"):
		default:
			continue
		}
		name := property(value, "mapping", "")
		if kind == "dir" {
			name = property(value, "dirid", "dirid")
		}
		if kind != "" && name != "" {
			res.mapped[key] = map[string]any{"name": name}
			for _, n := range c.members() {
				if !mapsTo(c.mapping(kind, name), n.name) {
					res.missing[n.name] = append(res.missing[n.name], key)
				}
			}
			if kind == "pci" && !running {
				continue
			}
		}
		res.local = append(res.local, key)
	}
	return res
}

// blocking are the devices that keep the VM where it is.
func (res resources) blocking() []string {
	return slices.DeleteFunc(slices.Clone(res.local), func(key string) bool { return res.mapped[key] != nil })
}

// migrateCheck tells where a VM could go, and what is in the way.
func migrateCheck(r *request) (any, error) {
	m, err := r.vm()
	if err != nil {
		return nil, err
	}
	if err := m.checkLock(); err != nil {
		return nil, err
	}
	res := r.resourcesOf(m.config, m.running)
	local := slices.Clone(res.local)
	if m.running && property(m.config["vga"], "clipboard", "") == "vnc" {
		local = append(local, "clipboard=vnc")
	}
	with, against := r.haMotion(m.sid())
	allowed, not := []string{}, map[string]any{}
	for _, n := range r.members() {
		if n == m.node {
			continue
		}
		why := map[string]any{}
		if list := r.unavailable(m.config, n.name); len(list) > 0 {
			why["unavailable_storages"] = list
		}
		if list := res.missing[n.name]; len(list) > 0 {
			why["unavailable-resources"] = list
		}
		if list := against[n.name]; r.opts.Version >= 9 && r.haManaged(m) && len(list) > 0 {
			why["blocking-ha-resources"] = list
		}
		not[n.name] = why // there even where nothing is in the way
		if len(why) == 0 {
			allowed = append(allowed, n.name)
		}
	}
	answer := map[string]any{
		"running": 0, "allowed_nodes": allowed, "not_allowed_nodes": not, "local_disks": r.localDisks(m), "local_resources": local,
		"mapped-resources": append([]string{}, slices.Sorted(maps.Keys(res.mapped))...), "mapped-resource-info": res.mapped,
	}
	if m.running {
		answer["running"] = 1
	}
	if r.opts.Version >= 9 {
		answer["has-dbus-vmstate"] = 1
		if r.haManaged(m) {
			answer["dependent-ha-resources"] = append([]string{}, with...)
		}
	}
	return answer, nil
}

// unavailable are the storages of a configuration that a node does not have.
func (c *cluster) unavailable(s section, node string) []string {
	var list []string
	for _, key := range s.drives() {
		st := c.storage(parseDrive(s[key]).storage())
		if st != nil && (st.disabled() || !st.on(node)) && !slices.Contains(list, st.id) {
			list = append(list, st.id)
		}
	}
	slices.Sort(list)
	return list
}

// volumeUse says how a VM uses a volume.
type volumeUse struct {
	volid, drive                                 string
	size                                         int64
	cdrom, replicate, shared                     bool
	attached, unused, vmstate, tpmstate, pending bool
	snaps                                        map[string]int
}

// uses are the volumes of a VM, in use now, waiting, unused or in snapshots, by volume id.
func (m *machine) uses() map[string]*volumeUse {
	all := map[string]*volumeUse{}
	add := func(s section, snap string, pending bool) {
		keys := append(s.drives(), s.unused()...)
		if s.set("vmstate") {
			keys = append(keys, "vmstate")
		}
		for _, key := range keys {
			d := parseDrive(s[key])
			if d.file == "" {
				continue
			}
			u := all[d.file]
			if u == nil {
				u = &volumeUse{volid: d.file, cdrom: true, snaps: map[string]int{}}
				all[d.file] = u
			}
			u.cdrom = u.cdrom && d.cdrom()
			u.replicate = u.replicate || d.options["replicate"] != "0"
			u.shared = u.shared || d.options["shared"] == "1"
			u.unused = u.unused || isUnused(key)
			u.attached = u.attached || !isUnused(key) && snap == "" && !pending
			u.pending = u.pending || pending
			u.vmstate = u.vmstate || key == "vmstate"
			u.tpmstate = u.tpmstate || key == "tpmstate0"
			if snap != "" {
				u.snaps[snap] = 1
			}
			if u.size == 0 {
				u.size = d.size()
			}
			if isDrive(key) {
				u.drive = key
			}
		}
	}
	add(m.config, "", false)
	add(m.pending, "", true)
	for name, s := range m.snapshots {
		add(s.config, name, false)
	}
	return all
}

// localDisks are the volumes of a VM that only its node has.
func (c *cluster) localDisks(m *machine) []map[string]any {
	list := []map[string]any{}
	uses := m.uses()
	for _, volid := range slices.Sorted(maps.Keys(uses)) {
		u := uses[volid]
		if st := c.storage(parseDrive(volid).storage()); st != nil && st.shared() || u.shared || u.cdrom && volid == "none" {
			continue
		}
		shown := map[string]any{"volid": volid}
		for name, flag := range map[string]bool{
			"cdrom": u.cdrom, "replicate": u.replicate, "shared": u.shared, "is_unused": u.unused, "is_attached": u.attached,
			"is_vmstate": u.vmstate, "is_tpmstate": u.tpmstate,
		} {
			if shown[name] = 0; flag {
				shown[name] = 1
			}
		}
		if u.size > 0 {
			shown["size"] = u.size
		}
		if u.drive != "" {
			shown["drivename"] = u.drive
		}
		if u.pending {
			shown["referenced_in_pending"] = 1
		}
		if len(u.snaps) > 0 {
			shown["referenced_in_snapshot"] = u.snaps
		}
		list = append(list, shown)
	}
	return list
}

// storageMap says where the volumes of a VM go that migrates: "1" is the same storage there, "b" is b for all,
// "a:b" is b for what is on a.
type storageMap struct {
	same      bool
	otherwise string
	by        map[string]string
}

func parseStorageMap(text string) (storageMap, error) {
	m := storageMap{by: map[string]string{}}
	for _, entry := range splitList(text) {
		from, to, pair := strings.Cut(entry, ":")
		switch {
		case entry == "1":
			m.same = true
		case pair:
			if m.by[from] != "" {
				return m, wrongParam("targetstorage", "failed to parse storage map: duplicate mapping for '%s'\n", from)
			}
			m.by[from] = to
		case m.otherwise != "":
			return m, wrongParam("targetstorage", "failed to parse storage map: default target ID can only be provided once\n")
		default:
			m.otherwise = entry
		}
	}
	return m, nil
}

// to is the storage that volumes of a storage go to.
func (m storageMap) to(st *storage) string {
	switch {
	case st.shared() || m.same:
		return st.id
	case m.by[st.id] != "":
		return m.by[st.id]
	case m.otherwise != "":
		return m.otherwise
	}
	return st.id
}
