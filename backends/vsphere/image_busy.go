package vsphere

import (
	"context"
	"time"

	govmomi "github.com/vmware/govmomi/fault"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/types"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/vsphere/fault"
)

// importTime is for how long the VM of an image that is not complete is taken to be another run's. It is as long as vSphere itself waits for a
// sign of life of an import (HttpNfcLeaseInfo.leaseTimeout); a VM that takes in its disks for longer it lets nobody delete.
const importTime = 5 * time.Minute

// underWay refuses to take the VM of an image for the rest of an import that was cut short while it may be one that goes on: Locked.
func (a *arrival) underWay(ctx context.Context, m *machine) error {
	vms, gone, err := a.retrieve(ctx, []backends.ID{m.id()}, []string{"config.createDate"})
	switch {
	case govmomi.Is(err, &types.InvalidProperty{}):
		return nil // a vCenter before 6.7 does not tell
	case err != nil:
		return fault.Wrap(err, "look for the image", "")
	case gone != "" || len(vms) == 0 || vms[0].Config == nil || vms[0].Config.CreateDate == nil:
		return nil
	}
	now, err := methods.GetCurrentTime(ctx, a.conn.VIM())
	if err != nil {
		return fault.Wrap(err, "look for the image", "")
	}
	if now.Sub(*vms[0].Config.CreateDate) >= importTime {
		return nil
	}
	return backends.Errorf(backends.Locked, "", "", "another import of it is under way, or was cut short less than %d minutes ago: the VM %q (%s) is not complete",
		importTime/time.Minute, m.Name, m.Self.Value).Advise("Wait until the other is over. Where there is none, delete that VM.")
}
