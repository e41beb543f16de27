package proxmox

import (
	"context"
	"slices"
	"strings"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/proxmox/fault"
)

// Storages lists the storages of the nodes that are online. One that is not shared is the same by name on several nodes, and is listed once, with
// what it has at the provider's node, else at the first that has it.
func (b *Backend) Storages(ctx context.Context) ([]backends.Storage, error) {
	list, err := b.storages(ctx)
	return list, fault.Wrap(err, "list storages", "")
}

func (b *Backend) storages(ctx context.Context) ([]backends.Storage, error) {
	nodes, _, err := b.onlineNodes(ctx)
	if err != nil {
		return nil, err
	}
	list := []backends.Storage{}
	for _, node := range nodes {
		rows, err := b.storageRows(ctx, node)
		if err != nil {
			return nil, err
		}
		for _, r := range rows {
			s := backends.Storage{
				Name: string(r.Storage), Kind: string(r.Type), CapacityBytes: int64(r.Total), FreeBytes: int64(r.Avail), Active: bool(r.Active), Shared: bool(r.Shared),
			}
			at := slices.IndexFunc(list, func(known backends.Storage) bool { return known.Name == s.Name })
			switch {
			case at < 0:
				list = append(list, s)
			case !list[at].Active && s.Active:
				list[at] = s
			}
		}
	}
	slices.SortFunc(list, func(x, y backends.Storage) int { return strings.Compare(x.Name, y.Name) })
	return list, nil
}
