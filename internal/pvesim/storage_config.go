package pvesim

import (
	"crypto/sha1" //nolint:gosec // Proxmox VE's digests of its files are SHA-1
	"encoding/hex"
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

func init() {
	handle("GET /storage", listStorages)
	handle("POST /storage", createStorage)
	handle("GET /storage/{storage}", readStorage)
	handle("PUT /storage/{storage}", updateStorage)
	handle("DELETE /storage/{storage}", deleteStorage)
}

// newCapacity is that of a storage which is made by the API.
const newCapacity = 1024 * gib

func listStorages(r *request) (any, error) {
	list := []any{}
	for _, st := range r.storages {
		if !r.mayAny("/storage/"+st.id, "Datastore.Audit", "Datastore.AllocateSpace") || r.p.has("type") && r.p["type"] != st.kind {
			continue
		}
		list = append(list, r.showStorage(st))
	}
	return list, nil
}

func readStorage(r *request) (any, error) {
	st := r.storage(r.p["storage"])
	if st == nil {
		return nil, die("storage '%s' does not exist", r.p["storage"])
	}
	return r.showStorage(st), nil
}

// showStorage is an entry of storage.cfg as the API shows it.
func (c *cluster) showStorage(st *storage) map[string]any {
	shown := map[string]any{"storage": st.id, "type": st.kind, "digest": c.storageDigest(), "content": strings.Join(st.contents(), ",")}
	for k, v := range st.options {
		n, err := strconv.Atoi(v)
		switch {
		case k == "content" || secret[k]:
		case numeric[k] && err == nil:
			shown[k] = n
		default:
			shown[k] = v
		}
	}
	if st.of().shared {
		shown["shared"] = 1
	}
	return shown
}

// storageDigest is that of storage.cfg.
func (c *cluster) storageDigest() string {
	h := sha1.New() //nolint:gosec // as above
	for _, st := range c.storages {
		fmt.Fprintf(h, "%s: %s\n", st.kind, st.id)
		for _, k := range slices.Sorted(maps.Keys(st.options)) {
			fmt.Fprintf(h, "\t%s %s\n", k, st.options[k])
		}
	}
	return hex.EncodeToString(h.Sum(nil))
}

var directoryPath = regexp.MustCompile(`^/[-/a-zA-Z0-9_.@]+$`)

func createStorage(r *request) (any, error) {
	st := &storage{id: r.p["storage"], kind: r.p["type"], options: section{}, capacity: newCapacity}
	secrets := section{}
	for k, v := range r.p {
		switch {
		case k == "storage", k == "type", k == "nodes" && v == "":
		case secret[k]:
			secrets[k] = v
		default:
			st.options[k] = v
		}
	}
	if st.of().files && st.of().shared && st.options["path"] == "" {
		st.options["path"] = "/mnt/pve/" + st.id
	}
	all := maps.Clone(st.options)
	maps.Copy(all, secrets)
	if err := checkStorage(st.kind, all, true); err != nil {
		return nil, err
	}
	for k := range secrets {
		delete(all, k)
	}
	st.options = all
	if p := st.options["path"]; p != "" {
		if !directoryPath.MatchString(p) {
			return nil, die("illegal path for directory storage: %s", p)
		}
		st.options["path"] = path.Clean(p)
	}
	if r.storage(st.id) != nil {
		return nil, die("create storage failed: storage ID '%s' already defined", st.id)
	}
	r.storages = append(r.storages, st)
	r.takeOver(st)
	return map[string]any{"storage": st.id, "type": st.kind}, nil
}

// takeOver gives a storage what is there at its place since another entry of its name was removed.
func (c *cluster) takeOver(st *storage) {
	for k, v := range c.volumes.all {
		switch {
		case v.storage == st || v.storage.id != st.id:
		case v.storage.kind == st.kind && v.storage.place() == st.place() && v.storage.shared() == st.shared():
			v.storage = st
		default:
			delete(c.volumes.all, k)
		}
	}
}

// place tells where a storage keeps what it holds.
func (st *storage) place() string {
	var place []string
	for _, k := range st.of().required {
		place = append(place, st.options[k])
	}
	return strings.Join(append(place, st.options["pool"]), "\n")
}

func updateStorage(r *request) (any, error) {
	const failed = "update storage failed"
	changed := section{}
	for k, v := range r.p {
		if k != "storage" && k != "digest" && k != "delete" {
			changed[k] = v
		}
	}
	if r.p["digest"] != "" && r.p["digest"] != r.storageDigest() {
		return nil, die("%s: detected modified configuration - file changed by other user? Try again.", failed)
	}
	st := r.storage(r.p["storage"])
	if st == nil {
		return nil, die("%s: storage '%s' does not exist", failed, r.p["storage"])
	}
	if err := checkStorage(st.kind, changed, false); err != nil {
		return nil, prefixed(failed, err)
	}
	known := optionsOf(st.kind)
	gone := splitList(r.p["delete"])
	for _, k := range gone {
		o, ok := known[k]
		_, set := changed[k]
		switch {
		case !ok:
			return nil, die("%s: no such option '%s'", failed, k)
		case !o.optional:
			return nil, die("%s: unable to delete required option '%s'", failed, k)
		case o.fixed:
			return nil, die("%s: unable to delete fixed option '%s'", failed, k)
		case set:
			return nil, die("%s: cannot set and delete property '%s' at the same time!", failed, k)
		}
	}
	for _, k := range gone {
		delete(st.options, k)
	}
	for k, v := range changed {
		if !secret[k] {
			st.options[k] = v
		}
	}
	return map[string]any{"storage": st.id, "type": st.kind}, nil
}

// deleteStorage removes the entry; what it holds stays where it is.
func deleteStorage(r *request) (any, error) {
	const failed = "delete storage failed"
	st := r.storage(r.p["storage"])
	if st == nil {
		return nil, die("%s: storage '%s' does not exist", failed, r.p["storage"])
	}
	for _, o := range r.storages {
		if base, _, ok := cutVolid(o.options["base"]); ok && base == st.id {
			return nil, die("%s: can't remove storage - storage is used as base of another storage", failed)
		}
	}
	r.storages = slices.DeleteFunc(r.storages, func(o *storage) bool { return o == st })
	delete(r.access.acl, "/storage/"+st.id)
	for _, p := range r.pools {
		delete(p.storages, st.id)
	}
	return nil, nil
}
