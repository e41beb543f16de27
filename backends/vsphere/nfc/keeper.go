package nfc

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/vmware/govmomi/nfc"
)

// keeper tells vSphere how far the uploads are, which also keeps the lease from running out.
type keeper struct {
	progress atomic.Int32 // percent

	// ctx ends when the lease is lost, with the reason as its cause, and when the caller's does.
	ctx  context.Context //nolint:containedctx // that of uploads
	end  context.CancelCauseFunc
	quit chan struct{}
	done chan struct{}
	lost error
}

// keepInterval is how often vSphere is told, at most; a lease runs out after minutes.
const keepInterval = 5 * time.Second

func keep(ctx context.Context, lease *nfc.Lease, timeout time.Duration) *keeper {
	k := &keeper{quit: make(chan struct{}), done: make(chan struct{})}
	k.ctx, k.end = context.WithCancelCause(ctx)
	every := keepInterval
	if timeout > 0 {
		every = min(every, timeout/4)
	}
	go k.run(lease, every)
	return k
}

func (k *keeper) run(lease *nfc.Lease, every time.Duration) {
	defer close(k.done)
	tick := time.NewTicker(every)
	defer tick.Stop()
	for failed := 0; ; {
		select {
		case <-k.quit:
			return
		case <-k.ctx.Done():
			return
		case <-tick.C:
		}
		err := lease.Progress(k.ctx, k.progress.Load())
		if err == nil || k.ctx.Err() != nil {
			failed = 0
			continue
		}
		// A dropped connection may come back; a lease that is gone does not.
		if failed++; failed > 2 || isLost(err) {
			k.lost = lostLease(err)
			k.end(k.lost)
			return
		}
	}
}

// stop ends the keeping and waits for that. It tells why the lease was lost, if it was.
func (k *keeper) stop() error {
	select {
	case <-k.quit:
	default:
		close(k.quit)
	}
	<-k.done
	k.end(nil)
	return k.lost
}
