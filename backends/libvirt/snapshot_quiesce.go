package libvirt

import (
	"context"
	"time"

	rpc "github.com/digitalocean/go-libvirt"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

const (
	// quiesceLimit is how long a guest may take to write out what it has in memory.
	quiesceLimit = 60 * time.Second
	// thawLimit bounds the order to go on.
	thawLimit = 15 * time.Second
	// agentBlocks is libvirt's default: to wait for an agent's answer for ever.
	agentBlocks = -2
)

// quiesced runs fn while the guest's file systems are at rest. The guest goes on afterwards, whatever
// happened.
//
// Libvirt could do it within a snapshot, but then it waits for ever for an agent that hangs, and holds the VM.
func (b *Backend) quiesced(ctx context.Context, dom rpc.Domain, fn func(context.Context) error) (err error) {
	no := func(err error) error {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return backends.Errorf(backends.Precondition, "", "", "the guest agent, which has to quiesce the file systems, did not: %w", err).At("quiesce").
			Advise("Start the agent in the guest, wait until it has booted, or take the snapshot without quiesce.")
	}
	// One that hangs shows at once.
	if err := b.agent(ctx, dom, "guest-ping", nil, nil); err != nil {
		return no(err)
	}
	b.agentWaits(ctx, dom, int32(quiesceLimit/time.Second))
	defer func() { b.agentWaits(context.WithoutCancel(ctx), dom, agentBlocks) }()
	asking, cancel := context.WithTimeout(ctx, quiesceLimit+agentPatience*time.Second)
	defer cancel()
	_, err = do(asking, b, func(l *rpc.Libvirt) (int32, error) { return l.DomainFsfreeze(dom, nil, 0) })
	if err != nil {
		// It may have heard all the same.
		_ = b.thaw(ctx, dom)
		return no(err)
	}
	err = fn(ctx)
	if thawErr := b.thaw(ctx, dom); thawErr != nil && err == nil {
		return backends.Errorf(backends.Internal, "", "", "the snapshot was taken, but the guest's file systems are still at rest: %w", thawErr).
			Advise("Let the guest go on with: virsh domfsthaw %s", dom.Name)
	}
	return err
}

// thaw lets a guest go on, also after an interrupt.
func (b *Backend) thaw(ctx context.Context, dom rpc.Domain) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), thawLimit)
	defer cancel()
	_, err := do(ctx, b, func(l *rpc.Libvirt) (int32, error) { return l.DomainFsthaw(dom, nil, 0) })
	return err
}

// agentWaits tells libvirt how many seconds to wait for an agent. Old ones do not know that, and
// then the end of the caller's context has to do.
func (b *Backend) agentWaits(ctx context.Context, dom rpc.Domain, seconds int32) {
	ctx, cancel := context.WithTimeout(ctx, keepLimit)
	defer cancel()
	_, _ = do(ctx, b, func(l *rpc.Libvirt) (int32, error) { return l.DomainAgentSetResponseTimeout(dom, seconds, 0) })
}
