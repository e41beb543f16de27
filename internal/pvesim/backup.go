package pvesim

import (
	"cmp"
	"crypto/rand"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

func init() {
	handle("GET /cluster/backup", listBackupJobs)
	handle("POST /cluster/backup", makeBackupJob)
	handle("GET /cluster/backup/{id}", readBackupJob)
	handle("PUT /cluster/backup/{id}", changeBackupJob)
	handle("DELETE /cluster/backup/{id}", func(r *request) (any, error) {
		if r.misc.backups.ids[r.p["id"]] == nil {
			// Here the refusal passes through another, which makes a text of it.
			const text = "400 Parameter verification failed."
			return nil, &refusal{status: 500, reason: text, message: text + "\nid: No such job '" + r.p["id"] + "'\n"}
		}
		delete(r.misc.backups.ids, r.p["id"])
		return nil, nil
	})
	handle("GET /cluster/backup/{id}/included_volumes", backedUp)
	handle("GET /cluster/backup-info/not-backed-up", notBackedUp)
}

func noJob(id string) error { return wrongParam("id", "No such job '%s'", id) }

var backupNumbers = []string{
	"enabled", "all", "bwlimit", "ionice", "lockwait", "maxfiles", "pigz", "zstd", "protected", "quiet", "remove", "repeat-missed",
	"stdexcludes", "stop", "stopwait",
}

func showBackupJob(id string, s section) map[string]any {
	answer := s.show(backupNumbers...)
	answer["id"], answer["type"] = id, "vzdump"
	if s["schedule"] != "" {
		answer["next-run"] = time.Now().Add(24 * time.Hour).Truncate(24 * time.Hour).Unix()
	}
	if keep, ok := answer["prune-backups"].(string); ok {
		parts := map[string]any{}
		for part := range strings.SplitSeq(keep, ",") {
			k, v, _ := strings.Cut(part, "=")
			parts[k] = v
		}
		answer["prune-backups"] = parts
	}
	return answer
}

func listBackupJobs(r *request) (any, error) {
	list := []map[string]any{}
	for _, id := range r.misc.backups.names() {
		list = append(list, showBackupJob(id, r.misc.backups.ids[id]))
	}
	return list, nil
}

// checkBackup refuses a job that does not say what is backed up.
func checkBackup(s section) error {
	switch {
	case s["all"] == "1" && s["vmid"] != "":
		return wrongParam("all", "option conflicts with option 'vmid'")
	case s["all"] != "1" && s["exclude"] != "":
		return wrongParam("all", "property is missing")
	case s["all"] == "1" && s["pool"] != "":
		return wrongParam("all", "option conflicts with option 'pool'")
	case s["all"] != "1" && s["vmid"] == "" && s["pool"] == "":
		return wrongParam("vmid", "property is missing")
	}
	return nil
}

func makeBackupJob(r *request) (any, error) {
	o, id := r.misc.backups, r.p["id"]
	if id == "" {
		var b [6]byte
		rand.Read(b[:])
		id = fmt.Sprintf("backup-%x-%x", b[:4], b[4:])
	}
	if o.ids[id] != nil {
		return nil, die("Job '%s' already exists", id)
	}
	s := section{"enabled": "1"}
	s.change(r.p, "id")
	if err := checkBackup(s); err != nil {
		return nil, err
	}
	o.ids[id] = s
	return nil, nil
}

func readBackupJob(r *request) (any, error) {
	id := r.p["id"]
	if r.misc.backups.ids[id] == nil {
		return nil, noJob(id)
	}
	job := showBackupJob(id, r.misc.backups.ids[id])
	delete(job, "next-run") // which only the list has
	return job, nil
}

func changeBackupJob(r *request) (any, error) {
	o, id := r.misc.backups, r.p["id"]
	if o.ids[id] == nil {
		return nil, noJob(id)
	}
	s := maps.Clone(o.ids[id])
	if r.p.has("vmid") || r.p.has("pool") || r.p.flag("all") { // one way to choose takes the place of another
		for _, key := range []string{"vmid", "pool", "all"} {
			delete(s, key)
		}
	}
	s.change(r.p, "id")
	if err := checkBackup(s); err != nil {
		return nil, err
	}
	o.ids[id] = s
	return nil, nil
}

// chosen are the machines that a job backs up.
func (c *cluster) chosen(s section) []int {
	var ids []int
	for id := range c.machines {
		text := strconv.Itoa(id)
		switch {
		case s["all"] == "1" && slices.Contains(keyList(s["exclude"]), text):
		case s["all"] == "1", slices.Contains(keyList(s["vmid"]), text):
			ids = append(ids, id)
		case s["pool"] != "" && c.pools[s["pool"]] != nil && c.pools[s["pool"]].members[id]:
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

// backedUp is the tree of what a job includes: machines, and below them their disks.
func backedUp(r *request) (any, error) {
	s := r.misc.backups.ids[r.p["id"]]
	if s == nil {
		return nil, noJob(r.p["id"])
	}
	machines := []any{}
	for _, id := range r.chosen(s) {
		m := r.machines[id]
		volumes := []any{}
		for _, d := range guestDrives(m) {
			included, reason := !d.cdrom && !strings.Contains(m.config[d.key], "backup=0"), "enabled"
			if !included {
				reason = "disabled"
			}
			volumes = append(volumes, map[string]any{"id": d.key, "name": d.volid, "included": bit(included), "reason": reason, "leaf": 1})
		}
		machines = append(machines, map[string]any{"id": id, "name": m.config["name"], "type": m.kind(), "children": volumes})
	}
	return map[string]any{"children": machines}, nil
}

func notBackedUp(r *request) (any, error) {
	covered := map[int]bool{}
	for _, s := range r.misc.backups.ids {
		for _, id := range r.chosen(s) {
			covered[id] = true
		}
	}
	list := []any{}
	for _, id := range slices.Sorted(maps.Keys(r.machines)) {
		if covered[id] {
			continue
		}
		m := r.machines[id]
		one := map[string]any{"vmid": id, "type": m.kind()}
		if name := cmp.Or(m.config["name"], m.config["hostname"]); name != "" {
			one["name"] = name
		}
		list = append(list, one)
	}
	return list, nil
}
