package pvesim

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// haState is high availability: what is configured, and what its manager knows.
type haState struct {
	resources map[string]section // by service id, "vm:100"
	groups    map[string]section // Proxmox VE 8
	rules     map[string]section // Proxmox VE 9
	order     []string           // of the rules

	services map[string]*service
	nodes    map[string]*haNode
	commands []string // that wait for the manager's next round
	master   string   // "" before its first round
	beat     int64    // Unix time of the last round
	armed    bool     // a round is due
}

// service is what the manager knows of one resource.
type service struct {
	state   string // "request_start", "started", "request_stop", "stopped", "migrate", "relocate", "fence", "recovery", "error"
	node    string
	target  string // of a migration
	uid     string
	running bool   // the node reported that it runs
	timeout string // of a stop that was asked for, "" is the default
	command []string
	failed  []string // nodes where it did not start
	tries   int      // to start it on its node
	busy    bool     // its node works on it
	result  *haResult
}

// haResult is what a node made of a service: the exit code of its work, for the state with that uid.
type haResult struct {
	uid, state string
	code       int
}

// haNode is a node as the manager sees it.
type haNode struct {
	state   string // "online", "unknown", "fence"
	missing int    // rounds that it was away
	active  bool   // it had a service, and so holds its lock
}

func newHaState() *haState {
	return &haState{
		resources: map[string]section{}, groups: map[string]section{}, rules: map[string]section{},
		services: map[string]*service{}, nodes: map[string]*haNode{},
	}
}

// sid is the service id of a machine.
func (m *machine) sid() string {
	if m.lxc {
		return "ct:" + strconv.Itoa(m.id)
	}
	return "vm:" + strconv.Itoa(m.id)
}

// haConfigured tells whether a machine is among the resources, in whatever state.
func (c *cluster) haConfigured(m *machine) bool {
	_, there := c.ha.resources[m.sid()]
	return there
}

// haManaged tells whether the manager looks after a machine: a resource that is to be ignored is not managed.
func (c *cluster) haManaged(m *machine) bool {
	res, there := c.ha.resources[m.sid()]
	return there && res["state"] != "ignored"
}

// haManaged tells whether a request to start, stop or migrate a machine goes through the manager. What the
// manager itself asks for does not.
func (r *request) haManaged(m *machine) bool {
	return r.user != haDaemon && r.cluster.haManaged(m)
}

// haPurge takes a machine out of the resources, and out of the rules that name it, and tells whether it was there.
func (c *cluster) haPurge(m *machine) bool {
	if !c.haConfigured(m) {
		return false
	}
	c.haForget(m.sid(), true)
	return true
}

func (c *cluster) haForget(sid string, purge bool) {
	delete(c.ha.resources, sid)
	if purge {
		for id, rule := range c.ha.rules {
			left := slices.DeleteFunc(splitList(rule["resources"]), func(s string) bool { return s == sid })
			rule["resources"] = strings.Join(left, ",")
			if len(left) == 0 {
				c.haDropRule(id)
			}
		}
	}
	c.haWake()
}

func (c *cluster) haDropRule(id string) {
	delete(c.ha.rules, id)
	c.ha.order = slices.DeleteFunc(c.ha.order, func(s string) bool { return s == id })
}

// haStatus is the "ha" of a machine's status.
func (c *cluster) haStatus(m *machine) map[string]any {
	if !c.haManaged(m) {
		return map[string]any{"managed": 0}
	}
	status := map[string]any{"managed": 1, "state": nil, "group": nil}
	if group, set := c.ha.resources[m.sid()]["group"]; set {
		status["group"] = group
	}
	if s := c.ha.services[m.sid()]; s != nil {
		status["state"] = s.state
	}
	return status
}

// haOf is the "hastate" of a machine in the cluster's resources, "" for one that is no resource.
func (c *cluster) haOf(m *machine) string {
	res, there := c.ha.resources[m.sid()]
	switch s := c.ha.services[m.sid()]; {
	case !there:
		return ""
	case s != nil:
		return s.state
	default:
		return res.haRequest()
	}
}

// haOfNode is the "hastate" of a node in the cluster's resources, "" where no manager runs.
func (c *cluster) haOfNode(name string) string {
	if n := c.ha.nodes[name]; n != nil {
		return n.state
	}
	return ""
}

// haRequest is the state that is asked for.
func (s section) haRequest() string {
	switch s["state"] {
	case "", "enabled":
		return "started"
	}
	return s["state"]
}

// parseSid completes a service id that is only a number, and takes one apart.
func (c *cluster) parseSid(text string) (sid, kind, name string, err error) {
	if id, bad := strconv.Atoi(text); bad == nil {
		m := c.machines[id]
		if m == nil {
			return "", "", "", die("unable do detect SID from VMID - VM/CT %d does not exist", id)
		}
		text = m.sid()
	}
	kind, name, ok := strings.Cut(text, ":")
	if !ok {
		return "", "", "", die("unable to parse service id '%s'", text)
	}
	return text, kind, name, nil
}

// haDigest is the digest of one of the files of high availability.
func haDigest(file map[string]section) string {
	var b strings.Builder
	for _, id := range slices.Sorted(maps.Keys(file)) {
		s := file[id]
		kind, name, _ := strings.Cut(id, ":")
		fmt.Fprintf(&b, "%s: %s\n", s.or("type", kind), name)
		for _, key := range slices.Sorted(maps.Keys(s)) {
			fmt.Fprintf(&b, "\t%s %s\n", key, s[key])
		}
	}
	return checksum(b.String())
}

// or is a value, or otherwise where it is not set.
func (s section) or(key, otherwise string) string {
	if v, set := s[key]; set {
		return v
	}
	return otherwise
}

// haShow is an entry of one of the files as the API shows it.
func haShow(s section, more map[string]any) map[string]any {
	out := map[string]any{}
	maps.Copy(out, more)
	for key, value := range s {
		switch key {
		case "max_restart", "max_relocate", "restricted", "nofailback", "failback", "strict", "disable":
			out[key], _ = strconv.Atoi(value)
		default:
			out[key] = value
		}
	}
	return out
}

// haUpdate applies an update to an entry of one of the files. Optional are the keys that may be deleted,
// required those that may not.
func haUpdate(s section, p params, keys, required []string) error {
	for _, key := range keys {
		if value, given := p[key]; given {
			s[key] = value
		}
	}
	for _, key := range required {
		if value, given := p[key]; given {
			s[key] = value
		}
	}
	for _, key := range splitList(p["delete"]) {
		switch {
		case slices.Contains(required, key):
			return die("unable to delete required option '%s'", key)
		case !slices.Contains(keys, key):
			return die("no such option '%s'", key)
		}
		delete(s, key)
	}
	return nil
}

// haModified is the refusal of a digest that is not the file's.
func haModified(p params, digest string) error {
	if given, has := p["digest"]; has && given != digest {
		return die("detected modified configuration - file changed by other user? Try again.")
	}
	return nil
}

// prefixed puts what was tried before what went wrong.
func prefixed(what string, err error) error {
	if err == nil {
		return nil
	}
	return die("%s: %s", what, text(err))
}

// splitList takes a list apart as Proxmox VE does, at commas, semicolons, spaces and NULs.
func splitList(list string) []string {
	return strings.FieldsFunc(list, func(r rune) bool { return strings.ContainsRune(",; \t\n\x00", r) })
}
