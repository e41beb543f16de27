package machine

import (
	"context"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// volumeTime is how long a disk that another VM has is waited for: as long as
// a guest gets to shut down, and some more for its VM to be deleted.
const volumeTime = 90 * time.Second

// awaitVolumes waits until no VM but id has one of the disks that are attached by
// Volume, so that a disk goes from one VM to the next in one apply whichever is
// handled first. What cannot be read is the driver's to judge.
func awaitVolumes(ctx context.Context, b backends.Backend, id backends.ID, name string, disks map[string]backends.Disk) error {
	bounded, cancel := context.WithTimeout(ctx, volumeTime)
	defer cancel()
	for key, d := range disks {
		if d.Volume == nil {
			continue
		}
		if err := awaitVolume(bounded, b, id, *d.Volume); err != nil {
			e := backends.Wrap(err, `attach disk "`+key+`"`, backends.VMObject(name)).(*backends.Error) //nolint:errorlint,forcetypeassert // Wrap makes one
			return e.At(backends.Path("disks").Key(key).Attr("volume"))
		}
	}
	return nil
}

func awaitVolume(ctx context.Context, b backends.Backend, id backends.ID, volume string) error {
	pause := backoff.NewExponentialBackOff()
	pause.InitialInterval, pause.MaxInterval = 100*time.Millisecond, 2*time.Second
	started := time.Now()
	var holder backends.ID
	var name string
	for {
		disk, err := b.GetDisk(ctx, volume)
		if err == nil && disk.AttachedTo != "" && disk.AttachedTo != id && disk.AttachedTo != holder {
			holder, name = disk.AttachedTo, string(disk.AttachedTo)
			if vm, err := Get(ctx, b, holder, backends.AspectRuntime); err == nil {
				name = vm.Config.Name
			}
		}
		switch {
		case ctx.Err() != nil && holder == "": // before anything was known
			return nil
		case ctx.Err() != nil:
			return held(ctx, volume, name, holder, time.Since(started))
		case err != nil || disk.AttachedTo == "" || disk.AttachedTo == id:
			return nil
		}
		backends.Report(ctx, backends.Progress{Op: "wait for " + backends.VMObject(name) + " to let go of the disk", Object: backends.DiskObject(volume), Percent: -1})
		timer := time.NewTimer(pause.NextBackOff())
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return held(ctx, volume, name, holder, time.Since(started))
		}
	}
}

// held says who has a disk for which the time is over.
func held(ctx context.Context, volume, name string, holder backends.ID, waited time.Duration) error {
	code := backends.Locked
	if backends.CodeOf(ctx.Err()) == backends.Canceled {
		code = backends.Canceled
	}
	return backends.Errorf(code, "", "", "disk %q is attached to VM %q (%s), which did not let go of it within %s", volume, name, holder, waited.Round(time.Second)).
		Advise("One VM at a time has a disk. Detach it from that VM, or destroy that VM; one that is replaced with create_before_destroy goes only after its successor is made, which then never gets the disk.")
}

// attachments are the disks that changes attach by Volume.
func attachments(changes []backends.Change) map[string]backends.Disk {
	disks := map[string]backends.Disk{}
	for _, c := range changes {
		if d, ok := c.To.(backends.Disk); ok && c.Action == backends.Add && d.Volume != nil {
			disks[c.Key] = d
		}
	}
	return disks
}
