package vsphere

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/types"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/vsphere/fault"
)

// DeleteVM removes a VM or template with its files: disks, snapshots, suspended memory, seed. Disks attached by
// volume and those to be kept are detached before, in one piece. What other VMs share is no longer deleted by anybody:
// Precondition, naming them.
func (b *Backend) DeleteVM(ctx context.Context, id backends.ID, opts backends.DeleteOptions) error {
	const op = "delete"
	began := time.Now()
	m, err := b.machine(ctx, id, op)
	if err != nil {
		return err
	}
	d := &deletion{Backend: b, m: m, began: began}
	if err = d.plan(ctx, opts); err == nil {
		err = d.run(ctx)
	}
	return backends.Wrap(d.onlyThis(ctx, err), op, m.object())
}

// onlyThis lets NotFound pass where it is this VM that is gone. Something else that was not there says nothing of it.
func (d *deletion) onlyThis(ctx context.Context, err error) error {
	if backends.CodeOf(err) != backends.NotFound {
		return err
	}
	if _, gone := d.machine(ctx, d.m.id(), "delete"); backends.CodeOf(gone) == backends.NotFound {
		return gone
	}
	return fault.WrapBulk(err, "", "")
}

// deletion is a VM on its way out.
type deletion struct {
	*Backend
	m     *machine
	began time.Time
	// kept are the disks, by key, that outlive the VM; volumes those of them that are not its own.
	kept, volumes map[string]*types.VirtualDisk
}

// plan checks everything before anything is touched.
func (d *deletion) plan(ctx context.Context, opts backends.DeleteOptions) error {
	if err := d.m.told(); err != nil {
		return err
	}
	d.kept, d.volumes = map[string]*types.VirtualDisk{}, map[string]*types.VirtualDisk{}
	disks := d.m.diskDevices()
	for _, key := range opts.KeepDisks {
		disk, ok := disks[key]
		if !ok {
			return backends.Errorf(backends.Invalid, "", "", "the VM has no disk %q to keep", key).At(backends.Path("disks").Key(key))
		}
		d.kept[key] = disk
	}
	for key, disk := range disks {
		switch k := d.m.markOf(key, disk); {
		case k.Volume != "":
			d.kept[key], d.volumes[key] = disk, disk
		case k.Keep:
			d.kept[key] = disk
		}
	}
	return d.needed(ctx)
}

// needed refuses where other VMs need files that would be deleted: linked clones, and those that have a disk of this VM attached.
func (d *deletion) needed(ctx context.Context) error {
	// What was read before this call may lack a clone that somebody else made since.
	users, err := d.sharersSince(ctx, d.m, d.began)
	if err != nil || len(users) == 0 {
		return err
	}
	own, err := d.own(ctx)
	if err != nil {
		return err
	}
	if len(namesOf(own, users)) == 0 {
		return nil
	}
	if users, err = d.sharersSince(ctx, d.m, time.Now()); err != nil { // some of them may be gone by now
		return err
	}
	return sharedBy(namesOf(own, users), "its disks")
}

func namesOf(files []string, users map[string][]string) (names []string) {
	for _, file := range files {
		names = append(names, users[file]...)
	}
	return names
}

// own are the disk files that go with the VM. Files that are only below those are another VM's.
func (d *deletion) own(ctx context.Context) ([]string, error) {
	files, err := d.frozenFiles(ctx, d.m.snapshots())
	if err != nil {
		return nil, err
	}
	for key, disk := range d.m.diskDevices() {
		if d.volumes[key] == nil {
			files = append(files, fileOf(disk))
		}
	}
	return slices.Compact(slices.Sorted(slices.Values(files))), nil
}

func (d *deletion) run(ctx context.Context) error {
	if d.m.power() != backends.Stopped {
		if err := d.SetPower(ctx, d.m.id(), backends.PowerOff); err != nil {
			return err
		}
	}
	if len(d.kept) > 0 {
		if err := d.keep(ctx); err != nil {
			return err
		}
	}
	if err := d.removeSeed(ctx, d.m); err != nil {
		return err
	}
	if err := d.removeImageCopy(ctx, d.m); err != nil {
		return err
	}
	_, err := d.conn.Await(ctx, "delete", d.m.object(), func(ctx context.Context) (*object.Task, error) {
		return d.vm(d.m.id()).Destroy(ctx)
	})
	if err != nil {
		return err
	}
	d.links.sharers.gone(d.m.id())
	if d.m.mark != nil && d.m.mark.Origin != "" {
		d.tidyOrigin(ctx, backends.ID(d.m.mark.Origin))
	}
	return nil
}

// keep detaches what outlives the VM. vSphere deletes also what only a snapshot knows, so those go first; their content
// is merged where a disk of the VM's own has to be whole.
func (d *deletion) keep(ctx context.Context) error {
	if d.m.Config.Template {
		if err := d.markMachine(ctx, d.m); err != nil {
			return err
		}
	}
	if d.m.Snapshot != nil {
		if err := d.removeAllSnapshots(ctx, len(d.kept) > len(d.volumes)); err != nil {
			return err
		}
	}
	if err := d.promote(ctx); err != nil {
		return err
	}
	now, err := d.machine(ctx, d.m.id(), "delete")
	if err != nil {
		return err
	}
	spec := types.VirtualMachineConfigSpec{}
	for _, key := range diskOrder(d.kept) {
		if device := now.devices().FindByKey(d.kept[key].Key); device != nil {
			spec.DeviceChange = append(spec.DeviceChange, &types.VirtualDeviceConfigSpec{
				Operation: types.VirtualDeviceConfigSpecOperationRemove, Device: device,
			})
		}
	}
	return d.reconfigure(ctx, now, "detach the disks to be kept", spec)
}

func (d *deletion) removeAllSnapshots(ctx context.Context, merge bool) error {
	const op = "remove the snapshots"
	_, err := d.conn.Await(ctx, op, d.m.object(), func(ctx context.Context) (*object.Task, error) {
		return d.vm(d.m.id()).RemoveAllSnapshot(ctx, &merge)
	})
	if err != nil || !merge {
		return err
	}
	return d.consolidate(ctx, d.m, op)
}

// promote gives the disks to be kept the content that they share.
func (d *deletion) promote(ctx context.Context) error {
	var layers []types.VirtualDisk
	for _, key := range diskOrder(d.kept) {
		if disk := d.kept[key]; d.volumes[key] == nil && d.m.sharedContent(flatBacking(disk)) != "" {
			layers = append(layers, *disk)
		}
	}
	if len(layers) == 0 {
		return nil
	}
	op := fmt.Sprintf("copy what %d disks to be kept share", len(layers))
	_, err := d.conn.Await(ctx, op, d.m.object(), func(ctx context.Context) (*object.Task, error) {
		res, err := methods.PromoteDisks_Task(ctx, d.conn.VIM(), &types.PromoteDisks_Task{This: d.m.Self, Unlink: true, Disks: layers})
		if err != nil {
			return nil, err
		}
		return object.NewTask(d.conn.VIM(), res.Returnval), nil
	})
	return err
}
