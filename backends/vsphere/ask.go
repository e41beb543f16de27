package vsphere

import (
	"context"
	"slices"

	govmomifault "github.com/vmware/govmomi/fault"
	"github.com/vmware/govmomi/property"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/vsphere/fault"
)

// answer is what vSphere tells of one VM. Next to an error some of what was asked for is missing.
type answer struct {
	vm  mo.VirtualMachine
	err error
}

// objects asks for properties of VMs by their ids.
func objects(ids []backends.ID, paths []string) types.PropertyFilterSpec {
	spec := types.PropertyFilterSpec{PropSet: []types.PropertySpec{{Type: "VirtualMachine", PathSet: paths}}}
	ids = slices.Compact(slices.Sorted(slices.Values(ids)))
	for _, id := range ids {
		spec.ObjectSet = append(spec.ObjectSet, types.ObjectSpec{Obj: reference(id)})
	}
	return spec
}

// askTries is how often a traversal is begun in whose middle a VM vanishes.
const askTries = 5

// ask has the property collector tell of VMs, page by page. VMs that do not exist are not among the answers. Its own error is
// never NotFound: nothing is known of any VM then.
func (b *Backend) ask(ctx context.Context, spec types.PropertyFilterSpec, page int32) ([]answer, error) {
	// One id that does not exist would otherwise fail the call.
	spec.ReportMissingObjectsInResults = types.NewBool(true)
	for try := 1; len(spec.ObjectSet) > 0; try++ {
		res, err := property.DefaultCollector(b.conn.VIM()).RetrieveProperties(ctx,
			types.RetrieveProperties{SpecSet: []types.PropertyFilterSpec{spec}}, page)
		if err == nil {
			answers := make([]answer, len(res.Returnval))
			for i, content := range res.Returnval {
				answers[i] = told(content)
			}
			return answers, nil
		}
		var none *types.ManagedObjectNotFound
		if _, is := govmomifault.As(err, &none); !is || none.Obj.Type != "VirtualMachine" || try == askTries {
			return nil, fault.WrapBulk(err, "", "")
		}
		// Somebody deletes a VM at this moment.
		spec.ObjectSet = slices.DeleteFunc(slices.Clone(spec.ObjectSet), func(o types.ObjectSpec) bool { return o.Obj == none.Obj })
	}
	return nil, nil
}

// told reads one answer. What is missing of one VM is no error of others.
func told(content types.ObjectContent) answer {
	a := answer{vm: mo.VirtualMachine{ManagedEntity: mo.ManagedEntity{ExtensibleManagedObject: mo.ExtensibleManagedObject{Self: content.Obj}}}}
	object := backends.VMObject(content.Obj.Value)
	for _, p := range content.MissingSet {
		err := soap.WrapVimFault(p.Fault.Fault)
		a.err = fault.WrapBulk(err, "read", object)
		if fault.Gone(err, content.Obj) {
			a.err = fault.Wrap(err, "read", object)
			return a
		}
	}
	content.MissingSet = nil // mo takes it for an error of all
	loaded, err := mo.ObjectContentToType(content)
	if err != nil {
		a.err = fault.WrapBulk(err, "read", object)
	}
	if vm, ok := loaded.(mo.VirtualMachine); ok {
		a.vm = vm
	}
	return a
}
