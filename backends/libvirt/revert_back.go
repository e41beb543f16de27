package libvirt

import (
	"context"
	"errors"

	rpc "github.com/digitalocean/go-libvirt"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// replace writes the definition that comes back, and ends what runs. It waits for the answers a
// while longer than ctx: without them nobody would know which VM it is.
func (r *reversion) replace(ctx context.Context) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	longer, cancel := outlive(ctx)
	defer cancel()
	// Also of a running VM, for whose next start it is: should it be wrong, nothing has happened yet.
	if err := r.define(longer, r.then); err != nil {
		return err
	}
	r.macs.forget(r.dom.UUID)
	if ctx.Err() != nil && (r.up || r.saved) {
		return context.Cause(ctx)
	}
	if err := r.stop(longer); err != nil && !r.ended(ctx) {
		return err
	}
	return nil
}

// stop ends what runs, and what would be resumed.
func (r *reversion) stop(ctx context.Context) error {
	if r.saved {
		return r.again(ctx, func(l *rpc.Libvirt) error { return l.DomainManagedSaveRemove(r.dom, 0) })
	}
	if !r.up {
		return nil
	}
	err := r.again(ctx, func(l *rpc.Libvirt) error { return l.DomainDestroyFlags(r.dom, rpc.DomainDestroyDefault) })
	if answered(err, rpc.ErrOperationInvalid) {
		return nil // it stopped meanwhile
	}
	return err
}

// ended reports whether nothing runs any more, nor would be resumed, whatever became of the answer.
func (r *reversion) ended(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), keepLimit)
	defer cancel()
	state, err := r.state(ctx, r.dom)
	if err != nil || isUp(state) {
		return false
	}
	saved, err := r.hasSavedMemory(ctx, r.dom)
	return err == nil && !saved
}

// back lets the VM be what it is today, where a revert cannot go on, so that no later start
// reverts it by surprise; the new layers go. It returns why.
func (r *reversion) back(ctx context.Context, cause error) error {
	longer, cancel := context.WithTimeout(context.WithoutCancel(ctx), keepLimit)
	defer cancel()
	// Once more where it stands: that changes nothing.
	if err := r.define(longer, r.now); err != nil {
		return errors.Join(cause, backends.Wrap(err, "put the definition back", backends.VMObject(r.dom.Name)))
	}
	r.macs.forget(r.dom.UUID)
	return r.unmake(ctx, r.dom, r.now, r.layers, cause)
}
