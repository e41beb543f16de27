package middleware

import (
	"context"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// making runs a call that makes a VM. An id that any try returned is never lost.
func (a *around) making(ctx context.Context, c Call, call func(context.Context) (backends.ID, error)) (backends.ID, error) {
	var made backends.ID
	err := a.fn(ctx, c, func(ctx context.Context) error {
		id, err := call(ctx)
		if id != "" {
			made = id
		}
		return err
	})
	return made, err
}

func (a *around) Info(ctx context.Context) (backends.Info, error) {
	return through(ctx, a.fn, reading("Info", ""), a.Backend.Info)
}

func (a *around) ListVMs(ctx context.Context, filter backends.VMFilter) ([]backends.VMSummary, error) {
	return through(ctx, a.fn, reading("ListVMs", ""), func(ctx context.Context) ([]backends.VMSummary, error) {
		return a.Backend.ListVMs(ctx, filter)
	})
}

func (a *around) GetVMs(ctx context.Context, ids []backends.ID, aspects backends.Aspects) (map[backends.ID]backends.Result, error) {
	c := reading("GetVMs", "")
	if len(ids) == 1 {
		c.Object = vm(ids[0])
	}
	return through(ctx, a.fn, c, func(ctx context.Context) (map[backends.ID]backends.Result, error) {
		return a.Backend.GetVMs(ctx, ids, aspects)
	})
}

// CreateVM can be repeated where the driver can tell its own half-made VM by its token.
func (a *around) CreateVM(ctx context.Context, spec *backends.VMSpec) (backends.ID, error) {
	return a.making(ctx, Call{Method: "CreateVM", Object: backends.VMObject(spec.Name), Repeatable: spec.CreateToken != ""}, func(ctx context.Context) (backends.ID, error) {
		return a.Backend.CreateVM(ctx, spec)
	})
}

func (a *around) CloneVM(ctx context.Context, spec *backends.CloneSpec) (backends.ID, error) {
	return a.making(ctx, Call{Method: "CloneVM", Object: backends.VMObject(spec.Spec.Name), Repeatable: spec.Spec.CreateToken != ""}, func(ctx context.Context) (backends.ID, error) {
		return a.Backend.CloneVM(ctx, spec)
	})
}

func (a *around) Reconfigure(ctx context.Context, id backends.ID, r backends.Reconfiguration) error {
	return a.fn(ctx, Call{Method: "Reconfigure", Object: vm(id), Repeatable: true}, func(ctx context.Context) error {
		return a.Backend.Reconfigure(ctx, id, r)
	})
}

func (a *around) DeleteVM(ctx context.Context, id backends.ID, opts backends.DeleteOptions) error {
	return a.fn(ctx, Call{Method: "DeleteVM", Object: vm(id), Repeatable: true}, func(ctx context.Context) error {
		return a.Backend.DeleteVM(ctx, id, opts)
	})
}

func (a *around) SetPower(ctx context.Context, id backends.ID, action backends.PowerAction) error {
	// A guest that was asked to reboot must not be asked twice.
	c := Call{Method: "SetPower", Object: vm(id), Repeatable: action != backends.Reset && action != backends.Reboot}
	return a.fn(ctx, c, func(ctx context.Context) error { return a.Backend.SetPower(ctx, id, action) })
}

func (a *around) WaitPower(ctx context.Context, id backends.ID, state backends.PowerState) error {
	c := Call{Method: "WaitPower", Object: vm(id), Repeatable: true, Waits: true}
	return a.fn(ctx, c, func(ctx context.Context) error { return a.Backend.WaitPower(ctx, id, state) })
}

func (a *around) CreateSnapshot(ctx context.Context, id backends.ID, spec backends.SnapshotSpec) (string, error) {
	return through(ctx, a.fn, Call{Method: "CreateSnapshot", Object: vm(id)}, func(ctx context.Context) (string, error) {
		return a.Backend.CreateSnapshot(ctx, id, spec)
	})
}

func (a *around) ListSnapshots(ctx context.Context, id backends.ID) ([]backends.Snapshot, error) {
	return through(ctx, a.fn, reading("ListSnapshots", vm(id)), func(ctx context.Context) ([]backends.Snapshot, error) {
		return a.Backend.ListSnapshots(ctx, id)
	})
}

func (a *around) RevertSnapshot(ctx context.Context, id backends.ID, snapshot string) error {
	return a.fn(ctx, Call{Method: "RevertSnapshot", Object: vm(id)}, func(ctx context.Context) error {
		return a.Backend.RevertSnapshot(ctx, id, snapshot)
	})
}

func (a *around) DescribeSnapshot(ctx context.Context, id backends.ID, snapshot, description string) error {
	return a.fn(ctx, Call{Method: "DescribeSnapshot", Object: vm(id), Repeatable: true}, func(ctx context.Context) error {
		return a.Backend.DescribeSnapshot(ctx, id, snapshot, description)
	})
}

func (a *around) DeleteSnapshot(ctx context.Context, id backends.ID, snapshot string, children bool) error {
	return a.fn(ctx, Call{Method: "DeleteSnapshot", Object: vm(id), Repeatable: true}, func(ctx context.Context) error {
		return a.Backend.DeleteSnapshot(ctx, id, snapshot, children)
	})
}

func (a *around) ImportImage(ctx context.Context, spec backends.ImageSpec, source backends.ImageSource) (backends.Image, error) {
	return through(ctx, a.fn, Call{Method: "ImportImage", Object: backends.ImageObject(spec.Name)}, func(ctx context.Context) (backends.Image, error) {
		return a.Backend.ImportImage(ctx, spec, source)
	})
}

func (a *around) GetImage(ctx context.Context, id string) (backends.Image, error) {
	return through(ctx, a.fn, reading("GetImage", backends.ImageObject(id)), func(ctx context.Context) (backends.Image, error) {
		return a.Backend.GetImage(ctx, id)
	})
}

func (a *around) ListImages(ctx context.Context, storage string) ([]backends.Image, error) {
	return through(ctx, a.fn, reading("ListImages", ""), func(ctx context.Context) ([]backends.Image, error) {
		return a.Backend.ListImages(ctx, storage)
	})
}

func (a *around) DeleteImage(ctx context.Context, id string) error {
	return a.fn(ctx, Call{Method: "DeleteImage", Object: backends.ImageObject(id), Repeatable: true}, func(ctx context.Context) error {
		return a.Backend.DeleteImage(ctx, id)
	})
}

func (a *around) CreateDisk(ctx context.Context, spec backends.DiskSpec) (backends.Volume, error) {
	return through(ctx, a.fn, Call{Method: "CreateDisk", Object: backends.DiskObject(spec.Name)}, func(ctx context.Context) (backends.Volume, error) {
		return a.Backend.CreateDisk(ctx, spec)
	})
}

func (a *around) GetDisk(ctx context.Context, id string) (backends.Volume, error) {
	return through(ctx, a.fn, reading("GetDisk", backends.DiskObject(id)), func(ctx context.Context) (backends.Volume, error) {
		return a.Backend.GetDisk(ctx, id)
	})
}

func (a *around) ResizeDisk(ctx context.Context, id string, sizeGiB int64) error {
	return a.fn(ctx, Call{Method: "ResizeDisk", Object: backends.DiskObject(id), Repeatable: true}, func(ctx context.Context) error {
		return a.Backend.ResizeDisk(ctx, id, sizeGiB)
	})
}

func (a *around) DeleteDisk(ctx context.Context, id string) error {
	return a.fn(ctx, Call{Method: "DeleteDisk", Object: backends.DiskObject(id), Repeatable: true}, func(ctx context.Context) error {
		return a.Backend.DeleteDisk(ctx, id)
	})
}

func (a *around) GuestInfo(ctx context.Context, id backends.ID) (backends.Guest, error) {
	return through(ctx, a.fn, reading("GuestInfo", vm(id)), func(ctx context.Context) (backends.Guest, error) {
		return a.Backend.GuestInfo(ctx, id)
	})
}

func (a *around) GuestExec(ctx context.Context, id backends.ID, cmd backends.GuestCommand) (backends.GuestResult, error) {
	return through(ctx, a.fn, Call{Method: "GuestExec", Object: vm(id)}, func(ctx context.Context) (backends.GuestResult, error) {
		return a.Backend.GuestExec(ctx, id, cmd)
	})
}

func (a *around) Console(ctx context.Context, id backends.ID) (backends.Console, error) {
	return through(ctx, a.fn, reading("Console", vm(id)), func(ctx context.Context) (backends.Console, error) {
		return a.Backend.Console(ctx, id)
	})
}

func (a *around) Migrate(ctx context.Context, id backends.ID, to backends.PlacementSpec) error {
	return a.fn(ctx, Call{Method: "Migrate", Object: vm(id)}, func(ctx context.Context) error {
		return a.Backend.Migrate(ctx, id, to)
	})
}

func (a *around) CheckPlacement(ctx context.Context, at backends.PlacementSpec) error {
	return a.fn(ctx, reading("CheckPlacement", ""), func(ctx context.Context) error { return a.Backend.CheckPlacement(ctx, at) })
}

func (a *around) Hosts(ctx context.Context) ([]backends.Host, error) {
	return through(ctx, a.fn, reading("Hosts", ""), a.Backend.Hosts)
}

func (a *around) Networks(ctx context.Context) ([]backends.Network, error) {
	return through(ctx, a.fn, reading("Networks", ""), a.Backend.Networks)
}

func (a *around) Storages(ctx context.Context) ([]backends.Storage, error) {
	return through(ctx, a.fn, reading("Storages", ""), a.Backend.Storages)
}

func (a *around) Tasks(ctx context.Context, filter backends.TaskFilter) ([]backends.Task, error) {
	return through(ctx, a.fn, reading("Tasks", ""), func(ctx context.Context) ([]backends.Task, error) {
		return a.Backend.Tasks(ctx, filter)
	})
}

func (a *around) Metrics(ctx context.Context, ids []backends.ID) (map[backends.ID]backends.Metrics, error) {
	return through(ctx, a.fn, reading("Metrics", ""), func(ctx context.Context) (map[backends.ID]backends.Metrics, error) {
		return a.Backend.Metrics(ctx, ids)
	})
}

func (a *around) Events(ctx context.Context, id backends.ID) ([]backends.Event, error) {
	return through(ctx, a.fn, reading("Events", vm(id)), func(ctx context.Context) ([]backends.Event, error) {
		return a.Backend.Events(ctx, id)
	})
}
