package pvesim

import (
	"strconv"
	"strings"
	"time"

	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/pvesim/apischema"
)

func init() {
	const base = "/nodes/{node}/lxc"
	const one = base + "/{vmid}"
	handle("GET "+base, listContainers)
	handle("POST "+base, makeContainer)
	handle("GET "+one, index("subdir", "config", "pending", "status", "vncproxy", "termproxy", "vncwebsocket", "spiceproxy", "migrate", "clone",
		"initlog", "rrd", "rrddata", "firewall", "snapshot", "resize", "interfaces"))
	handle("DELETE "+one, removeContainer)
	handle("GET "+one+"/config", containerConfig)
	handle("PUT "+one+"/config", changeContainer)
	handle("GET "+one+"/pending", containerPending)
	handle("GET "+one+"/interfaces", containerInterfaces)
	handle("GET "+one+"/status", index("subdir", "current", "start", "stop", "shutdown", "suspend", "resume", "reboot"))
	handle("GET "+one+"/status/current", containerStatus)
	for name, running := range map[string]bool{"start": true, "stop": false, "shutdown": false, "reboot": true} {
		handle("POST "+one+"/status/"+name, func(r *request) (any, error) { return r.containerPower(name, running) })
	}
}

// container is the container that the path names at its node, or the error that Proxmox VE has for one that is not there.
func (r *request) container() (*machine, error) {
	id := r.p.num("vmid", 0)
	m := r.machines[id]
	if m == nil || !m.lxc || m.node.name != r.p["node"] {
		return nil, die("Configuration file 'nodes/%s/lxc/%d.conf' does not exist", r.p["node"], id)
	}
	return m, nil
}

func (c *cluster) containerState(m *machine) map[string]any {
	status, uptime := "stopped", 0
	if m.running {
		status, uptime = "running", int(time.Since(m.started).Seconds())
	}
	memory := int64(m.amount("memory", 512)) << 20
	answer := map[string]any{
		"vmid": m.id, "type": "lxc", "name": m.config["hostname"], "status": status, "uptime": uptime, "cpus": m.amount("cores", 1),
		"maxmem": memory, "maxswap": int64(m.amount("swap", 512)) << 20, "maxdisk": c.rootFS(m),
		"cpu": 0, "mem": 0, "swap": 0, "disk": 0, "netin": 0, "netout": 0, "diskread": 0, "diskwrite": 0,
	}
	if m.running {
		answer["mem"], answer["pid"] = memory/4, m.pid
	}
	for _, key := range []string{"tags", "lock"} {
		if v := m.config[key]; v != "" {
			answer[key] = v
		}
	}
	return answer
}

// rootFS is the size of a container's root, in bytes.
func (c *cluster) rootFS(m *machine) int64 {
	volid, _, _ := strings.Cut(m.config["rootfs"], ",")
	if v := c.volume(m.node.name, volid); v != nil {
		return v.size
	}
	return 0
}

func listContainers(r *request) (any, error) {
	list := []map[string]any{}
	for _, m := range r.machines {
		if m.lxc && m.node.name == r.p["node"] && r.may("/vms/"+strconv.Itoa(m.id), "VM.Audit") {
			list = append(list, r.containerState(m))
		}
	}
	return list, nil
}

func containerStatus(r *request) (any, error) {
	m, err := r.container()
	if err != nil {
		return nil, err
	}
	answer := r.containerState(m)
	answer["ha"] = map[string]any{"managed": 0}
	return answer, nil
}

// containerKeys are the parameters of a new container that are no part of its configuration.
var containerKeys = []string{
	"node", "vmid", "ostemplate", "storage", "password", "ssh-public-keys", "pool", "start", "force", "restore", "unique", "rootfs",
	"ignore-unpack-errors", "bwlimit", "current", "ha-managed",
}

// containerTime is how long it takes to make a container, which can be seen locked meanwhile.
const containerTime = 50 * time.Millisecond

// makeContainer makes a container of a template. Until its task ends it is locked.
func makeContainer(r *request) (any, error) {
	id := r.p.num("vmid", 0)
	if m := r.machines[id]; m != nil {
		kind := "VM"
		if m.lxc {
			kind = "CT"
		}
		return nil, die("%s %d already exists on node '%s'", kind, id, m.node.name)
	}
	pool := r.p["pool"]
	if pool != "" && r.pools[pool] == nil {
		return nil, raise(403, "Permission check failed (pool '%s' does not exist)", pool)
	}
	m := newMachine(id, r.node(r.p["node"]))
	m.lxc = true
	m.config["lock"] = "create"
	r.machines[id] = m
	p := r.p
	return r.fork(m.node.name, "vzcreate", p["vmid"], func(w *worker) error {
		if err := w.pause(containerTime); err != nil {
			return err
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		err := w.buildContainer(m, p)
		if err != nil {
			delete(w.machines, id)
			return die("unable to create CT %d - %s", id, text(err))
		}
		if pool != "" && w.pools[pool] != nil {
			w.pools[pool].members[id] = true
		}
		if p.flag("start") {
			w.startContainer(m)
		}
		return nil
	}), nil
}

// buildContainer gives a container its root and its configuration. It holds mu.
func (w *worker) buildContainer(m *machine, p params) error {
	if w.volume(m.node.name, p["ostemplate"]) == nil {
		return die("volume '%s' does not exist", p["ostemplate"])
	}
	id, size := p["storage"], int64(4*gib)
	if id == "" {
		id = "local"
	}
	root := p["rootfs"]
	root = strings.TrimPrefix(root, "volume=")
	if where, number, ok := strings.Cut(root, ":"); ok {
		number, _, _ = strings.Cut(number, ",")
		id = where
		if n, err := strconv.ParseFloat(number, 64); err == nil {
			size = int64(n * gib)
		}
	}
	st, err := w.usable(m.node.name, id)
	if err != nil {
		return err
	}
	if !st.holds("rootdir") {
		return die("storage '%s' does not support container directories", id)
	}
	v, err := w.allocate(st, m.node.name, m.id, "raw", size)
	if err != nil {
		return err
	}
	w.say("%s", v.made())
	w.say("extracting archive '%s'", p["ostemplate"])
	m.config.change(p, containerKeys...)
	delete(m.config, "lock")
	for key, value := range map[string]string{"arch": "amd64", "ostype": "debian", "hostname": "CT" + strconv.Itoa(m.id), "memory": "512", "swap": "512"} {
		if _, given := m.config[key]; !given {
			m.config[key] = value
		}
	}
	for key, value := range m.config {
		if strings.HasPrefix(key, "net") && !strings.Contains(value, "hwaddr=") {
			m.config[key] = value + ",hwaddr=" + containerMAC(m.id, key)
		}
	}
	m.config["rootfs"] = v.volid + ",size=" + strconv.FormatInt(v.size/gib, 10) + "G"
	return nil
}

// containerMAC is the address of an interface that was given none.
func containerMAC(id int, key string) string {
	sum := digestOf(section{key: strconv.Itoa(id)})
	return strings.ToUpper("BC:24:11:" + sum[:2] + ":" + sum[2:4] + ":" + sum[4:6])
}

// typed is a value of a container's configuration as the API shows it.
func (c *cluster) typed(kind, key, value string) any {
	p := apischema.Load(c.opts.Version).ConfigKey(kind, key)
	if p != nil && (p.Type == "integer" || p.Type == "boolean") {
		return number(value)
	}
	return value
}

func containerConfig(r *request) (any, error) {
	m, err := r.container()
	if err != nil {
		return nil, err
	}
	answer := map[string]any{"digest": digestOf(m.config)}
	for k, v := range m.config {
		answer[k] = r.typed("lxc", k, v)
	}
	return answer, nil
}

func changeContainer(r *request) (any, error) {
	m, err := r.container()
	if err != nil {
		return nil, err
	}
	if d := r.p["digest"]; d != "" && d != digestOf(m.config) {
		return nil, die("checksum mismatch (file change by other user?)")
	}
	if lock := m.config["lock"]; lock != "" {
		return nil, die("CT is locked (%s)", lock)
	}
	m.config.change(r.p, "node", "vmid", "revert")
	return nil, nil
}

func containerPending(r *request) (any, error) {
	m, err := r.container()
	if err != nil {
		return nil, err
	}
	list := []map[string]any{{"key": "digest", "value": digestOf(m.config)}}
	for k, v := range m.config {
		list = append(list, map[string]any{"key": k, "value": r.typed("lxc", k, v)})
	}
	return list, nil
}

func removeContainer(r *request) (any, error) {
	m, err := r.container()
	if err != nil {
		return nil, err
	}
	switch {
	case m.config["protection"] == "1":
		return nil, die("can't remove CT %d - protection mode enabled", m.id)
	case m.running && !r.p.flag("force"):
		return nil, die("unable to destroy CT %d - container is running", m.id)
	}
	return r.fork(m.node.name, "vzdestroy", strconv.Itoa(m.id), func(w *worker) error {
		return w.locked(func() error {
			volid, _, _ := strings.Cut(m.config["rootfs"], ",")
			if v := w.volume(m.node.name, volid); v != nil {
				if err := w.free(v); err != nil {
					return err
				}
			}
			for _, p := range w.pools {
				delete(p.members, m.id)
			}
			delete(w.machines, m.id)
			return nil
		})
	}), nil
}

func (c *cluster) startContainer(m *machine) {
	m.running, m.started, m.pid = true, time.Now(), 0x2000+m.id
}

// containerPower starts or stops a container.
func (r *request) containerPower(name string, running bool) (any, error) {
	m, err := r.container()
	if err != nil {
		return nil, err
	}
	switch {
	case name == "start" && m.running:
		return nil, die("CT %d already running", m.id)
	case name != "start" && !m.running:
		return nil, die("CT %d not running", m.id)
	}
	return r.fork(m.node.name, "vz"+name, strconv.Itoa(m.id), func(w *worker) error {
		return w.locked(func() error {
			if lock := m.config["lock"]; lock != "" {
				return die("CT is locked (%s)", lock)
			}
			m.running = false
			if running {
				w.startContainer(m)
			}
			return nil
		})
	}), nil
}

// containerInterfaces are those of a container that runs, with the addresses that its configuration or DHCP gives.
func containerInterfaces(r *request) (any, error) {
	m, err := r.container()
	if err != nil {
		return nil, err
	}
	list := []map[string]any{{"name": "lo", "hwaddr": "00:00:00:00:00:00", "inet": "127.0.0.1/8", "inet6": "::1/128"}}
	if !m.running {
		return list, nil
	}
	for _, n := range linksOf(m) {
		one := map[string]any{"name": "eth" + strconv.Itoa(n.index), "hwaddr": n.mac}
		for part := range strings.SplitSeq(m.config["net"+strconv.Itoa(n.index)], ",") {
			if k, v, _ := strings.Cut(part, "="); k == "name" {
				one["name"] = v
			}
		}
		for _, p := range r.guestAddresses(n, ipConfig(m.config["net"+strconv.Itoa(n.index)])) {
			key := "inet6"
			if p.Addr().Is4() {
				key = "inet"
			}
			if one[key] == nil {
				one[key] = p.String()
			}
		}
		list = append(list, one)
	}
	return list, nil
}
