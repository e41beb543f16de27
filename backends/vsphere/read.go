package vsphere

import (
	"context"
	"slices"

	"github.com/vmware/govmomi/fault"
	"github.com/vmware/govmomi/property"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	classify "github.com/virtrigaud/terraform-provider-virtrigaud/backends/vsphere/fault"
)

// pageSize is how many VMs one answer of the property collector holds.
const pageSize = 100

// read is one VM of a bulk read, or why it could not be read.
type read struct {
	machine *machine
	err     error
}

// machines reads properties of VMs, in pages. Each id has an entry in the result.
func (b *Backend) machines(ctx context.Context, ids []backends.ID, paths []string) (map[backends.ID]read, error) {
	index, err := b.inv.Index(ctx)
	if err != nil {
		return nil, err
	}
	got := make(map[backends.ID]read, len(ids))
	left := slices.Clone(ids)
	slices.Sort(left)
	left = slices.Compact(left)
	for len(left) > 0 {
		vms, gone, err := b.retrieve(ctx, left, paths)
		if err != nil {
			return nil, classify.Wrap(err, "read VMs", "")
		}
		if gone != "" {
			// vSphere fails the whole call for one VM that does not exist.
			got[gone] = read{err: backends.Errorf(backends.NotFound, "read", backends.VMObject(string(gone)), "vSphere has no VM with this id")}
			left = slices.DeleteFunc(left, func(id backends.ID) bool { return id == gone })
			continue
		}
		for _, vm := range vms {
			m := &machine{VirtualMachine: vm, index: index}
			r := read{machine: m}
			if vm.Config != nil {
				m.mark, r.err = readMark(vm.Config.ExtraConfig, vm.Config.InstanceUuid)
			}
			got[m.id()] = r
		}
		break
	}
	return got, nil
}

// retrieve asks once. gone is an id that does not exist, and then nothing else is answered.
func (b *Backend) retrieve(ctx context.Context, ids []backends.ID, paths []string) (vms []mo.VirtualMachine, gone backends.ID, err error) {
	spec := types.PropertyFilterSpec{PropSet: []types.PropertySpec{{Type: "VirtualMachine", PathSet: paths}}}
	for _, id := range ids {
		spec.ObjectSet = append(spec.ObjectSet, types.ObjectSpec{Obj: reference(id)})
	}
	res, err := property.DefaultCollector(b.conn.VIM()).RetrieveProperties(ctx,
		types.RetrieveProperties{SpecSet: []types.PropertyFilterSpec{spec}}, pageSize)
	if err != nil {
		var missing types.ManagedObjectNotFound
		if _, is := fault.As(err, &missing); is && missing.Obj.Value != "" && slices.Contains(ids, backends.ID(missing.Obj.Value)) {
			return nil, backends.ID(missing.Obj.Value), nil
		}
		return nil, "", err
	}
	err = mo.LoadObjectContent(res.Returnval, &vms)
	return vms, "", err
}
