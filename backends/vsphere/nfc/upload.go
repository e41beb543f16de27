package nfc

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"

	govmomifault "github.com/vmware/govmomi/fault"
	"github.com/vmware/govmomi/vim25/types"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/vsphere/fault"
)

// Disk is one disk on its way.
type Disk struct {
	Number int // among the VM's disks, from 0
	// Controller and Slot are where the disk is: "VirtualSCSIController" or the like with its bus and unit, "0:0".
	Controller, Slot string
	// VMDK is the content, streamOptimized. Closing Source ends a Read of it that waits.
	VMDK   io.Reader
	Source io.Closer
	// Percent says how far the whole import is, 0 to 100.
	Percent func() int
}

// Upload sends one disk to its end. The error is the first cause; the import has to be aborted then.
func (i *Import) Upload(ctx context.Context, d Disk) error {
	op := fmt.Sprintf("upload disk %d", d.Number+1)
	device, err := i.device(d)
	if err != nil {
		_ = d.Source.Close()
		return backends.Wrap(err, op, i.object)
	}
	u, err := i.conn.VIM().ParseURL(device.Url)
	if err != nil {
		_ = d.Source.Close()
		return backends.Errorf(backends.Internal, op, i.object, "vSphere gave an address that cannot be used")
	}
	if device.SslThumbprint != "" { // the host's own certificate, vouched for by vCenter
		i.conn.VIM().SetThumbprint(u.Host, device.SslThumbprint)
	}
	body := NewBody(d.VMDK, d.Source, func(n int64) {
		percent := d.Percent()
		if int32(percent) != i.keeper.progress.Swap(int32(percent)) { //nolint:gosec // 0 to 100
			backends.Report(ctx, backends.Progress{Op: op, Object: i.object, Percent: percent, Done: n, Total: -1})
		}
	})
	header := http.Header{"Content-Type": {"application/x-vnd.vmware-streamVmdk"}}
	//nolint:contextcheck // an upload ends with the lease, whose keeper's context ends with ctx
	sent, err := Send(i.keeper.ctx, i.conn.VIM().Client, http.MethodPost, u, header, body, -1)
	if err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return backends.Wrap(err, op, i.object)
	}
	i.sums[device.Key], i.sizes[device.Key] = body.digest(), sent
	return nil
}

// device finds the address for a disk. vSphere names it by the names of the specification, "/web/VirtualSCSIController0:1"; where all names are
// of that form they decide, else the order of the disks.
func (i *Import) device(d Disk) (types.HttpNfcLeaseDeviceUrl, error) {
	var named int
	var match []types.HttpNfcLeaseDeviceUrl
	for _, u := range i.disks {
		last := u.ImportKey[strings.LastIndexByte(u.ImportKey, '/')+1:]
		if strings.Contains(last, "Controller") {
			named++
		}
		if strings.HasSuffix(last, d.Controller+d.Slot) || strings.HasSuffix(last, "SCSIController"+d.Slot) && strings.Contains(d.Controller, "SCSI") {
			match = append(match, u)
		}
	}
	switch {
	case named == len(i.disks) && len(match) == 1:
		return match[0], nil
	case named == 0 && d.Number < len(i.disks), len(i.disks) == 1 && d.Number == 0:
		return i.disks[d.Number], nil
	}
	return types.HttpNfcLeaseDeviceUrl{}, backends.Errorf(backends.Internal, "", "", "vSphere does not say where to send the disk at %s%s", d.Controller, d.Slot)
}

// isLost reports whether a lease is gone for good.
func isLost(err error) bool {
	return govmomifault.Is(err, &types.ManagedObjectNotFound{}) || govmomifault.Is(err, &types.Timedout{}) ||
		govmomifault.Is(err, &types.InvalidState{})
}

func lostLease(err error) error {
	e := backends.Errorf(backends.Transient, "", "", "vSphere ended the import while it was under way: %w", fault.Wrap(err, "", ""))
	return e.Advise("Somebody may have cancelled it, or the connection was lost for too long; try again.")
}
