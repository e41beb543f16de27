package proxmox

import (
	"cmp"
	"context"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/proxmox/pve"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/proxmox/vmconf"
)

// volumeRow is a volume as a storage lists it.
type volumeRow struct {
	VolID   pve.Text `json:"volid"`
	Content pve.Text `json:"content"`
	Format  pve.Text `json:"format"`
	Size    pve.Int  `json:"size"`  // bytes that a guest sees; of files of images, those of the file
	Used    pve.Int  `json:"used"`  // bytes that the storage spends, 0 where it does not say
	CTime   pve.Int  `json:"ctime"` // seconds
}

// located is a volume with where it is.
type located struct {
	volumeRow
	node   string
	shared bool // every node of the storage has it
	kind   string
}

// nodesOf are those whose VMs can use the volume; nil is all.
func (l *located) nodes() []string {
	if l.shared {
		return nil
	}
	return []string{l.node}
}

// onlineNodes are the nodes that can be asked, the provider's own first. complete says whether these are all.
func (b *Backend) onlineNodes(ctx context.Context) (nodes []string, complete bool, err error) {
	rows, err := b.nodeRows(ctx)
	if err != nil {
		return nil, false, err
	}
	complete = true
	for _, n := range rows {
		if !n.online() {
			complete = false
			continue
		}
		nodes = append(nodes, string(n.Node))
	}
	slices.SortFunc(nodes, func(x, y string) int {
		return cmp.Or(b2i(y == b.cfg.Node)-b2i(x == b.cfg.Node), strings.Compare(x, y))
	})
	return nodes, complete, nil
}

// locate finds a volume by its id. A storage that is not shared may have it on any node: what is a disk's must then be on one only, and of files
// the first will do. What does not exist is NotFound; where a node that could have it does not answer, that is not known: Transient.
func (b *Backend) locate(ctx context.Context, id string) (*located, error) {
	return b.locateFrom(ctx, "", id)
}

// locateFrom is locate that looks at a node first.
func (b *Backend) locateFrom(ctx context.Context, first, id string) (*located, error) {
	v := vmconf.ParseVolume(id)
	if v.Storage == "" || v.Name == "" {
		return nil, backends.Errorf(backends.NotFound, "", "", `there is no volume %q: ids are such as "local-lvm:vm-100-disk-0"`, id)
	}
	nodes, complete, err := b.onlineNodes(ctx)
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(nodes, func(x, y string) int { return b2i(y == first) - b2i(x == first) })
	var failed error
	var all []*located
	lists := "" // a node that has the storage
	for _, node := range nodes {
		rows, err := b.storageRows(ctx, node)
		if err != nil {
			failed = err
			continue
		}
		at := slices.IndexFunc(rows, func(r storageRow) bool { return string(r.Storage) == v.Storage })
		if at < 0 {
			continue
		}
		lists = node
		shared := bool(rows[at].Shared)
		found, err := b.contentOf(ctx, node, v)
		switch {
		case err != nil:
			failed = err
		case found != nil:
			l := &located{volumeRow: *found, node: node, shared: shared, kind: string(rows[at].Type)}
			if shared || found.Content != "images" {
				return l, nil
			}
			all = append(all, l)
		case shared:
			return nil, b.unlisted(ctx, node, id)
		}
	}
	switch {
	case len(all) == 1:
		return all[0], nil
	case len(all) > 1:
		return nil, backends.Errorf(backends.Conflict, "", "", "the nodes %q and %q each have a volume %q of their own", all[0].node, all[1].node, id).
			Advise("Rename or remove one of them on its node: the id does not tell which is meant.")
	case failed != nil:
		return nil, failed
	case !complete:
		return nil, backends.Errorf(backends.Transient, "", "", "no node that is online has the volume %q, and one of the cluster is not", id)
	case lists == "":
		return nil, b.withoutStorage(ctx, id)
	}
	return nil, b.unlisted(ctx, lists, id)
}

// unlisted says why a volume is not in the list of its storage: a list leaves out what the account may not see, which is not gone. Who asks for the
// volume itself is refused then.
func (b *Backend) unlisted(ctx context.Context, node, id string) error {
	_, err := b.volumeInfo(ctx, node, id)
	switch backends.CodeOf(err) {
	case "":
		return backends.Errorf(backends.Transient, "", "", "the volume %q is there, and not in the list of its storage", id)
	case backends.Auth, backends.Transient, backends.Timeout, backends.Canceled:
		return err
	default:
		return noVolume(id)
	}
}

// withoutStorage says of a volume whose storage no node lists whether it is gone: only where the storage is. One that is switched off, or that
// the account may not see, still has what is on it.
func (b *Backend) withoutStorage(ctx context.Context, id string) error {
	storage := vmconf.ParseVolume(id).Storage
	err := b.conn.Get(ctx, pve.Path("storage", storage), nil, nil)
	switch backends.CodeOf(err) {
	case "":
		return backends.Errorf(backends.Precondition, "", "", "no node that is online has the storage %q of the volume %q: it is disabled, or other nodes' alone", storage, id).
			Advise("Switch the storage on: pvesm set %s --disable 0", storage)
	case backends.NotFound:
		return noVolume(id)
	default:
		return err
	}
}

func noVolume(id string) error {
	return backends.Errorf(backends.NotFound, "", "", "the cluster has no volume %q", id)
}

// contentOf looks for a volume in a list of its storage at a node, nil where it is not in it. Asked for a volume itself, storages answer in
// different ways that it does not exist.
func (b *Backend) contentOf(ctx context.Context, node string, v vmconf.Volume) (*volumeRow, error) {
	query := url.Values{}
	if owner := v.Owner(); owner > 0 {
		query.Set("vmid", strconv.FormatInt(owner, 10))
		query.Set("content", "images")
	} else if kind, _, ok := strings.Cut(v.Name, "/"); ok {
		query.Set("content", kind)
	}
	rows, err := b.content(ctx, node, v.Storage, query)
	if err != nil {
		return nil, err
	}
	for i := range rows {
		if string(rows[i].VolID) == v.String() {
			return &rows[i], nil
		}
	}
	return nil, nil //nolint:nilnil // there is none
}

// content lists what a storage has at a node.
func (b *Backend) content(ctx context.Context, node, storage string, query url.Values) ([]volumeRow, error) {
	var rows []volumeRow
	err := b.conn.Get(ctx, pve.Path("nodes", node, "storage", storage, "content"), query, &rows)
	return rows, err
}

// volumeInfo is what a storage says of one volume.
type volumeInfo struct {
	Size   pve.Int  `json:"size"` // bytes that a guest sees
	Used   pve.Int  `json:"used"`
	Format pve.Text `json:"format"`
	Path   pve.Text `json:"path"`
}

func (b *Backend) volumeInfo(ctx context.Context, node, id string) (volumeInfo, error) {
	var info volumeInfo
	v := vmconf.ParseVolume(id)
	err := b.conn.Get(ctx, pve.Path("nodes", node, "storage", v.Storage, "content", id), nil, &info)
	return info, err
}
