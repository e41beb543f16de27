package vsphere

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/vmware/govmomi/vim25/types"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/vsphere/fault"
)

// ListVMs finds VMs in one traversal of all folders, or two where names narrow it, and one call for tags.
func (b *Backend) ListVMs(ctx context.Context, filter backends.VMFilter) ([]backends.VMSummary, error) {
	list, err := b.listVMs(ctx, filter)
	return list, fault.Wrap(err, "list VMs", "")
}

func (b *Backend) listVMs(ctx context.Context, filter backends.VMFilter) ([]backends.VMSummary, error) {
	ms, err := b.find(ctx, filter.Names, listPaths)
	if err != nil {
		return nil, err
	}
	ms = slices.DeleteFunc(ms, func(m *machine) bool {
		return filter.Power != "" && m.power() != filter.Power || filter.Host != "" && m.host() != filter.Host
	})
	var tags map[backends.ID][]string
	if len(ms) > 0 {
		if tags, err = b.readTags(ctx, ms); err != nil {
			return nil, err
		}
	}
	list := []backends.VMSummary{}
	for _, m := range ms {
		s := backends.VMSummary{ID: m.id(), Name: m.Name, Host: m.host(), Power: m.power(), Tags: tags[m.id()], Owned: m.mark != nil}
		if s.Tags == nil {
			s.Tags = []string{}
		}
		s.Template = m.Config != nil && m.Config.Template
		if !slices.ContainsFunc(filter.Tags, func(t string) bool { return !slices.Contains(s.Tags, t) }) {
			list = append(list, s)
		}
	}
	slices.SortFunc(list, func(x, y backends.VMSummary) int {
		return cmp.Or(strings.Compare(x.Name, y.Name), strings.Compare(string(x.ID), string(y.ID)))
	})
	return list, nil
}

// find reads the VMs of the names, or all where names is nil. Those that are being made
// and have no configuration yet are among them. A name that no VM has may be an inventory path, whole or its end.
func (b *Backend) find(ctx context.Context, names []string, paths []string) ([]*machine, error) {
	if names == nil {
		return b.everyVM(ctx, paths)
	}
	all, err := b.collectPaged(ctx, b.allVMs([]string{"name", "parent"}), lightPage)
	if err != nil {
		return nil, err
	}
	var ids []backends.ID
	for _, vm := range all {
		if slices.Contains(names, plain(vm.Name)) {
			ids = append(ids, backends.ID(vm.Self.Value))
		}
	}
	isPath := func(name string) bool { return strings.Contains(name, "/") }
	if len(ids) == 0 && slices.ContainsFunc(names, isPath) {
		index, err := b.inv.Index(ctx)
		if err != nil {
			return nil, err
		}
		for _, vm := range all {
			path := pathOf(vm, index)
			if slices.ContainsFunc(names, func(name string) bool { return isPath(name) && endsIn(path, name) }) {
				ids = append(ids, backends.ID(vm.Self.Value))
			}
		}
	}
	if len(ids) == 0 {
		return nil, nil
	}
	got, err := b.machines(ctx, ids, paths)
	if err != nil {
		return nil, err
	}
	var ms []*machine
	for _, id := range ids {
		if r := got[id]; r.machine != nil {
			ms = append(ms, r.machine)
		}
	}
	return ms, nil
}

// everyVM reads all VMs there are. One whose mark cannot be read counts as a stranger's.
func (b *Backend) everyVM(ctx context.Context, paths []string) ([]*machine, error) {
	all, err := b.collect(ctx, b.allVMs(paths))
	if err != nil {
		return nil, err
	}
	index, err := b.inv.Knowing(ctx, places(all))
	if err != nil {
		return nil, err
	}
	ms := make([]*machine, 0, len(all))
	for _, vm := range all {
		m, _ := describe(vm, index)
		ms = append(ms, m)
	}
	return ms, nil
}

// allVMs is the traversal from the root folder to every VM, those in vApps included: the API has no list
// of them, and a view would be one more object on the server.
func (b *Backend) allVMs(paths []string) types.PropertyFilterSpec {
	step := func(name, kind, path string, next ...string) *types.TraversalSpec {
		s := &types.TraversalSpec{SelectionSpec: types.SelectionSpec{Name: name}, Type: kind, Path: path}
		for _, n := range next {
			s.SelectSet = append(s.SelectSet, &types.SelectionSpec{Name: n})
		}
		return s
	}
	return types.PropertyFilterSpec{
		PropSet: []types.PropertySpec{{Type: "VirtualMachine", PathSet: paths}},
		ObjectSet: []types.ObjectSpec{{
			Obj:  b.conn.VIM().ServiceContent.RootFolder,
			Skip: types.NewBool(true),
			SelectSet: []types.BaseSelectionSpec{
				step("folders", "Folder", "childEntity", "folders", "datacenters", "vapps"),
				step("datacenters", "Datacenter", "vmFolder", "folders"),
				step("vapps", "VirtualApp", "vm"),
			},
		}},
	}
}
