package vsphere

import (
	"context"
	"time"

	vimfault "github.com/vmware/govmomi/fault"
	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/property"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/vsphere/fault"
)

// settleTime bounds what has to be done after a revert although the caller's time is over.
const settleTime = 30 * time.Second

// RevertSnapshot returns a VM to a snapshot: hardware, disks and power state.
//
// vSphere takes extraConfig back with the rest. What belongs to the VM and not to its hardware (name, settings, the mark's
// identity) is written anew in one reconfiguration.
func (b *Backend) RevertSnapshot(ctx context.Context, id backends.ID, snapshotID string) error {
	m, s, op, err := b.onSnapshot(ctx, id, snapshotID, "revert to")
	if err != nil {
		return err
	}
	if err := m.told(); err != nil {
		return backends.Wrap(err, op, m.object())
	}
	then, err := b.machineAt(ctx, m, s)
	if err != nil {
		return backends.Wrap(err, op, m.object())
	}
	if err := b.volumesFree(ctx, m, then); err != nil {
		return backends.Wrap(err, op, m.object())
	}
	released, err := b.release(ctx, m, then, op)
	if err != nil {
		return err
	}
	info, err := b.conn.Await(ctx, op, m.object(), func(ctx context.Context) (*object.Task, error) {
		res, err := methods.RevertToSnapshot_Task(ctx, b.conn.VIM(), &types.RevertToSnapshot_Task{This: s.Snapshot})
		if err != nil {
			return nil, err
		}
		return object.NewTask(b.conn.VIM(), res.Returnval), nil
	})
	if err != nil && (info == nil || info.State != types.TaskInfoStateSuccess) {
		return b.undoRelease(ctx, m, released, op, info, err)
	}
	// The VM must not be left with the identity of then.
	settling, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTime)
	defer cancel()
	if bad := b.settleRevert(settling, m, then, op); bad != nil {
		return bad
	}
	return err
}

// machineAt is the VM as it was when a snapshot was taken: configuration and mark are of then, all else is of now and its layout of files is left out.
func (b *Backend) machineAt(ctx context.Context, m *machine, s *snapshot) (*machine, error) {
	var snap mo.VirtualMachineSnapshot
	if err := property.DefaultCollector(b.conn.VIM()).RetrieveOne(ctx, s.Snapshot, []string{"config"}, &snap); err != nil {
		return nil, fault.Wrap(err, "read a snapshot", m.object())
	}
	vm := m.VirtualMachine
	vm.Name, vm.Config, vm.LayoutEx = escaped(m.Name), &snap.Config, nil
	then, err := describe(vm, m.index)
	then.tags = m.tags
	return then, err
}

// volumesFree refuses where a disk that the VM had attached by volume then cannot be attached again.
func (b *Backend) volumesFree(ctx context.Context, m, then *machine) error {
	if then.mark == nil {
		return nil
	}
	now, disks := m.files(), then.diskDevices()
	for _, key := range diskOrder(disks) {
		file := fileOf(disks[key])
		if then.mark.Disks[key].Volume == "" || now[file] {
			continue
		}
		path := backends.Path("disks").Key(key).Attr("volume")
		v, err := b.GetDisk(ctx, file)
		switch {
		case backends.CodeOf(err) == backends.NotFound:
			return backends.Errorf(backends.Precondition, "", "", "disk %q, which the VM had then, is %s, and that exists no more", key, file).
				At(path).Advise("vSphere reverts to no snapshot whose disks are missing. Delete the snapshot.")
		case err != nil:
			return err
		case v.AttachedTo != "" && v.AttachedTo != m.id():
			return backends.Errorf(backends.Precondition, "", "", "disk %q, which the VM had then, is attached to the VM with the id %q now", v.Name, v.AttachedTo).
				At(path).Advise("Detach it from that VM first.")
		}
	}
	return nil
}

// release detaches what came after the snapshot and must not go with it: disks attached by volume, and those to be kept. vSphere
// would take the files of what it no longer knows.
func (b *Backend) release(ctx context.Context, m, then *machine, op string) (released []string, err error) {
	if m.mark == nil {
		return nil, nil
	}
	held, disks := then.files(), m.diskDevices()
	spec := types.VirtualMachineConfigSpec{}
	for _, key := range diskOrder(disks) {
		k, disk := m.mark.Disks[key], disks[key]
		if held[ownFile(flatBacking(disk))] || k.Volume == "" && (!k.Keep || parentOf(disk) != "") {
			continue
		}
		spec.DeviceChange = append(spec.DeviceChange, &types.VirtualDeviceConfigSpec{
			Operation: types.VirtualDeviceConfigSpecOperationRemove, Device: disk,
		})
		released = append(released, key)
	}
	if released == nil {
		return nil, nil
	}
	return released, b.reconfigure(ctx, m, op, spec)
}

// settleRevert gives a VM back what a revert must not take from it, and removes the disks that came after the snapshot.
// While somebody else holds the VM it waits, and never says Locked: who reverted again would take the VM of then for
// the present one.
func (b *Backend) settleRevert(ctx context.Context, before, then *machine, op string) error {
	err := whileLocked(ctx, func() error { return b.settleOnce(ctx, before, then, op) })
	if isStale(err) {
		return backends.Errorf(backends.Transient, op, before.object(), "the VM is reverted, but something else held it when its name and settings were to be set again: %w", err).
			Advise("Run terraform plan: it shows what is left to be changed.")
	}
	return err
}

func (b *Backend) settleOnce(ctx context.Context, before, then *machine, op string) error {
	now, err := b.machine(ctx, before.id(), op)
	if err != nil {
		return err
	}
	spec, err := now.restored(before, then)
	if err != nil {
		return backends.Wrap(err, op, now.object())
	}
	if spec != nil {
		if err := b.reconfigure(ctx, now, op, *spec); err != nil {
			return err
		}
	}
	return b.deleteLeft(ctx, before, now, op)
}

// restored is the change that gives a reverted VM back what is its own, nil where nothing was taken.
func (m *machine) restored(before, then *machine) (*types.VirtualMachineConfigSpec, error) {
	spec, needed := types.VirtualMachineConfigSpec{}, false
	if m.Name != before.Name {
		spec.Name, needed = escaped(before.Name), true
	}
	k := m.revertedMark(before.mark, then.mark)
	if changes, other := m.keepMedium(k, before.mark); other {
		inputs, _ := extraValue(before.Config.ExtraConfig, inputsKey)
		spec.ExtraConfig = append(spec.ExtraConfig, &types.OptionValue{Key: inputsKey, Value: inputs})
		spec.DeviceChange, needed = append(spec.DeviceChange, changes...), true
	}
	want, _ := extraValue(before.Config.ExtraConfig, settingsKey)
	if have, _ := extraValue(m.Config.ExtraConfig, settingsKey); have != want {
		spec.ExtraConfig, needed = append(spec.ExtraConfig, &types.OptionValue{Key: settingsKey, Value: want}), true
	}
	if k != nil {
		option, err := k.option()
		if err != nil {
			return nil, err
		}
		if have, _ := extraValue(m.Config.ExtraConfig, markKey); have != option.GetOptionValue().Value {
			spec.ExtraConfig, needed = append(spec.ExtraConfig, option), true
		}
	}
	if !needed {
		return nil, nil
	}
	return &spec, nil
}

// keepMedium puts the medium of the seed that the VM has now back into its drive where the snapshot's was another one: that was
// removed when it was replaced. ok is false where nothing has to be done.
func (m *machine) keepMedium(k, before *mark) (changes []types.BaseVirtualDeviceConfigSpec, ok bool) {
	if k == nil || k.Seed == nil || k.Seed.ISO == "" || before == nil {
		return nil, false
	}
	had := k.Seed
	switch {
	case before.Seed == nil || before.Seed.ISO == "":
		k.Seed = before.Seed
		if drive := m.devices().FindByKey(m.seedDevice(had.ISO)); drive != nil {
			changes = append(changes, &types.VirtualDeviceConfigSpec{Operation: types.VirtualDeviceConfigSpecOperationRemove, Device: drive})
		}
		return changes, true
	case before.Seed.ISO == had.ISO:
		return nil, false
	}
	seed := *before.Seed
	k.Seed = &seed
	return m.seedDrive(k.Seed, had), true
}

// revertedMark is the mark of a VM after a revert: what it was tells of the hardware, what it is of the VM.
func (m *machine) revertedMark(before, then *mark) *mark {
	if before == nil {
		return then
	}
	k := *before
	if then != nil {
		k = *then
	}
	k.VM, k.Token, k.Partial, k.Adopted = before.VM, before.Token, before.Partial, before.Adopted
	k.Tags, k.Attributes, k.Placement = before.Tags, before.Attributes, before.Placement
	k.Image, k.Fingerprint, k.Name, k.Origin = before.Image, before.Fingerprint, before.Name, before.Origin
	disks, nics := k.Disks, k.NICs
	k.Disks, k.NICs = map[string]diskMark{}, map[string]nicMark{}
	for key, d := range disks {
		if _, ok := m.devices().FindByKey(d.Device).(*types.VirtualDisk); ok {
			k.Disks[key] = d
		}
	}
	for key, n := range nics {
		if _, ok := m.devices().FindByKey(n.Device).(types.BaseVirtualEthernetCard); ok {
			k.NICs[key] = n
		}
	}
	return &k
}

// deleteLeft deletes the disks that a VM had before a revert and that neither it nor a snapshot has afterwards: vSphere
// detaches them and leaves their files. Those attached by volume or to be kept stay.
func (b *Backend) deleteLeft(ctx context.Context, before, now *machine, op string) error {
	held := now.files()
	for key, d := range before.diskDevices() {
		file := fileOf(d)
		if before.mark == nil || held[file] || parentOf(d) != "" {
			continue
		}
		if k, ours := before.mark.Disks[key]; !ours || k.Keep || k.Volume != "" {
			continue
		}
		if err := b.deleteFile(ctx, before, file, op); err != nil {
			return err
		}
	}
	return nil
}

// deleteFile deletes a virtual disk that no VM has; one that is gone is none.
func (b *Backend) deleteFile(ctx context.Context, m *machine, file, op string) error {
	datacenter, ok := m.datacenter()
	if !ok {
		return nil
	}
	_, err := b.conn.Await(ctx, op, m.object(), func(ctx context.Context) (*object.Task, error) {
		return object.NewVirtualDiskManager(b.conn.VIM()).DeleteVirtualDisk(ctx, file, datacenter)
	})
	var none *types.FileNotFound
	if _, gone := vimfault.As(err, &none); gone {
		return nil
	}
	return err
}

// datacenter is the one that the VM is in.
func (m *machine) datacenter() (*object.Datacenter, bool) {
	for _, ref := range m.Datastore {
		if ds, ok := m.index.Object(ref); ok {
			return object.NewDatacenter(nil, ds.Datacenter), true
		}
	}
	return nil, false
}
