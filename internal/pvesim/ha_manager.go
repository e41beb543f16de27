package pvesim

import (
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
