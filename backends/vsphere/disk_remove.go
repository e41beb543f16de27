package vsphere

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/vmware/govmomi/vim25/types"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// removeUnused refuses to remove disks with their files where another VM has them: vSphere asks nobody, as long as the other
// one does not run.
func (e *edit) removeUnused(ctx context.Context) error {
	if e.creating {
		return nil
	}
	moment := time.Now()
	for i, c := range e.spec.DeviceChange {
		c := c.GetVirtualDeviceConfigSpec()
		disk, ok := c.Device.(*types.VirtualDisk)
		if !ok || c.FileOperation != types.VirtualDeviceConfigSpecFileOperationDestroy {
			continue
		}
		users, err := e.sharersSince(ctx, e.m, moment) // one look for all
		if err != nil {
			return err
		}
		if names := users[fileOf(disk)]; len(names) > 0 {
			slices.Sort(names)
			return backends.Errorf(backends.Precondition, "", "", "the disk's file %s would be deleted, and %s has it too", fileOf(disk), strings.Join(names, ", ")).
				At(e.blames[i]).Advise("Detach it there first. Or apply keep_on_destroy = true for this disk before it is removed, so that the file stays.")
		}
	}
	return nil
}
