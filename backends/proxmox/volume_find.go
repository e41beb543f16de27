package proxmox

import (
	"cmp"
	"context"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/proxmox/pve"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/proxmox/vmconf"
)

// volumeRow is a volume as a storage lists it.
type volumeRow struct {
	VolID   pve.Text `json:"volid"`
	Content pve.Text `json:"content"`
	Format  pve.Text `json:"format"`
	Size    pve.Int  `json:"size"` // bytes that a guest sees; of files of images, those of the file
	Used    pve.Int  `json:"used"` // bytes that the storage spends, 0 where it does not say
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

// locate finds a volume by its id. A storage that is not shared may have it on any node. What does not exist is NotFound; where a
// node that could have it does not answer, that is not known: Transient.
func (b *Backend) locate(ctx context.Context, id string) (*located, error) {
	v := vmconf.ParseVolume(id)
	if v.Storage == "" || v.Name == "" {
		return nil, backends.Errorf(backends.NotFound, "", "", `there is no volume %q: ids are such as "local-lvm:vm-100-disk-0"`, id)
	}
	nodes, complete, err := b.onlineNodes(ctx)
	if err != nil {
		return nil, err
	}
	var failed error
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
		found, err := b.contentOf(ctx, node, v)
		switch {
		case err != nil:
			failed = err
		case found != nil:
			return &located{volumeRow: *found, node: node, shared: bool(rows[at].Shared), kind: string(rows[at].Type)}, nil
		case bool(rows[at].Shared):
			return nil, noVolume(id)
		}
	}
	switch {
	case failed != nil:
		return nil, failed
	case !complete:
		return nil, backends.Errorf(backends.Transient, "", "", "no node that is online has the volume %q, and one of the cluster is not", id)
	}
	return nil, noVolume(id)
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

// user is a drive that names a volume.
type user struct {
	vmid int64
	node string
	name string
	slot string
	mark *mark
}

func (u user) object() string { return backends.VMObject(u.name) }

// holds reports whether it is a VM that is there for a moment only, to grow a volume that no VM has.
func (u user) holds() bool { return u.mark != nil && u.mark.Image == holderKind }

// users finds the drives that name a volume, by a read of all configurations that could; nodes are those to ask, nil is all.
func (b *Backend) users(ctx context.Context, volume string, nodes []string) ([]user, error) {
	where, err := b.estate.all(ctx)
	if err != nil {
		return nil, err
	}
	var users []user
	var mu sync.Mutex
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(parallel)
	for vmid, row := range where {
		node := string(row.Node)
		if row.Type != "qemu" || nodes != nil && !slices.Contains(nodes, node) {
			continue
		}
		g.Go(func() error {
			m, err := b.configured(ctx, resident{VMID: row.VMID, node: node}, "")
			if backends.CodeOf(err) == backends.NotFound {
				return nil // it is gone, or moved, meanwhile: where it moved with the volume, the volume is not here either
			}
			if err != nil {
				return err
			}
			for _, c := range []vmconf.Config{m.Config, m.current} {
				for _, slot := range c.Drives() {
					if c.Drive(slot).Volume() != volume {
						continue
					}
					mu.Lock()
					users = append(users, user{vmid: vmid, node: node, name: nameOf(m.Config["name"], vmid), slot: slot, mark: m.Mark})
					mu.Unlock()
					return nil
				}
			}
			return nil
		})
	}
	err = g.Wait()
	slices.SortFunc(users, func(x, y user) int { return cmp.Compare(x.vmid, y.vmid) })
	return users, err
}

// names are those of VMs, for errors.
func names(users []user) string {
	var list []string
	for _, u := range users {
		list = append(list, u.object())
	}
	return strings.Join(list, ", ")
}
