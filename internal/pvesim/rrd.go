package pvesim

import (
	"strconv"
	"time"
)

func init() {
	handle("GET /nodes/{node}/qemu/{vmid}/rrddata", machineHistory)
	handle("GET /nodes/{node}/lxc/{vmid}/rrddata", machineHistory)
	handle("GET /nodes/{node}/storage/{storage}/rrddata", storageHistory)
	handle("GET /nodes/{node}/rrddata", nodeHistory)
}

// resolution is how far apart the points of a time frame are, and how many there are.
func (r *request) resolution() (step time.Duration, count int) {
	step, count = time.Minute, 70
	if r.opts.Version >= 9 {
		count = 60
	}
	switch r.p["timeframe"] {
	case "day":
		step = 30 * time.Minute
	case "week":
		step = 3 * time.Hour
	case "month":
		step = 12 * time.Hour
	case "year":
		step = 7 * 24 * time.Hour
	}
	return step, count
}

// history is a series of points; values says what there was at a time, nil where nothing was measured.
func (r *request) history(values func(at time.Time) map[string]any) []map[string]any {
	step, count := r.resolution()
	last := time.Now().Truncate(step)
	list := make([]map[string]any, 0, count)
	for i := range count {
		at := last.Add(-time.Duration(count-1-i) * step)
		point := values(at)
		if point == nil {
			point = map[string]any{}
		}
		point["time"] = at.Unix()
		list = append(list, point)
	}
	return list
}

// machineHistory has values only of the time since the last start. What does not exist has a history without values.
func machineHistory(r *request) (any, error) {
	m := r.machines[r.p.num("vmid", 0)]
	return r.history(func(at time.Time) map[string]any {
		if m == nil || !m.running || at.Before(m.started) {
			return nil
		}
		memory := int64(m.amount("memory", 512)) << 20
		processors, _ := guestProcessors(m).([]any)
		return map[string]any{
			"cpu": 0.01, "maxcpu": len(processors), "mem": memory / 2, "maxmem": memory, "disk": 0, "maxdisk": r.rootSize(m),
			"netin": 100, "netout": 50, "diskread": 0, "diskwrite": 512,
		}
	}), nil
}

// rootSize is the size of a machine's first disk, in bytes.
func (c *cluster) rootSize(m *machine) int64 {
	for _, d := range guestDrives(m) {
		if v := c.volume(m.node.name, d.volid); v != nil && !d.cdrom {
			return v.size
		}
	}
	return 0
}

func nodeHistory(r *request) (any, error) {
	n := r.node(r.p["node"])
	return r.history(func(at time.Time) map[string]any {
		if n == nil || at.Before(n.booted) {
			return nil
		}
		return map[string]any{
			"cpu": 0.02, "maxcpu": n.cpus, "loadavg": 0.1, "iowait": 0, "memtotal": n.memory, "memused": n.memory / 4,
			"swaptotal": 0, "swapused": 0, "roottotal": 100 * gib, "rootused": 10 * gib, "netin": 1000, "netout": 500,
		}
	}), nil
}

func storageHistory(r *request) (any, error) {
	id := r.p["storage"]
	for _, st := range r.storages {
		if st.id == id {
			return r.history(func(time.Time) map[string]any { return map[string]any{"total": st.capacity, "used": st.capacity / 10} }), nil
		}
	}
	return nil, die("storage '%s' does not exist", id)
}

// number is a value as a number where it is one, else as it is.
func number(s string) any {
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		return n
	}
	return s
}
