package vsphere

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/vim25/types"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/vsphere/datastore"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/vsphere/fault"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/cloudinit"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/diskimage"
)

// imagePaths are what an image is described by.
var imagePaths = []string{"name", "parent", "config.template", "config.instanceUuid", "config.extraConfig", "config.hardware.device", "summary.storage"}

// imageVM reads a template. What is none, and one that is not complete, is a NotFound. One that is a VM for a moment, as the first
// linked clone of a template makes it, is waited for.
func (b *Backend) imageVM(ctx context.Context, id backends.ID) (*machine, error) {
	bounded, cancel := context.WithTimeout(ctx, thawTime)
	defer cancel()
	for {
		times, err := b.links.thaws.wait(ctx, id)
		if err != nil {
			return nil, err
		}
		var m *machine
		err = whileLocked(bounded, func() error {
			m, err = b.imageOnce(ctx, id)
			return err
		})
		switch again, _ := b.links.thaws.wait(ctx, id); {
		case err == nil:
			return m, nil
		case again != times:
		case ctx.Err() == nil && isStale(err) && m != nil:
			return nil, noTemplate(m.Name)
		default:
			return nil, err
		}
	}
}

// imageOnce reads a template; an image of ours that is a VM at this moment is Locked.
func (b *Backend) imageOnce(ctx context.Context, id backends.ID) (*machine, error) {
	got, err := b.machines(ctx, []backends.ID{id}, imagePaths)
	if err != nil {
		return nil, err
	}
	r := got[id]
	switch {
	case backends.CodeOf(r.err) == backends.NotFound:
		return nil, backends.Errorf(backends.NotFound, "", "", "there is no image with this id: ids are those of templates, and datastore paths")
	case r.err != nil:
		return nil, r.err
	case r.machine.isImage():
		return r.machine, nil
	case r.machine.Config != nil && r.machine.mark != nil && r.machine.mark.Image != "" && !r.machine.mark.Partial:
		return r.machine, backends.Errorf(backends.Locked, "", "", "the image is a VM for a moment")
	}
	return nil, noTemplate(r.machine.Name)
}

func noTemplate(name string) error {
	return backends.Errorf(backends.NotFound, "", "", "there is no image with this id: the VM %q is no template", name)
}

// imageVMs reads all templates, in one bulk read.
func (b *Backend) imageVMs(ctx context.Context) ([]*machine, error) {
	all, err := b.withImages(ctx)
	if err != nil {
		return nil, fault.Wrap(err, "list images", "")
	}
	return slices.DeleteFunc(all, func(m *machine) bool { return !m.isImage() }), nil
}

// withImages reads all VMs as images are described. Templates that were VMs for the moment of the bulk read are read once more.
func (b *Backend) withImages(ctx context.Context) ([]*machine, error) {
	before := b.links.thaws.seen()
	all, err := b.everyVM(ctx, imagePaths)
	if err != nil {
		return nil, err
	}
	for i, m := range all {
		if m.isImage() || !b.links.thaws.since(m.id(), before) {
			continue
		}
		again, err := b.imageVM(ctx, m.id())
		switch backends.CodeOf(err) {
		case backends.NotFound:
		case "":
			all[i] = again
		default:
			return nil, err
		}
	}
	return all, nil
}

// isImage reports whether the VM is a template that is complete.
func (m *machine) isImage() bool {
	return m.Config != nil && m.Config.Template && (m.mark == nil || !m.mark.Partial)
}

// kind is that of the image that the VM is.
func (m *machine) kind() string {
	if m.mark == nil || m.mark.Image == "" {
		return "template"
	}
	return m.mark.Image
}

// image describes a template: where the disk is that boots, and how large all of its disks are.
func (m *machine) image() backends.Image {
	img := backends.Image{ID: m.Self.Value, Name: m.Name, Kind: m.kind(), Format: "vmdk", Allocated: -1}
	if m.mark != nil {
		img.Fingerprint = m.mark.Fingerprint
	}
	root := m.rootDisk()
	for _, d := range m.devices() {
		disk, ok := d.(*types.VirtualDisk)
		if !ok {
			continue
		}
		img.SizeBytes += capacityOf(disk)
		if disk == root {
			img.Path = fileOf(disk)
			img.Storage, _, _ = datastore.Parse(img.Path)
		}
	}
	if s := m.Summary.Storage; s != nil {
		img.Allocated = s.Committed
	}
	return img
}

// rootDisk is the disk that the VM boots from: that of the key "root", else the first; nil where it has none.
func (m *machine) rootDisk() *types.VirtualDisk {
	var first *types.VirtualDisk
	for _, d := range m.devices() {
		disk, ok := d.(*types.VirtualDisk)
		if !ok {
			continue
		}
		if first == nil {
			first = disk
		}
		if m.mark == nil {
			continue
		}
		if k, known := m.mark.Disks["root"]; known {
			if at, ok := slotOf(m.devices(), disk); ok && at.String() == k.Slot || k.Device != 0 && k.Device == disk.Key {
				return disk
			}
		}
	}
	return first
}

// capacityOf is what a guest sees of a disk, in bytes.
func capacityOf(d *types.VirtualDisk) int64 {
	if d.CapacityInBytes > 0 {
		return d.CapacityInBytes
	}
	return d.CapacityInKB * 1024
}

// template makes an image that is a template, unless there is one with the same content.
func (a *arrival) template(ctx context.Context) (backends.Image, error) {
	all, err := a.withImages(ctx)
	if err != nil {
		return backends.Image{}, fault.Wrap(err, "look for the image", "")
	}
	if img, found, err := a.earlier(ctx, all); found || err != nil {
		return img, err
	}
	var id backends.ID
	twin := a.twin(all)
	switch {
	case twin != nil:
		id, err = a.cloneImage(ctx, twin, nil)
	case a.source.VM != "":
		id, err = a.fromVM(ctx, a.source.VM)
	case a.source.LibraryItem != "":
		id, err = a.fromLibrary(ctx)
	case a.spec.Kind == "ova":
		id, err = a.appliance(ctx)
	default:
		id, err = a.disk(ctx)
	}
	if err != nil {
		return backends.Image{}, err
	}
	m, err := a.imageVM(ctx, id)
	if err != nil {
		return backends.Image{}, a.undo(ctx, id, err)
	}
	img := m.image()
	img.Cached = twin != nil
	return img, nil
}

// earlier looks at what has the image's name: VMs in its folder, and images in the datacenter, which may be in the folder of what they
// were made of. What an import left that was cut short is removed.
func (a *arrival) earlier(ctx context.Context, all []*machine) (img backends.Image, found bool, err error) {
	for _, m := range all {
		ours := m.mark != nil && m.mark.Image != ""
		if m.Name != a.spec.Name || m.Parent == nil || *m.Parent != a.place.Folder.Ref && (!ours || !a.nearby(m)) {
			continue
		}
		switch {
		case ours && m.mark.Partial:
			if err := a.underWay(ctx, m); err != nil {
				return img, false, err
			}
			err := a.DeleteVM(ctx, m.id(), backends.DeleteOptions{})
			if backends.CodeOf(err) == backends.NotFound {
				err = nil
			}
			return img, false, err
		case !ours || !m.isImage():
			return img, false, backends.Errorf(backends.Conflict, "", "", "there is already a VM %q (%s) in the folder %q", m.Name, m.Self.Value, a.place.Folder.Name).
				At("name").Advise("Choose another name. A template can be used as it is, by its id %q or its name.", m.Self.Value)
		case m.kind() == a.spec.Kind && diskimage.SameContent(m.mark.Fingerprint, a.spec.Fingerprint):
			img = m.image()
			img.Cached = true
			return img, true, nil
		}
		return img, false, backends.Errorf(backends.Conflict, "", "", "there is already an image %q with other content", m.Name).
			At("name").Advise("Choose another name, or import the existing image under its id %q.", m.Self.Value)
	}
	return img, false, nil
}

// twin finds an image that has the same content under another name, in the same datacenter; nil: there is none.
func (a *arrival) twin(all []*machine) *machine {
	for _, m := range all {
		if m.isImage() && m.mark != nil && m.kind() == a.spec.Kind && diskimage.SameContent(m.mark.Fingerprint, a.spec.Fingerprint) && a.nearby(m) {
			return m
		}
	}
	return nil
}

// nearby reports whether a VM is in the datacenter that the image goes to.
func (a *arrival) nearby(m *machine) bool {
	if m.index == nil || m.Parent == nil {
		return false
	}
	o, ok := m.index.Object(*m.Parent)
	return ok && o.Datacenter == a.place.Datacenter.Ref
}

// mark is that of the image, for a VM with the instance UUID.
func (a *arrival) mark(instance string) *mark {
	return &mark{VM: instance, Image: a.spec.Kind, Fingerprint: a.spec.Fingerprint}
}

// cloneImage makes the image's template by cloning a VM, with changes to its devices.
func (a *arrival) cloneImage(ctx context.Context, from *machine, changes []types.BaseVirtualDeviceConfigSpec) (backends.ID, error) {
	k := a.mark(newInstanceUUID())
	if from.mark != nil && changes == nil {
		k = from.mark.clone()
		k.VM, k.Ref, k.Token, k.Image, k.Fingerprint = newInstanceUUID(), "", "", a.spec.Kind, a.spec.Fingerprint
		k.Seed = nil // its medium would go with the new template, and is the other's
	} else if root := from.rootDisk(); root != nil {
		if at, ok := slotOf(from.devices(), root); ok {
			k.Disks = map[string]diskMark{rootKey: {Slot: at.String()}}
		}
	}
	option, err := k.option()
	if err != nil {
		return "", err
	}
	none := false
	spec := types.VirtualMachineCloneSpec{
		Location: types.VirtualMachineRelocateSpec{
			Datastore: &a.store.Ref, Pool: &a.place.Pool.Ref, DiskMoveType: string(types.VirtualMachineRelocateDiskMoveOptionsMoveAllDiskBackingsAndDisallowSharing),
		},
		Config: &types.VirtualMachineConfigSpec{
			InstanceUuid: k.VM, DeviceChange: changes,
			ExtraConfig: append(withoutGuestData(from), option),
		},
		Template: true, Memory: &none,
	}
	if a.place.Host != nil {
		spec.Location.Host = &a.place.Host.Ref
	}
	folder := object.NewFolder(a.conn.VIM(), a.place.Folder.Ref)
	info, err := a.conn.Await(ctx, "import", a.object(), func(ctx context.Context) (*object.Task, error) {
		return a.vm(from.id()).Clone(ctx, folder, escaped(a.spec.Name), spec)
	})
	id := madeBy(info)
	if err != nil {
		if id != "" {
			err = a.undo(ctx, id, err)
		}
		return "", err
	}
	return id, nil
}

// ourOptions is how all keys of options begin that this driver writes beside those of cloud-init.
const ourOptions = "virtrigaud."

// withoutGuestData takes away what of a VM's options belongs to its own guest and caller.
func withoutGuestData(from *machine) []types.BaseOptionValue {
	if from.Config == nil {
		return nil
	}
	var gone []types.BaseOptionValue
	guest := cloudinit.GuestInfoKeys()
	for _, o := range from.Config.ExtraConfig {
		key := o.GetOptionValue().Key
		if strings.HasPrefix(key, ourOptions) && key != markKey || slices.Contains(guest, key) {
			gone = append(gone, &types.OptionValue{Key: key, Value: ""})
		}
	}
	return gone
}

// madeBy is the VM that a task made, "" where it made none.
func madeBy(info *types.TaskInfo) backends.ID {
	if info == nil {
		return ""
	}
	ref, _ := info.Result.(types.ManagedObjectReference)
	return backends.ID(ref.Value)
}

// undo removes what came of an image, also when ctx has ended, and returns the cause.
func (a *arrival) undo(ctx context.Context, id backends.ID, cause error) error {
	return datastore.Undo(ctx, cause, "the VM "+string(id), func(ctx context.Context) error {
		return a.DeleteVM(ctx, id, backends.DeleteOptions{})
	})
}

// nameDevices gives the VM's disks and interfaces keys: the disk that boots is "root", the others "disk2" and on, interfaces
// "net1" and on, as those of packages are.
func (m *machine) nameDevices(k *mark) {
	k.Disks, k.NICs = map[string]diskMark{}, map[string]nicMark{}
	for _, d := range m.devices() {
		switch d := d.(type) {
		case *types.VirtualDisk:
			key := "root"
			if len(k.Disks) > 0 {
				key = fmt.Sprintf("disk%d", len(k.Disks)+1)
			}
			if at, ok := slotOf(m.devices(), d); ok {
				k.Disks[key] = diskMark{Slot: at.String()}
			}
		case types.BaseVirtualEthernetCard:
			if unit := d.GetVirtualEthernetCard().UnitNumber; unit != nil {
				k.NICs[fmt.Sprintf("net%d", len(k.NICs)+1)] = nicMark{Unit: *unit}
			}
		}
	}
}
