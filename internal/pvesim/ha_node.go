package pvesim

import (
	"context"
	"strconv"
)

// haPowerOff is what the watchdog of a node does that lost touch with the others while it had services.
func (c *cluster) haPowerOff(n *node) {
	for _, m := range c.machines {
		if m.node == n && m.running {
			m.reboots = false
			c.ends(m)
		}
	}
}

// haWork lets the node of a service do what its state asks for. It tells whether the service is on its way.
func (c *cluster) haWork(sid string, s *service) (busy bool) {
	if !c.haOnline(s.node) || s.busy {
		return s.busy || s.state == "fence" || s.state == "recovery"
	}
	m := c.haMachine(sid)
	if m == nil {
		return false
	}
	if s.state != "stopped" {
		c.ha.nodes[s.node].active = true
	}
	status := func(name string) string { return "POST /nodes/{node}/" + m.kind() + "/{vmid}/status/" + name }
	p := params{"node": s.node, "vmid": strconv.Itoa(m.id)}
	switch s.state {
	case "started":
		if m.node.name != s.node {
			s.node = m.node.name // it was moved before it was a service
			return true
		}
		if m.running {
			done := s.running
			s.tries = 0
			s.result = &haResult{s.uid, s.state, haSuccess}
			return !done
		}
		s.running = false
		c.haTask(sid, s, status("start"), p, func() bool { return m.running })
	case "request_stop", "stopped":
		if !m.running {
			done := s.result != nil || s.state == "stopped"
			s.result = &haResult{s.uid, s.state, haSuccess}
			return !done
		}
		if s.timeout == "0" {
			c.haTask(sid, s, status("stop"), p, func() bool { return !m.running })
			break
		}
		p["timeout"], p["forceStop"] = "60", "1"
		if s.timeout != "" {
			p["timeout"] = s.timeout
		}
		c.haTask(sid, s, status("shutdown"), p, func() bool { return !m.running })
	case "migrate", "relocate":
		target := s.target
		p["target"], p["force"], p["with-local-disks"], p["online"] = target, "1", "1", "0"
		if s.state == "migrate" {
			p["online"] = "1"
		}
		route := "POST /nodes/{node}/" + m.kind() + "/{vmid}/migrate"
		moved := func() bool { return m.node.name == target }
		if s.state == "relocate" && m.running {
			stop := params{"node": s.node, "vmid": p["vmid"], "timeout": "60", "forceStop": "1"}
			c.haTask(sid, s, status("shutdown"), stop, moved, route, p)
			break
		}
		c.haTask(sid, s, route, p, moved)
	default:
		return false
	}
	return true
}

// haTask asks what the API has for a piece of work, and after it for what else is given as route and
// parameters, and notes how it ended: well where good says so.
func (c *cluster) haTask(sid string, s *service, route string, p params, good func() bool, then ...any) {
	s.busy = true
	uid, state := s.uid, s.state
	c.work.Go(func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.haAsk(route, p)
		if len(then) == 2 {
			c.haAsk(then[0].(string), then[1].(params))
		}
		s.busy = false
		code := haSuccess
		if !good() {
			code = haFailed
		}
		if code == haFailed && state == "started" {
			most := 1
			if res := c.ha.resources[sid]; res != nil {
				most, _ = strconv.Atoi(res.or("max_restart", "1"))
			}
			if s.tries++; s.tries <= most {
				code = haTryAgain
			} else {
				s.tries = 0
			}
		}
		if s.uid == uid && code != haTryAgain {
			s.result = &haResult{uid, state, code}
		}
		c.haWake()
	})
}

// haAsk makes a request as the manager and waits for its task. It is called with mu held and lets go of it.
func (c *cluster) haAsk(route string, p params) {
	h := handlers[route]
	if h == nil {
		return
	}
	r := &request{cluster: c, ctx: c.ctx, p: p, user: haDaemon}
	upid, err := h(r)
	if err != nil {
		return
	}
	if id, is := upid.(string); is {
		c.unlocked(func() { c.await(c.ctx, id) })
	}
}

// await waits, without mu, for a task to end.
func (c *cluster) await(ctx context.Context, upid string) {
	c.mu.Lock()
	t := c.tasks.byUPID[upid]
	c.mu.Unlock()
	if t == nil {
		return
	}
	select {
	case <-t.done:
	case <-ctx.Done():
	}
}
