// Package nfc sends disks to vSphere: over an import lease, which makes a VM and takes in the content of its disks as streamOptimized
// VMDKs, and files over HTTP.
package nfc

import (
	"context"
	"fmt"
	"time"

	govmomifault "github.com/vmware/govmomi/fault"
	"github.com/vmware/govmomi/nfc"
	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/task"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/vsphere/conn"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/vsphere/fault"
)

// Import is a VM that is being made, with disks that wait for their content. It ends with Complete or Abort.
type Import struct {
	VM types.ManagedObjectReference

	conn   *conn.Conn
	object string // in errors
	lease  *nfc.Lease
	info   types.HttpNfcLeaseInfo
	disks  []types.HttpNfcLeaseDeviceUrl // in the order of the VM's devices

	keeper *keeper
	sums   map[string]string // SHA-1 of what was sent, by the device's key
	sizes  map[string]int64
}

// Spec says what to make, and where.
type Spec struct {
	Pool   types.ManagedObjectReference
	Folder *types.ManagedObjectReference // none on a stand-alone ESXi
	Host   *types.ManagedObjectReference
	Config types.VirtualMachineConfigSpec
	Object string // for errors: `image "debian"`
}

// Begin has vSphere make the VM, and returns when its disks can be sent.
func Begin(ctx context.Context, c *conn.Conn, s Spec) (*Import, error) {
	const op = "import"
	sending, sent := linger(ctx)
	defer sent()
	res, err := methods.ImportVApp(sending, c.VIM(), &types.ImportVApp{
		This: s.Pool, Folder: s.Folder, Host: s.Host,
		Spec: &types.VirtualMachineImportSpec{ConfigSpec: s.Config},
	})
	if err != nil {
		return nil, fault.Wrap(err, op, s.Object)
	}
	i := &Import{
		conn: c, object: s.Object, lease: nfc.NewLease(c.VIM(), res.Returnval),
		sums: map[string]string{}, sizes: map[string]int64{},
	}
	lease, err := i.ready(ctx)
	if err != nil {
		i.release(ctx, err)
		return nil, fault.Wrap(err, op, s.Object)
	}
	i.info, i.VM = *lease.Info, lease.Info.Entity
	for _, u := range lease.Info.DeviceUrl {
		if u.Disk == nil || *u.Disk {
			i.disks = append(i.disks, u)
		}
	}
	i.keeper = keep(ctx, i.lease, time.Duration(i.info.LeaseTimeout)*time.Second)
	return i, nil
}

// linger returns a context that outlives ctx by a little, so that what vSphere began is known by its answer.
func linger(ctx context.Context) (context.Context, context.CancelFunc) {
	longer, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(lingerTime, cancel) })
	return longer, func() { stop(); cancel() }
}

const lingerTime = 3 * time.Second

// ready waits until vSphere made the VM, with looks at growing intervals: vSphere has no task for it.
func (i *Import) ready(ctx context.Context) (mo.HttpNfcLease, error) {
	for pause := 10 * time.Millisecond; ; pause = min(2*pause, time.Second) {
		lease, err := i.lease.Properties(ctx, "state", "info", "error", "initializeProgress")
		if err != nil {
			return lease, err
		}
		switch lease.State {
		case types.HttpNfcLeaseStateReady:
			if lease.Info == nil {
				return lease, backends.Errorf(backends.Internal, "", "", "vSphere is ready for the upload and does not say where")
			}
			return lease, nil
		case types.HttpNfcLeaseStateError:
			if lease.Error == nil {
				return lease, backends.Errorf(backends.Internal, "", "", "vSphere gave the import up without a reason")
			}
			return lease, task.Error{LocalizedMethodFault: lease.Error}
		case types.HttpNfcLeaseStateDone:
			return lease, backends.Errorf(backends.Canceled, "", "", "somebody ended the import")
		case types.HttpNfcLeaseStateInitializing:
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return lease, context.Cause(ctx)
		}
	}
}

// release ends a lease that never became ready.
func (i *Import) release(ctx context.Context, cause error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), abortLimit)
	defer cancel()
	_ = i.lease.Abort(ctx, reason(cause)) // it has ended by itself, mostly
}

// Complete ends the import: the VM is whole.
func (i *Import) Complete(ctx context.Context) error {
	i.keeper.progress.Store(100)
	if err := i.keeper.stop(); err != nil {
		return fault.Wrap(err, "import", i.object)
	}
	if err := i.verify(ctx); err != nil {
		return err
	}
	return fault.Wrap(i.lease.Complete(ctx), "import", i.object)
}

// verify compares what vSphere says of what it took in with what was sent. Not every version says something of imports.
func (i *Import) verify(ctx context.Context) error {
	entries, err := i.lease.GetManifest(ctx)
	if err != nil {
		return ignoreUnsupported(fault.Wrap(err, "check the import", i.object))
	}
	for _, e := range entries {
		sent, known := i.sums[e.Key]
		if known && e.Size == i.sizes[e.Key] && e.Sha1 != "" && e.Sha1 != sent {
			return backends.Errorf(backends.Transient, "import", i.object, "the disk was damaged on its way: vSphere received other bytes than were sent (SHA-1 %s instead of %s)", e.Sha1, sent)
		}
	}
	return nil
}

func ignoreUnsupported(err error) error {
	switch backends.CodeOf(err) {
	case backends.Unsupported, backends.Precondition, backends.Auth:
		return nil
	default:
		return err
	}
}

// abortLimit bounds how long is waited until an import is gone.
const abortLimit = 15 * time.Second

// Abort ends the import because of cause, which it returns: vSphere removes the VM. It works also when ctx has ended. What
// could not be removed is told with the cause.
func (i *Import) Abort(ctx context.Context, cause error) error {
	_ = i.keeper.stop() // the cause is older
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), abortLimit)
	defer cancel()
	_ = i.lease.Abort(ctx, reason(cause)) // what matters is what became of the VM
	if err := i.vanish(ctx); err != nil {
		return &backends.Error{
			Code: backends.CodeOf(cause), Op: "import", Object: i.object,
			Err: fmt.Errorf("%w; and the VM %s is left behind, because it could not be removed: %w", cause, i.VM.Value, err),
		}
	}
	return cause
}

// vanish waits until vSphere removed the VM, and removes it where it does not.
func (i *Import) vanish(ctx context.Context) error {
	vm := object.NewVirtualMachine(i.conn.VIM(), i.VM)
	for pause, tries := 20*time.Millisecond, 0; ; pause, tries = min(2*pause, time.Second), tries+1 {
		var props mo.VirtualMachine
		err := vm.Properties(ctx, i.VM, []string{"name"}, &props)
		if govmomifault.Is(err, &types.ManagedObjectNotFound{}) {
			return nil
		}
		if err == nil && tries >= 3 {
			_, err = i.conn.Await(ctx, "delete", i.object, vm.Destroy)
			if code := backends.CodeOf(err); err == nil || code == backends.NotFound {
				return nil
			}
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			if err == nil {
				err = ctx.Err()
			}
			return err
		}
	}
}

// reason is what vSphere shows of an abort.
func reason(cause error) *types.LocalizedMethodFault {
	text := "the upload failed"
	if cause != nil {
		text = cause.Error()
	}
	return &types.LocalizedMethodFault{
		Fault: &types.OvfImportFailed{}, LocalizedMessage: text[:min(len(text), 1000)],
	}
}
