package pvesim

import (
	"fmt"
	"maps"
	"slices"
	"time"
)

func init() {
	handle("GET /cluster/ha/status", index("name", "current", "manager_status"))
	handle("GET /cluster/ha/status/current", haCurrent)
	handle("GET /cluster/ha/status/manager_status", haManagerStatus)
}

// verbose is the state of a service in words: what is asked for and what is, in one.
func (c *cluster) verbose(sid string) string {
	res, s := c.ha.resources[sid], c.ha.services[sid]
	if res == nil {
		return "deleting"
	}
	asked := res.haRequest()
	switch {
	case asked == "ignored":
		return "ignored"
	case c.haMachine(sid) == nil:
		return "not found"
	case s == nil:
		return "queued"
	case s.state == "stopped" && asked == "started":
		return "starting"
	case s.state == "stopped" && asked == "disabled":
		return "disabled"
	case s.state == "started" && !s.running:
		return "starting"
	case s.state == "started" && asked != "started":
		return "stopping"
	case s.state == "error" && asked == "disabled":
		return "clearing error flag"
	}
	return s.state
}

// localtime is a time as Perl writes it.
func localtime(unix int64) string { return time.Unix(unix, 0).Format(time.ANSIC) }

// haBeat keeps the manager's time stamp fresh: it has a round every few seconds even where nothing is to do.
func (c *cluster) haBeat() {
	if c.ha.master != "" {
		c.ha.beat = time.Now().Unix()
	}
}

func haCurrent(r *request) (any, error) {
	r.haBeat()
	list := []map[string]any{{"id": "quorum", "type": "quorum", "node": r.nodes[0].name, "status": "OK", "quorate": 1}}
	if r.ha.master != "" {
		list = append(list, map[string]any{
			"id": "master", "type": "master", "node": r.ha.master, "timestamp": r.ha.beat,
			"status": fmt.Sprintf("%s (active, %s)", r.ha.master, localtime(r.ha.beat)),
		})
	}
	for _, name := range slices.Sorted(maps.Keys(r.ha.nodes)) {
		list = append(list, r.lrmStatus(name))
	}
	for _, sid := range slices.Sorted(maps.Keys(r.ha.services)) {
		list = append(list, r.serviceStatus(sid))
	}
	for _, sid := range slices.Sorted(maps.Keys(r.ha.resources)) {
		if r.ha.services[sid] == nil {
			list = append(list, r.serviceStatus(sid))
		}
	}
	return list, nil
}

// lrmStatus is the status of the part of the manager that works on a node.
func (c *cluster) lrmStatus(name string) map[string]any {
	n, at, state := c.ha.nodes[name], c.ha.beat, "idle"
	switch {
	case n.state != "online":
		at -= int64(10 * n.missing)
		state = "old timestamp - dead?"
	case n.active:
		state = "active"
	}
	return map[string]any{
		"id": "lrm:" + name, "type": "lrm", "node": name, "timestamp": at,
		"status": fmt.Sprintf("%s (%s, %s)", name, state, localtime(at)),
	}
}

func (c *cluster) serviceStatus(sid string) map[string]any {
	res, s := c.ha.resources[sid], c.ha.services[sid]
	state, node := c.verbose(sid), "---"
	shown := map[string]any{"id": "service:" + sid, "type": "service", "sid": sid, "state": state}
	if s != nil {
		node = s.node
		shown["crm_state"] = s.state
	} else if m := c.haMachine(sid); m != nil {
		node = m.node.name
	}
	if node != "---" {
		shown["node"] = node
	}
	shown["status"] = fmt.Sprintf("%s (%s, %s)", sid, node, state)
	if res == nil {
		return shown
	}
	maps.Copy(shown, haShow(section{
		"max_restart": res.or("max_restart", "1"), "max_relocate": res.or("max_relocate", "1"),
	}, nil))
	shown["request_state"] = res.haRequest()
	for _, key := range []string{"group", "comment", "failback"} {
		if res[key] != "" {
			maps.Copy(shown, haShow(section{key: res[key]}, nil))
		}
	}
	return shown
}

func haManagerStatus(r *request) (any, error) {
	r.haBeat()
	nodes, services, lrm := map[string]any{}, map[string]any{}, map[string]any{}
	manager := map[string]any{"node_status": nodes}
	answer := map[string]any{
		"quorum":         map[string]any{"node": r.nodes[0].name, "quorate": "1"},
		"manager_status": manager,
	}
	if r.ha.master == "" {
		return answer, nil
	}
	manager["master_node"], manager["timestamp"], manager["service_status"] = r.ha.master, r.ha.beat, services
	answer["lrm_status"] = lrm
	for name, n := range r.ha.nodes {
		nodes[name] = n.state
		state, results := "wait_for_agent_lock", map[string]any{}
		if n.active {
			state = "active"
		}
		for sid, s := range r.ha.services {
			if s.node == name && s.result != nil {
				results[s.result.uid] = map[string]any{"sid": sid, "state": s.result.state, "exit_code": s.result.code}
			}
		}
		lrm[name] = map[string]any{"mode": "active", "state": state, "timestamp": r.ha.beat - int64(10*n.missing), "results": results}
	}
	for sid, s := range r.ha.services {
		shown := map[string]any{"node": s.node, "state": s.state, "uid": s.uid}
		if s.running {
			shown["running"] = 1
		}
		if s.target != "" {
			shown["target"] = s.target
		}
		if len(s.failed) > 0 {
			shown["failed_nodes"] = s.failed
		}
		services[sid] = shown
	}
	return answer, nil
}
