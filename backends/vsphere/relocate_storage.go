package vsphere

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/vmware/govmomi/vim25/types"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/vsphere/inventory"
)

// store decides where disks and the VM's own files go.
func (v *relocation) store(ctx context.Context) error {
	if len(v.disks) == 0 && v.home == nil {
		return nil
	}
	devices := v.m.diskDevices()
	targets, err := v.targets(ctx, devices)
	if err != nil {
		return err
	}
	switch {
	case v.home != nil:
		v.moveHome(targets[""])
	case v.homeFollows():
		v.moveHome(targets[rootKey])
	}
	for _, key := range slices.Sorted(maps.Keys(devices)) {
		d, asked := v.disks[key]
		if !asked {
			v.pin(devices[key])
			continue
		}
		target, moves := inventory.Object{}, false
		if d.storage != nil {
			target = targets[key]
			moves = target.Ref != storeOf(devices[key])
		}
		switch {
		case moves:
			err = v.moveDisk(ctx, key, devices[key], target)
		case d.provisioning != nil:
			err = v.keepsProvisioning(key, devices[key])
		}
		if err == nil && d.policy != nil && !moves {
			err = v.changePolicy(ctx, key, devices[key])
		}
		if err != nil {
			return err
		}
		if !moves {
			v.pin(devices[key])
		}
	}
	return nil
}

// errand is something that goes to a storage: a disk by its key, or the VM's own files.
type errand struct {
	key  string // "" for the VM's own files
	name string
	path backends.Path
	from types.ManagedObjectReference
	need int64
}

func (v *relocation) errands(devices map[string]*types.VirtualDisk) ([]errand, error) {
	var all []errand
	for _, key := range slices.Sorted(maps.Keys(v.disks)) {
		d, device := v.disks[key], devices[key]
		switch {
		case device == nil:
			return nil, backends.Errorf(backends.NotFound, "", "", "the VM has no disk %q", key).At(backends.Path("disks").Key(key))
		case d.storage == nil:
		case v.m.mark != nil && v.m.mark.Disks[key].Volume != "":
			return nil, backends.Errorf(backends.Invalid, "", "", "the disk is a volume of its own, which stays where it is").At(d.path)
		default:
			all = append(all, errand{key, *d.storage, d.path, storeOf(device), v.m.diskSpace(device)})
		}
	}
	if v.home != nil {
		home, _ := v.m.homeStore()
		all = append(all, errand{"", *v.home, "placement.storage", home.Ref, 0})
	}
	return all, nil
}

// targets are the datastores to which disks go, by key, and that of the VM's own files. What is on a
// datastore that is meant, as one of a datastore cluster, stays there; a storage
// has to have room for all that comes together.
func (v *relocation) targets(ctx context.Context, devices map[string]*types.VirtualDisk) (map[string]inventory.Object, error) {
	all, err := v.errands(devices)
	if err != nil {
		return nil, err
	}
	to, need := map[string]inventory.Object{}, map[string]int64{}
	for _, e := range all {
		if o, ok := v.m.index.Object(e.from); ok && v.m.index.Names(e.name, e.from) && o.Datacenter == v.at.Datacenter.Ref {
			to[e.key] = o
			continue
		}
		need[e.name] += e.need
	}
	found := map[string]inventory.Object{}
	for _, e := range all {
		if _, stays := to[e.key]; stays {
			continue
		}
		o, known := found[e.name]
		if !known {
			if o, err = v.inv.Storage(ctx, v.at, &e.name, need[e.name]); err != nil {
				return nil, blame(err, e.path)
			}
			found[e.name] = o
		}
		to[e.key] = o
	}
	return to, nil
}

// homeFollows reports whether the VM's own files go with the disk that it boots from, beside which they are: else
// the VM would go on to need a datastore that none of its disks is on.
func (v *relocation) homeFollows() bool {
	root := v.m.diskDevices()[rootKey]
	name := v.disks[rootKey].storage
	home, ok := v.m.homeStore()
	return ok && root != nil && name != nil && storeOf(root) == home.Ref && !v.m.index.Names(*name, home.Ref)
}

// moveHome moves the VM's own files.
func (v *relocation) moveHome(target inventory.Object) {
	if home, ok := v.m.homeStore(); !ok || home.Ref != target.Ref {
		v.spec.Datastore = &target.Ref
	}
}

// pin leaves a disk where it is when the VM's own files go elsewhere, which would take it along.
func (v *relocation) pin(device *types.VirtualDisk) {
	store := storeOf(device)
	if v.spec.Datastore == nil || store.Value == "" {
		return
	}
	v.spec.Disk = append(v.spec.Disk, types.VirtualMachineRelocateSpecDiskLocator{DiskId: device.Key, Datastore: store})
}

func (v *relocation) moveDisk(ctx context.Context, key string, device *types.VirtualDisk, target inventory.Object) error {
	d := v.disks[key]
	locator := types.VirtualMachineRelocateSpecDiskLocator{DiskId: device.Key, Datastore: target.Ref}
	if d.provisioning != nil {
		locator.DiskBackingInfo = allocated(*d.provisioning)
	}
	if d.policy != nil {
		profile, err := v.profile(ctx, key, target)
		if err != nil {
			return err
		}
		locator.Profile = profile
	}
	v.spec.Disk = append(v.spec.Disk, locator)
	return nil
}

// allocated is how a disk takes its space where it is moved to.
func allocated(provisioning string) types.BaseVirtualDeviceBackingInfo {
	b := &types.VirtualDiskFlatVer2BackingInfo{DiskMode: string(types.VirtualDiskModePersistent)}
	b.ThinProvisioned = types.NewBool(provisioning == "thin")
	b.EagerlyScrub = types.NewBool(provisioning == "eager_zeroed")
	return b
}

// keepsProvisioning refuses another allocation for a disk that stays on its datastore.
func (v *relocation) keepsProvisioning(key string, device *types.VirtualDisk) error {
	now := observeProvisioning(flatBacking(device))
	if now != nil && *now == *v.disks[key].provisioning {
		return nil
	}
	return backends.Errorf(backends.Invalid, "", "", "a disk is %s or not from its creation, and can change that only while it moves to another datastore", *v.disks[key].provisioning).
		At(backends.Path("disks").Key(key).Attr("provisioning")).
		Advise("Change the disk's storage in the same step, or add a disk under another key and move the data.")
}

// changePolicy gives a disk another storage policy where it is.
func (v *relocation) changePolicy(ctx context.Context, key string, device *types.VirtualDisk) error {
	on, _ := v.m.index.Object(storeOf(device))
	profile, err := v.profile(ctx, key, on)
	if err != nil {
		return err
	}
	v.edits = append(v.edits, &types.VirtualDeviceConfigSpec{Operation: types.VirtualDeviceConfigSpecOperationEdit, Device: device, Profile: profile})
	return nil
}

// profile is the policy of a disk as a specification takes it; the datastore has to be able to obey it.
func (v *relocation) profile(ctx context.Context, key string, on inventory.Object) ([]types.BaseVirtualMachineProfileSpec, error) {
	name, path := *v.disks[key].policy, backends.Path("disks").Key(key).Attr("policy")
	if name == "" {
		return []types.BaseVirtualMachineProfileSpec{&types.VirtualMachineEmptyProfileSpec{}}, nil
	}
	profile, meet, err := v.policyAmong(ctx, name, v.m.index.Objects(inventory.Datastore))
	if err != nil {
		return nil, blame(err, path)
	}
	names := make([]string, len(meet))
	for i, o := range meet {
		if o.Ref == on.Ref {
			return profile, nil
		}
		names[i] = o.Name
	}
	return nil, backends.Errorf(backends.Invalid, "", "", "datastore %q does not meet the storage policy %q", on.Name, name).
		At(path).Advise("Move the disk in the same change, by its storage, to one that does: %s.", strings.Join(names, ", "))
}

// storeOf is the datastore that a disk is on.
func storeOf(device *types.VirtualDisk) types.ManagedObjectReference {
	if ds := flatBacking(device).Datastore; ds != nil {
		return *ds
	}
	return types.ManagedObjectReference{}
}

// diskSpace is what a disk takes of its datastore, its snapshots included, as far as vSphere tells.
func (m *machine) diskSpace(device *types.VirtualDisk) int64 {
	if b := flatBacking(device); b.Parent == nil && !value(b.ThinProvisioned) {
		return diskBytes(device)
	}
	if m.LayoutEx == nil {
		return 0
	}
	sizes := map[int32]int64{}
	for _, f := range m.LayoutEx.File {
		sizes[f.Key] = f.Size
	}
	var sum int64
	for _, d := range m.LayoutEx.Disk {
		if d.Key != device.Key {
			continue
		}
		for _, link := range d.Chain {
			for _, key := range link.FileKey {
				sum += sizes[key]
			}
		}
	}
	return sum
}
