package libvirt

import (
	"context"
	"fmt"
	"time"

	rpc "github.com/digitalocean/go-libvirt"
	"libvirt.org/go/libvirtxml"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// blockJob is what libvirt says of work on a disk's volumes.
type blockJob struct {
	found    bool
	kind     rpc.DomainBlockJobType
	cur, end uint64
}

func (b *Backend) blockJob(ctx context.Context, dom rpc.Domain, target string) (blockJob, error) {
	return query(ctx, b, func(l *rpc.Libvirt) (blockJob, error) {
		found, kind, _, cur, end, err := l.DomainGetBlockJobInfo(dom, target, 0)
		return blockJob{found != 0, rpc.DomainBlockJobType(kind), cur, end}, err
	})
}

// commit has QEMU write what a layer holds into the volume below it, and lets the layer go. An interrupt
// ends that without harm: until the end the layer stays what it was.
func (t *tidying) commit(ctx context.Context, m mergePlan) error {
	i := findDisk(t.d.xml, t.d.mark, m.key)
	if i < 0 {
		return backends.Errorf(backends.Internal, "", "", "the disk %q is not in the VM's definition", m.key)
	}
	target := targetOf(&t.d.xml.Devices.Disks[i])
	if err := t.endJob(ctx, target); err != nil {
		return err
	}
	var flags rpc.DomainBlockCommitFlags
	if m.active {
		flags = rpc.DomainBlockCommitActive
	}
	err := t.once(ctx, func(l *rpc.Libvirt) error {
		return l.DomainBlockCommit(t.dom, target, rpc.OptString{m.base.vol.Path}, rpc.OptString{m.top.vol.Path}, 0, flags)
	})
	if err == nil {
		op := fmt.Sprintf("merge the layers of disk %q", m.key)
		err = t.awaitBlockJob(ctx, t.dom, target, op, m.active)
	}
	if err != nil {
		t.abortBlockJob(ctx, t.dom, target)
		return err
	}
	if err := t.verifyMerge(ctx, target, m); err != nil {
		return err
	}
	return t.committed(ctx, m)
}

// committed reads the definition back, in which libvirt has noted what a merge made of a disk.
func (t *tidying) committed(ctx context.Context, m mergePlan) (err error) {
	if t.live, err = t.readDomain(ctx, t.dom, 0); err != nil {
		return err
	}
	if t.d, err = t.readDomain(ctx, t.dom, xmlFlags); err != nil || !m.active {
		return err
	}
	i := findDisk(t.d.xml, t.d.mark, m.key)
	if i < 0 || !isAt(pathOf(&t.d.xml.Devices.Disks[i]), m.base.vol.Name) {
		return backends.Errorf(backends.Internal, "", "", "libvirt merged the volume %s, but the VM's definition does not say so", m.top.vol.Ref)
	}
	t.rest(m)
	return t.saveMark(ctx, t.dom, t.d, t.up)
}

// endJob ends a merge that an earlier try was interrupted in without ending it itself.
func (t *tidying) endJob(ctx context.Context, target string) error {
	job, err := t.blockJob(ctx, t.dom, target)
	if err != nil || !job.found {
		return err
	}
	if job.kind != rpc.DomainBlockJobTypeActiveCommit {
		return backends.Errorf(backends.Locked, "", "", "another block job is under way on %s", target)
	}
	t.abortBlockJob(ctx, t.dom, target)
	return nil
}

// awaitBlockJob waits for a block job, and ends the kind that goes on until it is told to.
func (b *Backend) awaitBlockJob(ctx context.Context, dom rpc.Domain, target, op string, pivot bool) error {
	return poll(ctx, func() (bool, error) {
		job, err := b.blockJob(ctx, dom, target)
		if err != nil {
			return false, err
		}
		if !job.found {
			return true, nil // by itself: whether it did its work is seen by what the disk is made of
		}
		percent := -1
		if job.end > 0 {
			percent = int(100 * job.cur / job.end) //nolint:gosec // at most 100
		}
		backends.Report(ctx, backends.Progress{Op: op, Object: backends.VMObject(dom.Name), Percent: percent})
		if !pivot || job.cur != job.end || job.end == 0 {
			return false, nil
		}
		err = b.once(ctx, func(l *rpc.Libvirt) error { return l.DomainBlockJobAbort(dom, target, rpc.DomainBlockJobAbortPivot) })
		if answered(err, rpc.ErrBlockCopyActive) || answered(err, rpc.ErrOperationInvalid) {
			return false, nil // not quite ready
		}
		return err == nil, err
	})
}

// abortBlockJob ends a block job, also after an interrupt. That there is none is as good.
func (b *Backend) abortBlockJob(ctx context.Context, dom rpc.Domain, target string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), abortLimit)
	defer cancel()
	_ = b.once(ctx, func(l *rpc.Libvirt) error { return l.DomainBlockJobAbort(dom, target, 0) })
}

// mergeSeen bounds the wait for libvirt to say what a disk is made of after a merge.
const mergeSeen = 10 * time.Second

// verifyMerge reads back that the upper volume is part of the disk no more.
func (t *tidying) verifyMerge(ctx context.Context, target string, m mergePlan) error {
	waiting, cancel := context.WithTimeout(ctx, mergeSeen)
	defer cancel()
	err := poll(waiting, func() (bool, error) {
		live, err := t.readDomain(waiting, t.dom, 0)
		if err != nil {
			return false, err
		}
		i := findTarget(live.xml, target)
		if i < 0 {
			return false, nil
		}
		disk := &live.xml.Devices.Disks[i]
		there := pathOf(disk) == m.top.vol.Path || disk.Mirror != nil
		for below := disk.BackingStore; below != nil && !there; below = below.BackingStore {
			there = pathOf(&libvirtxml.DomainDisk{Source: below.Source}) == m.top.vol.Path
		}
		return !there, nil
	})
	if err != nil && ctx.Err() == nil {
		return backends.Errorf(backends.Internal, "", "", "QEMU did not merge the volume %s into %s", m.top.vol.Ref, m.base.vol.Ref).
			Advise("See the VM's log on the host; the pool may be full. Nothing is lost: both volumes are still in use.")
	}
	return err
}
