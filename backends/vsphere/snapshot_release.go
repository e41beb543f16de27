package vsphere

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/vmware/govmomi/vim25/types"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// undoRelease attaches the disks again that were released for a revert that failed with cause. Where it is not known how the
// revert ended, they stay where they are. The error is cause, and tells of disks that are not attached.
func (b *Backend) undoRelease(ctx context.Context, m *machine, released []string, op string, info *types.TaskInfo, cause error) error {
	if len(released) == 0 {
		return cause
	}
	err := errors.New("it is not known whether the revert goes on")
	if info != nil || !mayGoOn(cause) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTime)
		defer cancel()
		err = whileLocked(ctx, func() error { return b.attachAgain(ctx, m, released, op) })
	}
	var e *backends.Error
	if err == nil || !errors.As(cause, &e) {
		return cause
	}
	c := *e
	c.Err = fmt.Errorf("%w; and the disks %s, which were detached for the revert, stay so: %w", e.Err, strings.Join(released, ", "), err)
	return &c
}

// mayGoOn reports whether what failed to start may have started all the same.
func mayGoOn(err error) bool {
	switch backends.CodeOf(err) {
	case backends.Canceled, backends.Timeout, backends.Transient, backends.Internal:
		return true
	default:
		return false
	}
}

// attachAgain connects disks that before had where they were.
func (b *Backend) attachAgain(ctx context.Context, before *machine, keys []string, op string) error {
	now, err := b.machine(ctx, before.id(), op)
	if err != nil {
		return err
	}
	has, disks := map[string]bool{}, before.diskDevices()
	for _, disk := range now.diskDevices() {
		has[fileOf(disk)] = true
	}
	spec := types.VirtualMachineConfigSpec{}
	for i, key := range keys {
		disk := *disks[key]
		if has[fileOf(&disk)] {
			continue
		}
		disk.Key = -int32(i + 1) //nolint:gosec // One of a VM's few disks.
		if is, ok := disk.Backing.(*types.VirtualDiskFlatVer2BackingInfo); ok {
			backing := &types.VirtualDiskFlatVer2BackingInfo{DiskMode: is.DiskMode, Sharing: is.Sharing}
			backing.FileName = is.FileName
			disk.Backing = backing
		}
		spec.DeviceChange = append(spec.DeviceChange, &types.VirtualDeviceConfigSpec{
			Operation: types.VirtualDeviceConfigSpecOperationAdd, Device: &disk,
		})
	}
	if spec.DeviceChange == nil {
		return nil
	}
	return b.reconfigure(ctx, now, op, spec)
}
