package pvesim

import (
	"crypto/rand"
	"encoding/base64"
	"strconv"
)

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
