package pvesim

import (
	"regexp"
	"slices"
	"strings"
	"time"
)

func init() {
	handle("GET /nodes/{node}/tasks", listTasks)
	handle("DELETE /nodes/{node}/tasks/{upid}", stopTask)
	handle("GET /nodes/{node}/tasks/{upid}/log", taskLog)
	handle("GET /nodes/{node}/tasks/{upid}/status", taskStatus)
	handle("GET /cluster/tasks", clusterTasks)
}

var upidPattern = regexp.MustCompile(`^UPID:[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?:[0-9A-Fa-f]{8}:[0-9A-Fa-f]{8,9}:[0-9A-Fa-f]{8}:[^:\s]+:[^:\s]*:[^:\s]+:$`)

// maxRecent is how many tasks that ended the list of the cluster has of each node.
const maxRecent = 25

// by reports whether a task is that of a user or token; a user's are those of all his tokens.
func (t *task) by(user *login) bool {
	return user.name == t.user && (user.token == "" || user.token == t.token)
}

// authid is who started a task.
func (t *task) authid() string { return (&login{name: t.user, token: t.token}).authid() }

// shown is what lists say of a task.
func (t *task) shown() map[string]any {
	m := map[string]any{
		"upid": t.upid, "node": t.node, "pid": t.pid, "pstart": t.pstart, "starttime": t.started.Unix(),
		"type": t.kind, "id": t.id, "user": t.user,
	}
	if t.token != "" {
		m["tokenid"] = t.token
	}
	if t.exit != "" {
		m["endtime"], m["status"] = t.ended.Unix(), t.exit
	}
	return m
}

// taskAt is the task that the path names, where the user may see it or has the privilege at the node.
func (r *request) taskAt(priv string) (*task, error) {
	upid := r.p["upid"]
	if !upidPattern.MatchString(upid) {
		return nil, wrongParam("upid", "unable to parse worker upid")
	}
	t := r.tasks.byUPID[upid]
	if t == nil || t.node != r.p["node"] && r.p["node"] != "localhost" {
		return nil, wrongParam("upid", "no such task")
	}
	if !t.by(r.user) {
		if err := r.need(r, "/nodes/"+r.p["node"], priv); err != nil {
			return nil, err
		}
	}
	return t, nil
}

func taskStatus(r *request) (any, error) {
	t, err := r.taskAt("Sys.Audit")
	if err != nil {
		return nil, err
	}
	m := t.shown()
	delete(m, "endtime")
	m["status"] = "running"
	if t.exit != "" {
		m["status"], m["exitstatus"] = "stopped", t.exit
	}
	return m, nil
}

func taskLog(r *request) (any, error) {
	t, err := r.taskAt("Sys.Audit")
	if err != nil {
		return nil, err
	}
	var lines []string
	for _, entry := range t.log {
		lines = append(lines, strings.Split(strings.TrimSuffix(entry, "\n"), "\n")...)
	}
	if len(lines) == 0 {
		lines = []string{"no content"}
	}
	total := len(lines)
	r.total = &total
	start, limit := r.p.num("start", 0), r.p.num("limit", 50)
	shown := []map[string]any{}
	for i := start; i < total && (limit <= 0 || i < start+limit); i++ {
		shown = append(shown, map[string]any{"n": i + 1, "t": lines[i]})
	}
	return shown, nil
}

// stopWait is how long the end of a task waits for the task.
const stopWait = 5 * time.Second

// stopTask interrupts a task. One that has ended already is none of its business.
func stopTask(r *request) (any, error) {
	t, err := r.taskAt("Sys.Modify")
	if err != nil {
		return nil, err
	}
	t.stop()
	r.unlocked(func() {
		timer := time.NewTimer(stopWait)
		defer timer.Stop()
		select {
		case <-t.done:
		case <-timer.C:
		case <-r.ctx.Done():
		}
	})
	return nil, nil
}

// statusKind is what a filter calls the way a task ended.
func statusKind(exit string) string {
	switch {
	case exit == "":
		return "unknown"
	case exit == "OK":
		return "ok"
	case strings.HasPrefix(exit, "WARNINGS: "):
		return "warning"
	}
	return "error"
}

// wanted reports whether a list of tasks is to have one.
func (r *request) wanted(t *task, auditor bool) bool {
	since, until := r.p.num("since", 0), r.p.num("until", 0)
	at := int(t.started.Unix())
	filter := splitList(strings.ToLower(r.p["statusfilter"]))
	if r.p.flag("errors") {
		filter = []string{"warning", "error", "unknown"}
	}
	switch {
	case t.node != r.p["node"],
		!auditor && !t.by(r.user),
		!strings.Contains(strings.ToLower(t.user), strings.ToLower(r.p["userfilter"])),
		r.p["typefilter"] != "" && r.p["typefilter"] != t.kind,
		r.p["vmid"] != "" && r.p["vmid"] != t.id,
		r.p.has("since") && at < since,
		r.p.has("until") && at > until,
		len(filter) > 0 && !slices.Contains(filter, statusKind(t.exit)):
		return false
	}
	return true
}

func listTasks(r *request) (any, error) {
	auditor := r.may("/nodes/"+r.p["node"], "Sys.Audit")
	source := r.p["source"]
	var active, ended []*task
	for _, t := range slices.Backward(r.tasks.all) {
		switch {
		case !r.wanted(t, auditor):
		case t.exit == "" && (source == "active" || source == "all"):
			active = append(active, t)
		case t.exit != "" && source != "active":
			ended = append(ended, t)
		}
	}
	slices.SortStableFunc(ended, func(a, b *task) int { return b.ended.Compare(a.ended) })
	all := append(active, ended...)
	if total := len(all); total > 0 {
		r.total = &total
	}
	start, limit := r.p.num("start", 0), r.p.num("limit", 50)
	shown := []map[string]any{}
	for i := start; i < len(all) && i < start+limit; i++ {
		m := all[i].shown()
		if all[i].exit == "" {
			// What runs comes from another list, which knows nothing of tokens.
			m["status"], m["saved"], m["user"] = "RUNNING", "0", all[i].authid()
			delete(m, "tokenid")
		}
		shown = append(shown, m)
	}
	return shown, nil
}

// clusterTasks lists what runs, and what ended lately, on all nodes.
func clusterTasks(r *request) (any, error) {
	auditor := r.may("/", "Sys.Audit")
	recent := map[string]int{}
	var active, ended []map[string]any
	for _, t := range slices.Backward(r.tasks.all) {
		if !auditor && !t.by(r.user) {
			continue
		}
		m := t.shown()
		delete(m, "pstart")
		if t.exit == "" {
			m["saved"] = "0"
			active = append(active, m)
			continue
		}
		if recent[t.node]++; recent[t.node] <= maxRecent {
			m["saved"] = "1"
			delete(m, "pid")
			ended = append(ended, m)
		}
	}
	return append(append([]map[string]any{}, active...), ended...), nil
}
