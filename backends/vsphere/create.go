package vsphere

import (
	"context"
	"strings"

	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/vim25/types"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/vsphere/fault"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/vsphere/inventory"
)

// CreateVM makes a VM in one task and leaves it stopped. Everything that can be checked is checked before. Its mark is
// in the VM from the beginning, so that nothing is forgotten whenever this ends.
func (b *Backend) CreateVM(ctx context.Context, spec *backends.VMSpec) (backends.ID, error) {
	id, err := b.createVM(ctx, spec)
	return id, backends.Wrap(err, "create", backends.VMObject(spec.Name))
}

func (b *Backend) createVM(ctx context.Context, spec *backends.VMSpec) (backends.ID, error) {
	if err := backends.Vet(b.catalogue(), &backends.VMSpec{}, spec, backends.Requirements(spec), "create", backends.VMObject(spec.Name)); err != nil {
		return "", err
	}
	if err := checkName(spec.Name); err != nil {
		return "", err
	}
	from, err := b.originOf(ctx, spec)
	if err != nil {
		return "", err
	}
	if from != (origin{}) {
		return b.deploy(ctx, spec, from)
	}
	place, err := b.inv.Place(ctx, spec.Placement)
	if err != nil {
		return "", err
	}
	if id, err := b.claim(ctx, place, spec); id != "" || err != nil {
		return id, err
	}
	bld, err := b.buildConfig(ctx, place, spec, nil, nil)
	if err != nil {
		return "", err
	}
	id, err := b.make(ctx, spec, bld)
	if err != nil {
		return id, err
	}
	return id, b.finish(ctx, id, spec, bld)
}

// originOf is what the VM is made from, nothing where it is made from nothing.
func (b *Backend) originOf(ctx context.Context, spec *backends.VMSpec) (origin, error) {
	switch {
	case spec.Image != "" && spec.Template != "":
		return origin{}, backends.Errorf(backends.Invalid, "", "", "a VM is made from an image or from a template, not from both").At("template")
	case spec.Image != "":
		return b.imageOf(ctx, spec.Image)
	case spec.Template != "":
		return b.templateOf(ctx, spec.Template)
	case spec.Linked:
		return origin{}, backends.Errorf(backends.Invalid, "", "", "linked asks to share the content of an image or a template, and there is none").At("linked")
	}
	return origin{}, nil
}

// maxName is how long vSphere lets the name of an object be.
const maxName = 80

func checkName(name string) error {
	switch {
	case name == "":
		return backends.Errorf(backends.Invalid, "", "", "a VM needs a name").At("name")
	case len(escaped(name)) > maxName:
		return backends.Errorf(backends.Invalid, "", "", "%q is longer than the %d characters that vSphere takes, in which %%, / and \\ count three each", name, maxName).At("name")
	case strings.ContainsAny(name, "\r\n\x00"):
		return backends.Errorf(backends.Invalid, "", "", "%q has characters that vSphere does not take", name).At("name")
	}
	return nil
}

// claim looks for a VM of the name in the folder. One that an earlier try of the same creation made is the result; one
// that it left half-made is removed. Anything else is a Conflict.
func (b *Backend) claim(ctx context.Context, place inventory.Place, spec *backends.VMSpec) (backends.ID, error) {
	m, err := b.named(ctx, place, spec.Name)
	if m == nil || err != nil {
		return "", err
	}
	switch {
	case spec.CreateToken != "" && m.unnamed(),
		spec.CreateToken != "" && m.mark != nil && m.mark.Token == spec.CreateToken && m.incomplete():
		return "", backends.Errorf(backends.Locked, "", "", "a VM of the name, with the id %s, is still being made, as by an earlier try of the same creation", m.id()).At("name")
	case m.mark == nil || spec.CreateToken == "" || m.mark.Token != spec.CreateToken:
		return "", nameTaken(spec.Name, m.id(), place.Folder)
	}
	if !m.mark.Partial {
		return m.id(), nil
	}
	err = b.DeleteVM(ctx, m.id(), backends.DeleteOptions{})
	if backends.CodeOf(err) == backends.NotFound {
		err = nil
	}
	return "", err
}

// unnamed reports whether vSphere still makes a VM that may be ours: it shows it before it has its mark. One that is there and cannot be
// read, such as after its datastore was lost, is not being made.
func (m *machine) unnamed() bool {
	if m.Config == nil {
		state := m.Runtime.ConnectionState
		return state != types.VirtualMachineConnectionStateInaccessible && state != types.VirtualMachineConnectionStateOrphaned
	}
	_, marked := extraValue(m.Config.ExtraConfig, markKey)
	return !marked && strings.HasPrefix(m.Config.InstanceUuid, estatePrefix)
}

// incomplete reports whether vSphere has yet to give a VM of ours the disks that were asked for.
func (m *machine) incomplete() bool {
	for _, d := range m.mark.Disks {
		if d.Device == 0 && !m.mark.Partial {
			return true
		}
	}
	return false
}

// named reads the VM of a name in the folder of a place, nil where there is none.
func (b *Backend) named(ctx context.Context, place inventory.Place, name string) (*machine, error) {
	ref, err := object.NewSearchIndex(b.conn.VIM()).FindChild(ctx, place.Folder.Ref, escaped(name))
	if err != nil {
		return nil, fault.Wrap(err, "look for a VM of the name", "")
	}
	if ref == nil || ref.Reference().Type != "VirtualMachine" {
		return nil, nil
	}
	m, err := b.machine(ctx, backends.ID(ref.Reference().Value), "read")
	if backends.CodeOf(err) == backends.NotFound {
		return nil, nil // gone meanwhile
	}
	return m, err
}

func nameTaken(name string, id backends.ID, folder inventory.Object) error {
	return backends.Errorf(backends.Conflict, "", "", "folder %q has a VM %q already, with the id %s", folder.Path, name, id).At("name").
		Advise("Choose another name, or bring the existing VM under management with: terraform import ADDRESS %s", id)
}

// make has vSphere create the VM. The id comes next to an error where the VM exists all the same.
func (b *Backend) make(ctx context.Context, spec *backends.VMSpec, bld *build) (backends.ID, error) {
	folder, pool := object.NewFolder(b.conn.VIM(), bld.place.Folder.Ref), object.NewResourcePool(b.conn.VIM(), bld.place.Pool.Ref)
	var host *object.HostSystem
	if bld.place.Host != nil {
		host = object.NewHostSystem(b.conn.VIM(), bld.place.Host.Ref)
	}
	info, err := b.conn.Await(ctx, "create", backends.VMObject(spec.Name), func(ctx context.Context) (*object.Task, error) {
		return folder.CreateVM(ctx, bld.spec, pool, host)
	})
	if info != nil {
		if ref, ok := info.Result.(types.ManagedObjectReference); ok {
			return backends.ID(ref.Value), bld.explain(err)
		}
	}
	if err == nil {
		return "", backends.Errorf(backends.Internal, "", "", "vSphere answered no VM")
	}
	return b.afterwards(ctx, spec, bld, err)
}

// afterwards looks for what a creation that failed made all the same: where its answer was lost nobody knows.
func (b *Backend) afterwards(ctx context.Context, spec *backends.VMSpec, bld *build, err error) (backends.ID, error) {
	err = bld.explain(err)
	switch backends.CodeOf(err) {
	case backends.Transient, backends.Timeout, backends.Canceled, backends.Internal, backends.Conflict:
	default:
		return "", err
	}
	look, cancel := context.WithTimeout(context.WithoutCancel(ctx), lookTime)
	defer cancel()
	m, lookErr := b.named(look, bld.place, spec.Name)
	switch {
	case lookErr != nil || m == nil:
		return "", err
	case m.Config != nil && m.Config.InstanceUuid == bld.spec.InstanceUuid:
		return m.id(), err
	case backends.CodeOf(err) == backends.Conflict:
		return "", nameTaken(spec.Name, m.id(), bld.place.Folder) // somebody else was faster
	case m.Config == nil:
		return m.id(), err // vCenter shows a VM before it is made, and claim saw the name free just before
	}
	return "", err
}
