package pvesim

import (
	"maps"
	"strings"
)

func init() {
	handle("GET /cluster/replication", listReplications)
	handle("POST /cluster/replication", makeReplication)
	handle("GET /cluster/replication/{id}", readReplication)
	handle("PUT /cluster/replication/{id}", changeReplication)
	handle("DELETE /cluster/replication/{id}", removeReplication)
}

func showReplication(id string, s section, digest string) map[string]any {
	answer := s.show("disable")
	guest, job, _ := strings.Cut(id, "-")
	answer["id"], answer["guest"], answer["jobnum"], answer["digest"] = id, number(guest), number(job), digest
	return answer
}

func listReplications(r *request) (any, error) {
	o, list := r.misc.replications, []map[string]any{}
	for _, id := range o.names() {
		list = append(list, showReplication(id, o.ids[id], o.digest()))
	}
	return list, nil
}

func makeReplication(r *request) (any, error) {
	o, id, target := r.misc.replications, r.p["id"], r.p["target"]
	if r.node(target) == nil {
		return nil, die("Target '%s' does not exist.", target)
	}
	if o.ids[id] != nil {
		return nil, die("replication job '%s' already exists", id)
	}
	guest, _, _ := strings.Cut(id, "-")
	m := r.machines[params{"id": guest}.num("id", 0)]
	switch {
	case m == nil:
		return nil, die("Guest '%s' does not exist.", guest)
	case m.node.name == target:
		return nil, die("Guest '%s' is already on node '%s'.", guest, target)
	}
	s := section{"source": m.node.name}
	s.change(r.p, "id")
	o.ids[id] = s
	return nil, nil
}

// replication is the job that the path names.
func (r *request) replication() (section, error) {
	s := r.misc.replications.ids[r.p["id"]]
	if s == nil {
		return nil, wrongParam("id", "no such replication job '%s'", r.p["id"])
	}
	return s, nil
}

func readReplication(r *request) (any, error) {
	s, err := r.replication()
	if err != nil {
		return nil, err
	}
	return showReplication(r.p["id"], s, r.misc.replications.digest()), nil
}

func changeReplication(r *request) (any, error) {
	s, err := r.replication()
	if err != nil {
		return nil, err
	}
	if err := r.sameDigest(r.misc.replications.digest()); err != nil {
		return nil, err
	}
	s = maps.Clone(s)
	s.change(r.p, "id")
	r.misc.replications.ids[r.p["id"]] = s
	return nil, nil
}

func removeReplication(r *request) (any, error) {
	if _, err := r.replication(); err != nil {
		return nil, err
	}
	delete(r.misc.replications.ids, r.p["id"])
	return nil, nil
}
