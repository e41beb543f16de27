package vsphere

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/vim25/mo"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/vsphere/fault"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/vsphere/inventory"
)

// markTemplate makes a stopped VM a template.
func (b *Backend) markTemplate(ctx context.Context, m *machine) error {
	return fault.Wrap(b.vm(m.id()).MarkAsTemplate(ctx), "make a template of it", m.object())
}

// markMachine makes a template a VM again, on the host that it is on.
func (b *Backend) markMachine(ctx context.Context, m *machine) error {
	const op = "make a VM of the template"
	if m.Runtime.Host == nil {
		return backends.Errorf(backends.Precondition, op, m.object(), "no host has the template")
	}
	host := m.host()
	place, err := b.inv.Place(ctx, backends.PlacementSpec{Host: &host})
	if err != nil {
		return backends.Wrap(err, op, m.object())
	}
	pool := object.NewResourcePool(b.conn.VIM(), place.Pool.Ref)
	err = b.vm(m.id()).MarkAsVirtualMachine(ctx, *pool, object.NewHostSystem(b.conn.VIM(), *m.Runtime.Host))
	return fault.Wrap(err, op, m.object())
}

// templateOf finds what VMSpec.Template names: a VM or template by id, by inventory path or by name. Several
// of a name are a Conflict that lists them.
func (b *Backend) templateOf(ctx context.Context, name string) (origin, error) {
	id, err := b.resolveVM(ctx, name)
	if err != nil {
		return origin{}, blame(err, "template")
	}
	return origin{VM: id}, nil
}

// resolveVM finds a VM by id, by inventory path (whole, or its end) or by name, in the provider's datacenter where several match.
func (b *Backend) resolveVM(ctx context.Context, name string) (backends.ID, error) {
	index, err := b.inv.Index(ctx)
	if err != nil {
		return "", err
	}
	all, err := b.collect(ctx, b.allVMs([]string{"name", "parent"}))
	if err != nil {
		return "", fault.Wrap(err, "list VMs", "")
	}
	found := map[string]backends.ID{} // by path
	for _, vm := range all {
		if vm.Self.Value == name {
			return backends.ID(name), nil
		}
		path := pathOf(vm, index)
		if plain(vm.Name) == name || endsIn(path, name) {
			found[path+" ("+vm.Self.Value+")"] = backends.ID(vm.Self.Value)
		}
	}
	if len(found) > 1 {
		found = b.atHome(ctx, found)
	}
	for _, id := range found {
		if len(found) == 1 {
			return id, nil
		}
	}
	if len(found) == 0 {
		return "", backends.Errorf(backends.NotFound, "", "", "there is no template or VM %q", name).
			Advise("Give the name, the inventory path or the id of a template or VM that the provider's user can see.")
	}
	return "", backends.Errorf(backends.Conflict, "", "", "%d VMs and templates are called %q: %s",
		len(found), name, strings.Join(slices.Sorted(maps.Keys(found)), ", ")).
		Advise("Use the inventory path or the id of the one that is meant.")
}

// pathOf is the inventory path of a VM whose name and parent were read.
func pathOf(vm mo.VirtualMachine, index *inventory.Index) string {
	if vm.Parent != nil {
		if folder, ok := index.Object(*vm.Parent); ok {
			return folder.Path + "/" + vm.Name
		}
	}
	return "/" + vm.Name
}

// endsIn reports whether a path is the one given, or ends in it.
func endsIn(path, given string) bool { return path == given || strings.HasSuffix(path, "/"+given) }

// atHome are those of VMs, by path, that are in the provider's datacenter, or all where none is.
func (b *Backend) atHome(ctx context.Context, found map[string]backends.ID) map[string]backends.ID {
	if b.cfg.Datacenter == "" {
		return found
	}
	dc, err := b.inv.Find(ctx, inventory.Datacenter, b.cfg.Datacenter)
	if err != nil {
		return found
	}
	home := maps.Clone(found)
	maps.DeleteFunc(home, func(path string, _ backends.ID) bool { return !strings.HasPrefix(path, dc.Path+"/") })
	if len(home) == 0 {
		return found
	}
	return home
}
