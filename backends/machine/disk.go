package machine

import (
	"context"
	"errors"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// releaseTime is how long DeleteDisk waits for the VM that has the disk.
const releaseTime = 90 * time.Second

// DeleteDisk deletes a disk with a life of its own. While a VM has it, DeleteDisk
// waits for a bounded time, because that VM may just be on its way out; then the
// error is the driver's, which names the VM. What is gone already is success.
func DeleteDisk(ctx context.Context, b backends.Backend, id string) error {
	object := backends.DiskObject(id)
	end := time.Now().Add(releaseTime)
	pause := backoff.NewExponentialBackOff()
	pause.InitialInterval, pause.MaxInterval = 200*time.Millisecond, 5*time.Second
	for {
		err := b.DeleteDisk(ctx, id)
		switch backends.CodeOf(err) {
		case "", backends.NotFound:
			return nil
		case backends.Precondition:
		default:
			return backends.Wrap(err, "delete", object)
		}
		next := pause.NextBackOff()
		if time.Now().Add(next).After(end) {
			return backends.Wrap(err, "delete", object)
		}
		backends.Report(ctx, backends.Progress{Op: "wait until no VM has it", Object: object, Percent: -1})
		timer := time.NewTimer(next)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return backends.Errorf(backends.CodeOf(ctx.Err()), "delete", object, "%w; until then: %w", ctx.Err(), errors.Unwrap(err))
		}
	}
}
