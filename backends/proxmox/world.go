package proxmox

import (
	"context"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/proxmox/pve"
)

// nodeRow is one node as the cluster lists it.
type nodeRow struct {
	Node   pve.Text `json:"node"`
	Status pve.Text `json:"status"` // "online", "offline" or "unknown"
	MaxCPU pve.Int  `json:"maxcpu"`
	MaxMem pve.Int  `json:"maxmem"` // bytes
	Mem    pve.Int  `json:"mem"`
}

func (n nodeRow) online() bool { return n.Status == "online" }

func (b *Backend) nodeRows(ctx context.Context) ([]nodeRow, error) {
	return shared(ctx, b.estate, "nodes", func(ctx context.Context) (rows []nodeRow, err error) {
		err = b.conn.Get(ctx, "/nodes", nil, &rows)
		return rows, err
	})
}

// storageRow is one storage as a node lists it.
type storageRow struct {
	Storage pve.Text `json:"storage"`
	Type    pve.Text `json:"type"`
	Content pve.Text `json:"content"` // a list with commas
	Total   pve.Int  `json:"total"`   // bytes
	Avail   pve.Int  `json:"avail"`
	Active  pve.Bool `json:"active"`
	Enabled pve.Bool `json:"enabled"`
	Shared  pve.Bool `json:"shared"`
}

func (r storageRow) contents() []string { return words(string(r.Content)) }

func words(list string) []string {
	return strings.FieldsFunc(list, func(r rune) bool { return r == ',' || r == ' ' || r == ';' })
}

// storageRows are the storages that a node can use now.
func (b *Backend) storageRows(ctx context.Context, node string) ([]storageRow, error) {
	return shared(ctx, b.estate, "storages "+node+" ", func(ctx context.Context) (rows []storageRow, err error) {
		err = b.conn.Get(ctx, pve.Path("nodes", node, "storage"), url.Values{"enabled": {"1"}}, &rows)
		return rows, err
	})
}

// storageConfig is what storage.cfg says of a storage beyond what nodes list.
type storageConfig struct {
	Storage       pve.Text `json:"storage"`
	Type          pve.Text `json:"type"`
	Content       pve.Text `json:"content"`
	Sparse        pve.Bool `json:"sparse"`
	Preallocation pve.Text `json:"preallocation"`
}

// storageConfigs says how storages are set up. An account that may not see that gets none: defaults are assumed then.
func (b *Backend) storageConfigs(ctx context.Context) (map[string]storageConfig, error) {
	return shared(ctx, b.estate, "storage.cfg", func(ctx context.Context) (map[string]storageConfig, error) {
		var rows []storageConfig
		err := b.conn.Get(ctx, "/storage", nil, &rows)
		if err != nil && backends.CodeOf(err) != backends.Auth {
			return nil, err
		}
		all := make(map[string]storageConfig, len(rows))
		for _, r := range rows {
			all[string(r.Storage)] = r
		}
		return all, nil
	})
}

// storagesKnown is a world with what storage.cfg says of storages: enough to tell what disks are like.
func (b *Backend) storagesKnown(ctx context.Context, aspects backends.Aspects) (world, error) {
	w := world{Storage: b.cfg.Storage, Bridge: b.cfg.Bridge, Storages: map[string]storageFacts{}}
	if aspects&(backends.AspectConfig|backends.AspectSeed) == 0 {
		return w, nil
	}
	configs, err := b.storageConfigs(ctx)
	if err != nil {
		return w, err
	}
	for name, c := range configs {
		w.Storages[name] = storageFacts{Type: string(c.Type), Content: words(string(c.Content)), Sparse: bool(c.Sparse), Preallocation: string(c.Preallocation)}
	}
	return w, nil
}

// worldOf learns what the mapping needs to know of a node, side by side. Mappings are asked for only where devices are wanted.
func (b *Backend) worldOf(ctx context.Context, node string, wants *backends.VMSpec) (world, error) {
	w := world{Storage: b.cfg.Storage, Bridge: b.cfg.Bridge, Storages: map[string]storageFacts{}}
	var (
		rows    []storageRow
		configs map[string]storageConfig
	)
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() (err error) { rows, err = b.storageRows(ctx, node); return err })
	g.Go(func() (err error) { configs, err = b.storageConfigs(ctx); return err })
	if wants == nil || wants.CPU.LimitMHz != nil && *wants.CPU.LimitMHz > 0 {
		g.Go(func() (err error) { w.MHz, err = b.mhz(ctx, node); return err })
	}
	if wants != nil && len(wants.HostDevices) > 0 {
		g.Go(func() (err error) { w.Mappings, err = b.mappings(ctx); return err })
	}
	if err := g.Wait(); err != nil {
		return w, err
	}
	for _, r := range rows {
		if !r.Active {
			continue
		}
		name := string(r.Storage)
		w.Storages[name] = storageFacts{
			Type: string(r.Type), Content: r.contents(), Free: int64(r.Avail),
			Sparse: bool(configs[name].Sparse), Preallocation: string(configs[name].Preallocation),
		}
	}
	return w, nil
}

// mhz is the clock of a node's processors, 0 where the account may not see it.
func (b *Backend) mhz(ctx context.Context, node string) (int64, error) {
	return shared(ctx, b.estate, "mhz "+node+" ", func(ctx context.Context) (int64, error) {
		var status struct {
			CPUInfo struct {
				MHz pve.Float `json:"mhz"`
			} `json:"cpuinfo"`
		}
		err := b.conn.Get(ctx, pve.Path("nodes", node, "status"), nil, &status)
		if backends.CodeOf(err) == backends.Auth {
			return 0, nil
		}
		return int64(status.CPUInfo.MHz), err
	})
}

// mappings are the kinds of devices by the mappings' names, nil where the account may not see them.
func (b *Backend) mappings(ctx context.Context) (map[string]string, error) {
	all := map[string]string{}
	for _, kind := range []string{"pci", "usb"} {
		var rows []struct {
			ID pve.Text `json:"id"`
		}
		err := b.conn.Get(ctx, pve.Path("cluster", "mapping", kind), nil, &rows)
		switch backends.CodeOf(err) {
		case "":
		case backends.Auth:
			return nil, nil
		default:
			return nil, err
		}
		for _, r := range rows {
			all[string(r.ID)] = kind
		}
	}
	return all, nil
}

// place chooses the node of a new VM: the one that is asked for, the provider's, or the one with most free memory of those
// that suits accepts, less what VMs that are made meanwhile will take of it. bytes is what the VM will take, 0 where none is made.
func (b *Backend) place(ctx context.Context, at backends.PlacementSpec, suits func(node string) bool, bytes int64) (string, error) {
	rows, err := b.nodeRows(ctx)
	if err != nil {
		return "", err
	}
	if at.Cluster != nil {
		return "", backends.Errorf(backends.Unsupported, "", "", "a connection to Proxmox VE is one cluster").At("placement.cluster").
			Advise("Remove placement.cluster; name a node with placement.host.")
	}
	want := b.cfg.Node
	path := backends.Path("")
	if at.Host != nil {
		want, path = *at.Host, "placement.host"
	}
	var names []string
	var able []nodeRow
	for _, n := range rows {
		name := string(n.Node)
		names = append(names, fmt.Sprintf("%q", name))
		switch {
		case want != "" && name == want && !n.online():
			return "", backends.Errorf(backends.Transient, "", "", "the node %q is %s", want, n.Status).At(path).Advise("Wait until it is back, or choose another node.")
		case want != "" && name == want:
			return want, nil
		case want == "" && n.online() && (suits == nil || suits(name)):
			able = append(able, n)
		}
	}
	switch {
	case want != "":
		return "", backends.Errorf(backends.NotFound, "", "", "the cluster has no node %q; it has %s", want, strings.Join(names, ", ")).At(path)
	case len(able) == 0:
		return "", backends.Errorf(backends.Precondition, "", "", "no node of the cluster can take the VM").
			Advise("Name a node with placement.host, or make the image or template and the storage available to a node that is online.")
	}
	return b.making.roomiest(able, bytes), nil
}

// names are those of the storages, sorted.
func (w world) names() []string { return slices.Sorted(maps.Keys(w.Storages)) }

// takes reports whether a storage takes a kind of content.
func (w world) takes(storage, content string) bool {
	return slices.Contains(w.Storages[storage].Content, content)
}
