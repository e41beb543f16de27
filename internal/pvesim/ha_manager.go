package pvesim

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// haDaemon is who the manager's nodes start, stop and migrate as.
var haDaemon = &login{name: "root@pam"}

// Exit codes of a node's work, Proxmox VE's own.
const (
	haSuccess  = 0
	haFailed   = 1
	haTryAgain = 8
)

// haFence is after how many rounds without a node the manager fences it: a minute of Proxmox VE's rounds of 10 s.
const haFence = 6

// haWake has the manager take a round soon. It is called with mu held, by whoever changed what the manager
// looks at: resources, groups, rules, nodes, machines that stopped.
func (c *cluster) haWake() {
	if c.ha.armed || c.opts.HARound < 0 || c.ctx.Err() != nil {
		return
	}
	c.ha.armed = true
	c.work.Go(func() {
		timer := time.NewTimer(c.opts.HARound)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-c.ctx.Done():
			return
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		c.ha.armed = false
		if c.haRound() {
			c.haWake()
		}
	})
}

// haCommand leaves a command to the manager: "migrate", "relocate" or "stop".
func (c *cluster) haCommand(words ...string) {
	c.ha.commands = append(c.ha.commands, strings.Join(words, " "))
	c.haWake()
}

// haMachine is the machine of a service.
func (c *cluster) haMachine(sid string) *machine {
	kind, name, _ := strings.Cut(sid, ":")
	id, _ := strconv.Atoi(name)
	if m := c.machines[id]; m != nil && m.lxc == (kind == "ct") {
		return m
	}
	return nil
}

// haRound is one round of the manager and of its parts on the nodes. It tells whether another is needed.
func (c *cluster) haRound() (again bool) {
	again = c.haSeeNodes()
	for _, sid := range slices.Sorted(maps.Keys(c.ha.resources)) {
		if m := c.haMachine(sid); c.ha.services[sid] == nil && m != nil && c.ha.resources[sid]["state"] != "ignored" {
			state := "request_stop"
			if c.ha.resources[sid].haRequest() == "started" {
				state = "request_start"
			}
			c.ha.services[sid] = &service{node: m.node.name}
			c.ha.services[sid].enter(state)
		}
	}
	for sid := range c.ha.services {
		if res := c.ha.resources[sid]; res == nil || res["state"] == "ignored" {
			delete(c.ha.services, sid)
		}
	}
	c.haTakeCommands()
	for sids, turn := slices.Sorted(maps.Keys(c.ha.services)), 0; turn < 10; turn++ {
		changed := false
		for _, sid := range sids {
			before := c.ha.services[sid].state
			c.haNext(sid, c.ha.services[sid])
			changed = changed || c.ha.services[sid].state != before
		}
		if !changed {
			break
		}
	}
	for sid, s := range c.ha.services {
		if c.haWork(sid, s) {
			again = true
		}
	}
	return again
}

// haSeeNodes notes which nodes are there. It tells whether one is missing that was not given up yet.
func (c *cluster) haSeeNodes() (missing bool) {
	c.ha.master, c.ha.beat = "", time.Now().Unix()
	for _, n := range c.members() {
		known := c.ha.nodes[n.name]
		if known == nil {
			known = &haNode{}
			c.ha.nodes[n.name] = known
		}
		if n.online {
			known.state, known.missing = "online", 0
			if c.ha.master == "" {
				c.ha.master = n.name
			}
			continue
		}
		known.missing++
		switch {
		case known.missing < haFence:
			known.state, missing = "unknown", true
		case known.state != "fence":
			if known.active {
				c.haPowerOff(n)
			}
			known.state, known.active, missing = "fence", false, true
		}
	}
	return missing
}

// haPowerOff is what the watchdog of a node does that lost touch with the others while it had services.
func (c *cluster) haPowerOff(n *node) {
	for _, m := range c.machines {
		if m.node == n && m.running {
			m.reboots = false
			c.stop(m)
		}
	}
}

func (c *cluster) haOnline(name string) bool {
	n := c.ha.nodes[name]
	return n != nil && n.state == "online"
}

// haTakeCommands hands the commands that wait to their services.
func (c *cluster) haTakeCommands() {
	for _, command := range c.ha.commands {
		words := strings.Fields(command)
		s := c.ha.services[words[1]]
		if s == nil || words[0] != "stop" && (!c.haOnline(words[2]) || words[2] == s.node) {
			continue // the manager writes that to its log, and nothing else comes of it
		}
		s.command = []string{words[0], words[2]}
		if words[0] == "stop" {
			continue
		}
		with, _ := c.haAffine(words[1])
		for _, other := range with {
			if o := c.ha.services[other]; o != nil && o.node != words[2] {
				o.command = s.command
			}
		}
	}
	c.ha.commands = nil
}

// enter changes the state of a service, for which its node then has new work.
func (s *service) enter(state string) {
	s.state, s.target, s.timeout, s.result, s.running = state, "", "", nil, false
	s.fresh()
}

// fresh has the node look at the service again.
func (s *service) fresh() {
	var id [16]byte
	rand.Read(id[:])
	s.uid, s.result = base64.RawStdEncoding.EncodeToString(id[:]), nil
}

// haNext is one step of a service.
func (c *cluster) haNext(sid string, s *service) {
	asked := c.ha.resources[sid].haRequest()
	away := c.ha.nodes[s.node] != nil && c.ha.nodes[s.node].state == "fence"
	switch s.state {
	case "request_start":
		s.enter("started")
	case "started":
		c.haStarted(sid, s, asked, away)
	case "request_stop":
		switch {
		case s.result != nil && s.result.code == haSuccess:
			s.enter("stopped")
		case s.result != nil:
			s.enter("error")
		case away:
			s.enter("fence")
		}
	case "stopped":
		c.haStopped(sid, s, asked, away)
	case "migrate", "relocate":
		c.haMoved(s, asked, away)
	case "fence":
		if c.ha.nodes[s.node].missing > haFence {
			s.enter("recovery")
		}
	case "recovery":
		c.haRecover(sid, s, asked)
	case "error":
		if asked == "disabled" {
			s.failed = nil
			s.enter("stopped")
		}
	}
}

func (c *cluster) haStopped(sid string, s *service, asked string, away bool) {
	if m := c.haMachine(sid); m != nil && m.node.name != s.node {
		s.node = m.node.name
	}
	command := s.command
	s.command = nil
	switch {
	case len(command) > 0 && command[0] != "stop":
		s.enter(command[0])
		s.target = command[1]
	case asked == "disabled":
	case away:
		s.enter("fence")
	case asked == "started":
		s.enter("request_start")
	}
}

func (c *cluster) haMoved(s *service, asked string, away bool) {
	after := "request_stop"
	if asked == "started" {
		after = "started"
	}
	switch {
	case s.result != nil:
		if s.result.code == haSuccess {
			s.node = s.target
		}
		s.enter(after)
	case away:
		s.enter("fence")
	}
}

func (c *cluster) haStarted(sid string, s *service, asked string, away bool) {
	if !c.haOnline(s.node) {
		if away {
			s.enter("fence")
		}
		return
	}
	if asked != "started" {
		s.enter("request_stop")
		return
	}
	command := s.command
	s.command = nil
	if len(command) > 0 {
		if command[0] == "stop" {
			s.enter("request_stop")
			s.timeout = command[1]
			c.ha.resources[sid]["state"] = "stopped"
			return
		}
		s.enter(command[0])
		s.target = command[1]
		return
	}
	next := false
	if s.result != nil {
		switch s.result.code {
		case haSuccess:
			s.failed, s.running = nil, true
		case haFailed:
			s.running = false
			s.failed = append(s.failed, s.node)
			most, _ := strconv.Atoi(c.ha.resources[sid].or("max_relocate", "1"))
			if len(s.failed) > most {
				s.enter("error")
				return
			}
			next = true
		}
	}
	node := c.haPlace(sid, s, next)
	switch {
	case node != "" && node != s.node:
		s.enter("migrate")
		s.target = node
	case s.result != nil && s.result.code != haSuccess:
		s.fresh()
	}
}

func (c *cluster) haRecover(sid string, s *service, asked string) {
	m, node := c.haMachine(sid), c.haPlace(sid, s, false)
	if m == nil || node == "" {
		if asked == "disabled" {
			s.failed = nil
			s.enter("stopped")
		}
		return
	}
	delete(m.config, "lock")
	m.node, s.node = c.node(node), node
	if asked == "started" {
		s.enter("started")
		return
	}
	s.enter("request_stop")
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
