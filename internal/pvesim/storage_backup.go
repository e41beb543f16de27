package pvesim

import "strings"

func init() {
	handle("GET /nodes/{node}/storage/{storage}/prunebackups", listPrunable)
	handle("DELETE /nodes/{node}/storage/{storage}/prunebackups", pruneBackups)
	handle("GET /nodes/{node}/storage/{storage}/file-restore/list", listInBackup)
	handle("GET /nodes/{node}/storage/{storage}/file-restore/download", listInBackup)
}

// pruneOptions are what is to be kept: the request's own or the storage's.
func (r *request) pruneOptions() (*storage, string, error) {
	st, err := r.usable(r.p["node"], r.p["storage"])
	if err != nil {
		return nil, "", err
	}
	keep := r.p["prune-backups"]
	if keep == "" {
		keep = st.options["prune-backups"]
	}
	if keep == "" {
		return nil, "", die("no prune-backups options configured for storage '%s'", st.id)
	}
	return st, keep, nil
}

// prunable are the backups of a storage, the newest of each machine first, with what becomes of them. Only
// keep-all and keep-last are simulated.
func (r *request) prunable(st *storage, keep string) []map[string]any {
	last := -1
	for part := range strings.SplitSeq(keep, ",") {
		if n, ok := strings.CutPrefix(part, "keep-last="); ok {
			last = digits(n)
		}
	}
	list := []map[string]any{}
	kept := map[int]int{}
	volumes := r.volumesOf(st, r.p["node"])
	for i := len(volumes) - 1; i >= 0; i-- {
		v := volumes[i]
		if v.content != "backup" || r.p.has("vmid") && r.p.num("vmid", 0) != v.vmid {
			continue
		}
		kind := "qemu"
		if strings.HasPrefix(v.file(), "vzdump-lxc-") {
			kind = "lxc"
		}
		if r.p.has("type") && r.p["type"] != kind {
			continue
		}
		mark := "keep"
		switch {
		case v.protected:
			mark = "protected"
		case last >= 0 && kept[v.vmid] >= last:
			mark = "remove"
		default:
			kept[v.vmid]++
		}
		list = append(list, map[string]any{"volid": v.volid, "ctime": v.created.Unix(), "type": kind, "vmid": v.vmid, "mark": mark})
	}
	return list
}

func listPrunable(r *request) (any, error) {
	st, keep, err := r.pruneOptions()
	if err != nil {
		return nil, err
	}
	return r.prunable(st, keep), nil
}

func pruneBackups(r *request) (any, error) {
	st, keep, err := r.pruneOptions()
	if err != nil {
		return nil, err
	}
	if err := r.need(r, "/storage/"+st.id, "Datastore.Allocate"); err != nil {
		return nil, err
	}
	list, node := r.prunable(st, keep), r.p["node"]
	return r.fork(node, "prunebackups", r.p["vmid"], func(w *worker) error {
		return w.locked(func() error {
			for _, b := range list {
				volid, _ := b["volid"].(string)
				w.say("%s: %s", b["mark"], volid)
				if v := w.volume(node, volid); v != nil && b["mark"] == "remove" {
					if err := w.free(v); err != nil {
						return err
					}
				}
			}
			return nil
		})
	}), nil
}

// listInBackup would show the files in a backup, which only a Proxmox Backup Server can.
func listInBackup(r *request) (any, error) {
	st, err := r.usable(r.p["node"], r.p["storage"])
	if err != nil {
		return nil, err
	}
	name := r.p["volume"]
	if id, rest, ok := cutVolid(name); ok && id == st.id {
		name = rest
	}
	if _, err := st.parse(name); err != nil {
		return nil, err
	}
	if st.kind != "pbs" {
		return nil, wrongParam("storage", "Only PBS storages supported for file-restore.")
	}
	return []any{}, nil
}
