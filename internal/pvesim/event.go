package pvesim

import (
	"slices"
	"strconv"
	"time"
)

func init() { handle("GET /cluster/log", clusterLog) }

// event is one line of the cluster's log.
type event struct {
	node, user, text string
	priority, pid    int // 6 tells, 3 is an error
	at               time.Time
}

// maxEvents is how many lines the cluster's log keeps.
const maxEvents = 1000

// note writes a line into the cluster's log. It holds mu.
func (c *cluster) note(nodeName, user string, priority int, text string) {
	c.eventSerial++
	c.events = append(c.events, &event{node: nodeName, user: user, priority: priority, text: text, pid: 1200, at: time.Now()})
	if len(c.events) > maxEvents {
		c.events = slices.Delete(c.events, 0, len(c.events)-maxEvents)
	}
}

// clusterLog shows the log, newest first: all of it, or a user's own.
func clusterLog(r *request) (any, error) {
	all := r.may("/", "Sys.Syslog")
	limit := r.p.num("max", 50)
	shown := []map[string]any{}
	for i, e := range slices.Backward(r.events) {
		if len(shown) == limit {
			break
		}
		if !all && e.user != r.user.authid() {
			continue
		}
		uid := strconv.Itoa(r.eventSerial - len(r.events) + i + 1)
		shown = append(shown, map[string]any{
			"uid": uid, "id": uid + ":" + e.node, "time": e.at.Unix(), "pid": e.pid, "node": e.node, "user": e.user,
			"tag": "pvedaemon", "pri": e.priority, "msg": e.text,
		})
	}
	return shown, nil
}
