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
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/vsphere/inventory"
)

// How many VMs one answer of the property collector holds: of whole ones, and of those of which a
// property or two are asked.
const (
	pageSize  = 100
	lightPage = 5000
)

// read is one VM of a bulk read, or why it could not be read.
type read struct {
	machine *machine
	err     error
}

// GetVMs reads VMs in bulk: one call a page, one for the names of what they refer to, and with AspectConfig one for tags.
func (b *Backend) GetVMs(ctx context.Context, ids []backends.ID, aspects backends.Aspects) (map[backends.ID]backends.Result, error) {
	paths := runtimePaths
	if aspects&(backends.AspectConfig|backends.AspectSeed) != 0 {
		paths = configPaths
	}
	got, err := b.machines(ctx, ids, paths)
	if err != nil {
		return nil, backends.Wrap(err, "read VMs", "")
	}
	if aspects&backends.AspectConfig != 0 {
		if err := b.addTags(ctx, got); err != nil {
			return nil, backends.Wrap(err, "read the tags of VMs", "")
		}
	}
	results := make(map[backends.ID]backends.Result, len(got))
	for id, r := range got {
		if r.err != nil {
			results[id] = backends.Result{Err: r.err}
			continue
		}
		vm, err := r.machine.observe(aspects)
		results[id] = backends.Result{VM: vm, Err: err}
		if err != nil {
			results[id] = backends.Result{Err: err}
		}
	}
	return results, nil
}

func (b *Backend) addTags(ctx context.Context, got map[backends.ID]read) error {
	var ms []*machine
	for _, r := range got {
		if r.err == nil {
			ms = append(ms, r.machine)
		}
	}
	if len(ms) == 0 {
		return nil
	}
	tags, err := b.readTags(ctx, ms)
	for _, m := range ms {
		m.tags = tags[m.id()]
	}
	if err != nil {
		return err
	}
	return b.readPolicies(ctx, ms)
}

// machines reads properties of VMs, in pages. Each id has an entry in the result.
func (b *Backend) machines(ctx context.Context, ids []backends.ID, paths []string) (map[backends.ID]read, error) {
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
			got[gone] = missing(gone)
			left = slices.DeleteFunc(left, func(id backends.ID) bool { return id == gone })
			continue
		}
		index, err := b.inv.Knowing(ctx, places(vms))
		if err != nil {
			return nil, err
		}
		for _, vm := range vms {
			m, err := describe(vm, index)
			got[m.id()] = read{machine: m, err: err}
		}
		for _, id := range left { // vSphere leaves out what vanished while it answered
			if _, ok := got[id]; !ok {
				got[id] = missing(id)
			}
		}
		break
	}
	return got, nil
}

// describe completes what vSphere answered of a VM. Next to an error the machine is that of a stranger.
func describe(vm mo.VirtualMachine, index *inventory.Index) (*machine, error) {
	m := &machine{VirtualMachine: vm, index: index}
	m.Name = plain(vm.Name)
	if vm.Config == nil {
		return m, nil
	}
	var err error
	if m.mark, err = readMark(vm.Config.ExtraConfig, vm.Config.InstanceUuid); err != nil {
		return m, &backends.Error{Code: backends.Internal, Op: "read", Object: m.object(), Err: err}
	}
	if m.mark != nil {
		m.mark.resolve(m)
	}
	return m, nil
}

func missing(id backends.ID) read {
	return read{err: backends.Errorf(backends.NotFound, "read", backends.VMObject(string(id)), "vSphere has no VM with this id")}
}

// retrieve asks once. gone is an id that does not exist, and then nothing else is answered.
func (b *Backend) retrieve(ctx context.Context, ids []backends.ID, paths []string) (vms []mo.VirtualMachine, gone backends.ID, err error) {
	spec := types.PropertyFilterSpec{PropSet: []types.PropertySpec{{Type: "VirtualMachine", PathSet: paths}}}
	for _, id := range ids {
		spec.ObjectSet = append(spec.ObjectSet, types.ObjectSpec{Obj: reference(id)})
	}
	vms, err = b.collect(ctx, spec)
	var none *types.ManagedObjectNotFound
	if _, is := fault.As(err, &none); is && slices.Contains(ids, backends.ID(none.Obj.Value)) {
		return nil, backends.ID(none.Obj.Value), nil
	}
	return vms, "", err
}

// collect runs one traversal of the property collector, page by page.
func (b *Backend) collect(ctx context.Context, spec types.PropertyFilterSpec) ([]mo.VirtualMachine, error) {
	return b.collectPaged(ctx, spec, pageSize)
}

func (b *Backend) collectPaged(ctx context.Context, spec types.PropertyFilterSpec, page int32) ([]mo.VirtualMachine, error) {
	res, err := property.DefaultCollector(b.conn.VIM()).RetrieveProperties(ctx,
		types.RetrieveProperties{SpecSet: []types.PropertyFilterSpec{spec}}, page)
	if err != nil {
		return nil, err
	}
	var vms []mo.VirtualMachine
	return vms, mo.LoadObjectContent(res.Returnval, &vms)
}
