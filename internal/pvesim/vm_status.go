package pvesim

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

func init() {
	handle("GET /nodes/{node}/qemu", listVMs)
	handle("GET /nodes/{node}/qemu/{vmid}/status/current", vmCurrent)
}

// listVMs lists the VMs of a node that the user may look at.
func listVMs(r *request) (any, error) {
	rows := []map[string]any{}
	for _, id := range slices.Sorted(maps.Keys(r.machines)) {
		m := r.machines[id]
		if m.lxc || m.node.name != r.p["node"] || r.need(r, vmPath(id), "VM.Audit") != nil {
			continue
		}
		rows = append(rows, r.vmStatus(m, r.p.flag("full")))
	}
	return rows, nil
}

func vmCurrent(r *request) (any, error) {
	m, err := r.vm()
	if err != nil {
		return nil, err
	}
	row := r.vmStatus(m, true)
	row["ha"] = r.haStatus(m)
	if vga := m.config["vga"]; vga != "" {
		row["clipboard"] = nil
		if clipboard := property(vga, "clipboard", ""); clipboard != "" {
			row["clipboard"] = clipboard
		}
		if kind := property(vga, "type", "type"); strings.HasPrefix(kind, "virtio") || strings.HasPrefix(kind, "qxl") {
			row["spice"] = 1
		}
	}
	if agentEnabled(m.config["agent"]) {
		row["agent"] = 1
	}
	return row, nil
}

// vmStatus is what the lists show of a VM. What only a question to its QEMU tells is in the full status.
func (c *cluster) vmStatus(m *machine, full bool) map[string]any {
	conf := m.config
	memory := int64(conf.memory()) << 20
	row := map[string]any{
		"vmid": m.id, "name": vmName(m), "status": "stopped", "cpus": c.vmCPUs(m), "maxmem": memory, "maxdisk": bootDiskSize(conf),
		"disk": 0, "mem": 0, "cpu": 0, "uptime": 0, "netin": 0, "netout": 0,
	}
	if m.template {
		row["template"] = 1
	}
	if lock := conf["lock"]; lock != "" {
		row["lock"] = lock
	}
	if tags, ok := conf["tags"]; ok {
		row["tags"] = shownValue("tags", tags)
	}
	if balloon := conf.num("balloon", 0); balloon > 0 {
		row["balloon_min"], row["shares"] = int64(balloon)<<20, conf.num("shares", 1000)
	}
	for i := range 4 {
		if conf.set("serial" + strconv.Itoa(i)) {
			row["serial"] = 1
		}
	}
	if full {
		row["qmpstatus"] = "stopped"
	}
	if c.opts.Version == 9 {
		row["memhost"] = 0
	}
	if m.running {
		c.runningStatus(m, row, full)
	}
	return row
}

func (c *cluster) runningStatus(m *machine, row map[string]any, full bool) {
	seconds := int64(time.Since(m.started).Seconds())
	memory := int64(m.config.memory()) << 20
	row["status"], row["pid"], row["uptime"] = "running", m.pid, seconds
	row["mem"], row["cpu"] = memory/4, 0
	if m.inGuest != nil {
		row["mem"], row["cpu"] = memory/2, 0.015625
	}
	if c.opts.Version == 9 {
		row["memhost"] = memory/2 + 64<<20
		for _, what := range []string{"cpusome", "cpufull", "iosome", "iofull", "memorysome", "memoryfull"} {
			row["pressure"+what] = 0
		}
	}
	nics := map[string]any{}
	var in, out int64
	for _, key := range m.config.nics() {
		one := map[string]any{"netin": seconds * 70, "netout": int64(0)}
		if m.inGuest != nil {
			one["netout"] = seconds * 52
			out += seconds * 52
		}
		in += seconds * 70
		nics["tap"+strconv.Itoa(m.id)+"i"+strings.TrimPrefix(key, "net")] = one
	}
	row["netin"], row["netout"] = in, out
	if !full {
		return
	}
	if len(nics) > 0 {
		row["nics"] = nics
	}
	row["qmpstatus"] = "running"
	if m.paused {
		row["qmpstatus"] = "paused"
	}
}

// vmName is the name that lists show.
func vmName(m *machine) string {
	if name := m.config["name"]; name != "" {
		return name
	}
	return "VM " + strconv.Itoa(m.id)
}

// vmCPUs is how many CPUs a VM has, as lists show it: not more than its node has.
func (c *cluster) vmCPUs(m *machine) int {
	if n := m.config.num("vcpus", 0); n > 0 {
		return n
	}
	return min(m.config.num("sockets", 1)*m.config.num("cores", 1), m.node.cpus)
}

// bootDiskSize is the size of the first disk of the boot order, in bytes.
func bootDiskSize(conf section) int64 {
	order := conf.bootOrder()
	if disk := conf["bootdisk"]; len(order) == 0 && disk != "" {
		order = []string{disk}
	}
	for _, key := range order {
		if !isDrive(key) || !conf.set(key) {
			continue
		}
		if d := parseDrive(conf[key]); !d.cdrom() {
			return d.size()
		}
	}
	return 0
}
