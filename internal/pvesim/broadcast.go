package pvesim

import (
	"maps"
	"strconv"
	"time"
)

// broadcast is what a node last told the cluster of something that it runs or has: lists of resources show that, not
// what is. pvestatd tells it every 10 s.
type broadcast struct {
	at  time.Time
	row map[string]any
}

// forgotten is the age at which the cluster forgets what a node told.
const forgotten = 5 * time.Minute

// Broadcast lets all nodes that are online tell what they run, as they do every [Options.StatsLag].
func (s *Server) Broadcast() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tell()
}

// broadcastAll lets the nodes tell until the cluster ends.
func (c *cluster) broadcastAll() {
	ticker := time.NewTicker(c.opts.StatsLag)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			c.mu.Lock()
			c.tell()
			c.mu.Unlock()
		case <-c.ctx.Done():
			return
		}
	}
}

// tell is called with mu held. What was told of a VM outlives it: one that takes its id has its name until the next time.
func (c *cluster) tell() {
	now := time.Now()
	maps.DeleteFunc(c.told, func(_ string, b broadcast) bool { return now.Sub(b.at) > forgotten })
	for _, n := range c.members() {
		if !n.online {
			continue
		}
		c.told["node/"+n.name] = broadcast{now, c.nodeStats(n)}
		for _, st := range c.storages {
			if st.on(n.name) && !st.disabled() {
				c.told[storageID(st, n)] = broadcast{now, c.storageStats(st, n)}
			}
		}
	}
	for _, m := range c.machines {
		if m.node.online {
			c.told[m.resource()] = broadcast{now, c.guestStats(m)}
		}
	}
}

// heard is what the cluster knows of a resource of a node: what was told last, nil where nothing was. Where nothing
// lags it is what a node that is online would tell now.
func (c *cluster) heard(id string, n *node, now func() map[string]any) map[string]any {
	if c.opts.StatsLag <= 0 {
		if !n.online {
			return nil
		}
		return now()
	}
	if b, ok := c.told[id]; ok && time.Since(b.at) <= forgotten {
		return b.row
	}
	return nil
}

func (m *machine) resource() string { return m.kind() + "/" + strconv.Itoa(m.id) }

func storageID(st *storage, n *node) string { return "storage/" + n.name + "/" + st.id }

// guestStats are the name, the state and the figures of a guest. The state of a VM is QEMU's own word.
func (c *cluster) guestStats(m *machine) map[string]any {
	var status map[string]any
	if m.lxc {
		status = c.containerState(m)
	} else {
		status = c.vmStatus(m, true)
		status["status"] = status["qmpstatus"]
	}
	row := map[string]any{"template": bit(m.template), "diskread": 0, "diskwrite": 0, "maxcpu": status["cpus"]}
	for _, key := range []string{"status", "name", "cpu", "mem", "maxmem", "maxdisk", "disk", "uptime", "netin", "netout", "memhost"} {
		if value, has := status[key]; has {
			row[key] = value
		}
	}
	return row
}

// nodeStats are what a node uses and has.
func (c *cluster) nodeStats(n *node) map[string]any {
	used := int64(2 * gib)
	cpu := 0.01
	for _, m := range c.machines {
		if m.node == n && m.running {
			used += int64(m.amount("memory", 512)) << 19
			cpu += 0.01
		}
	}
	return map[string]any{
		"uptime": c.uptime(n), "cpu": min(cpu, 1), "maxcpu": n.cpus, "mem": min(used, n.memory), "maxmem": n.memory,
		"disk": int64(8 * gib), "maxdisk": int64(96 * gib),
	}
}

func (c *cluster) storageStats(st *storage, n *node) map[string]any {
	status := c.status(st, n.name)
	return map[string]any{"status": "available", "maxdisk": status["total"], "disk": status["used"]}
}
