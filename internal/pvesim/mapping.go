package pvesim

import (
	"maps"
	"strings"

	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/pvesim/apischema"
)

// mappingWords are how errors call mappings.
var mappingWords = map[string]string{"pci": "hardware mapping", "usb": "hardware mapping", "dir": "directory mapping"}

func init() {
	handle("GET /cluster/mapping", index("name", "dir", "pci", "usb"))
	for kind := range mappingWords {
		base := "/cluster/mapping/" + kind
		handle("GET "+base, func(r *request) (any, error) { return listMappings(r, kind) })
		handle("POST "+base, func(r *request) (any, error) { return makeMapping(r, kind) })
		handle("GET "+base+"/{id}", func(r *request) (any, error) { return readMapping(r, kind) })
		handle("PUT "+base+"/{id}", func(r *request) (any, error) { return changeMapping(r, kind) })
		handle("DELETE "+base+"/{id}", func(r *request) (any, error) {
			delete(r.misc.mappings[kind].ids, r.p["id"])
			return nil, nil
		})
	}
}

func showMapping(s section, kind, digest string) map[string]any {
	answer := s.show("mdev", "live-migration-capable")
	answer["map"], answer["type"], answer["digest"] = apischema.Split(s["map"]), kind, digest
	return answer
}

// listMappings lists them; where a node is asked for, with what is wrong with them there.
func listMappings(r *request, kind string) (any, error) {
	o, list := r.misc.mappings[kind], []map[string]any{}
	for _, id := range o.names() {
		one := showMapping(o.ids[id], kind, o.digest())
		one["id"] = id
		if n := r.p["check-node"]; n != "" {
			checks := []any{}
			if !mapsTo(o.ids[id], n) {
				checks = append(checks, map[string]any{"severity": "warning", "message": "No mapping for node " + n + "."})
			}
			one["checks"] = checks
		}
		list = append(list, one)
	}
	return list, nil
}

// mapsTo reports whether a mapping has a device at a node.
func mapsTo(s section, nodeName string) bool {
	for _, entry := range apischema.Split(s["map"]) {
		for part := range strings.SplitSeq(entry, ",") {
			if part == "node="+nodeName {
				return true
			}
		}
	}
	return false
}

// mapping is a mapping of devices or directories, or nil.
func (c *cluster) mapping(kind, id string) section { return c.misc.mappings[kind].ids[id] }

func makeMapping(r *request, kind string) (any, error) {
	o, id := r.misc.mappings[kind], r.p["id"]
	if o.ids[id] != nil {
		return nil, die("create %s failed: %s ID '%s' already defined", mappingWords[kind], kind, id)
	}
	s := section{}
	s.change(r.p, "id")
	o.ids[id] = s
	return nil, nil
}

func readMapping(r *request, kind string) (any, error) {
	o, id := r.misc.mappings[kind], r.p["id"]
	if o.ids[id] == nil {
		return nil, die("mapping '%s' not found", id)
	}
	return showMapping(o.ids[id], kind, o.digest()), nil
}

func changeMapping(r *request, kind string) (any, error) {
	o, id := r.misc.mappings[kind], r.p["id"]
	if err := r.sameDigest(o.digest()); err != nil {
		return nil, err
	}
	if o.ids[id] == nil {
		return nil, die("update %s failed: %s ID '%s' does not exist", mappingWords[kind], kind, id)
	}
	s := maps.Clone(o.ids[id])
	s.change(r.p, "id")
	o.ids[id] = s
	return nil, nil
}
