package vsphere

import (
	"context"

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
		return nil, err
	}
	if aspects&backends.AspectConfig != 0 {
		if err := b.addTags(ctx, got); err != nil {
			return nil, classify.WrapBulk(err, "read the tags of VMs", "")
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

// machines reads properties of VMs, in pages. Each id has an entry in the result. Its own error is never NotFound, which
// would take all of them for gone.
func (b *Backend) machines(ctx context.Context, ids []backends.ID, paths []string) (map[backends.ID]read, error) {
	answers, err := b.ask(ctx, objects(ids, paths), pageSize)
	if err != nil {
		return nil, backends.Wrap(err, "read VMs", "")
	}
	vms := make([]mo.VirtualMachine, len(answers))
	for i, a := range answers {
		vms[i] = a.vm
	}
	index, err := b.inv.Knowing(ctx, places(vms))
	if err != nil {
		return nil, classify.WrapBulk(err, "read VMs", "")
	}
	got := make(map[backends.ID]read, len(ids))
	for _, a := range answers {
		m, err := describe(a.vm, index)
		if a.err != nil {
			err = a.err
		}
		if backends.CodeOf(err) != backends.NotFound {
			got[m.id()] = read{machine: m, err: err}
		}
	}
	for _, id := range ids {
		if _, ok := got[id]; !ok {
			got[id] = missing(id)
		}
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
	if m.mark, err = readMark(vm.Config.ExtraConfig, vm.Config.InstanceUuid, vm.Self); err != nil {
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

// retrieve reads properties of VMs that have to be there. gone is an id that does not exist, and then nothing else is answered.
func (b *Backend) retrieve(ctx context.Context, ids []backends.ID, paths []string) (vms []mo.VirtualMachine, gone backends.ID, err error) {
	answers, err := b.ask(ctx, objects(ids, paths), pageSize)
	if err != nil {
		return nil, "", err
	}
	there := map[backends.ID]bool{}
	for _, a := range answers {
		if a.err != nil && backends.CodeOf(a.err) != backends.NotFound {
			return nil, "", a.err
		}
		there[backends.ID(a.vm.Self.Value)] = a.err == nil
		vms = append(vms, a.vm)
	}
	for _, id := range ids {
		if !there[id] {
			return nil, id, nil
		}
	}
	return vms, "", nil
}

// collect runs one traversal of the property collector, page by page.
func (b *Backend) collect(ctx context.Context, spec types.PropertyFilterSpec) ([]mo.VirtualMachine, error) {
	return b.collectPaged(ctx, spec, pageSize)
}

// collectPaged leaves out VMs that vanish meanwhile. Those of which the account may not see everything lack what it may not see.
func (b *Backend) collectPaged(ctx context.Context, spec types.PropertyFilterSpec, page int32) ([]mo.VirtualMachine, error) {
	answers, err := b.ask(ctx, spec, page)
	if err != nil {
		return nil, err
	}
	vms := make([]mo.VirtualMachine, 0, len(answers))
	for _, a := range answers {
		if backends.CodeOf(a.err) != backends.NotFound {
			vms = append(vms, a.vm)
		}
	}
	return vms, nil
}
