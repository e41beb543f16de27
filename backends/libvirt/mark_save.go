package libvirt

import (
	"context"

	rpc "github.com/digitalocean/go-libvirt"
)

// saveMark writes the mark alone, into the definition and into the running domain. That
// one does not get the name of a deferred change that it does not have.
func (b *Backend) saveMark(ctx context.Context, dom rpc.Domain, d *domain, up bool) error {
	if up && d.mark.Pending != "" {
		live := d.mark.clone()
		live.Pending = ""
		pending, err := b.isPending(ctx, dom, d.mark)
		if err != nil {
			return err
		}
		if pending {
			if err := b.setMark(ctx, dom, live, rpc.DomainAffectLive); err != nil {
				return err
			}
			return b.setMark(ctx, dom, d.mark, rpc.DomainAffectConfig)
		}
		d.mark.Pending = ""
	}
	flags := rpc.DomainAffectConfig
	if up {
		flags |= rpc.DomainAffectLive
	}
	return b.setMark(ctx, dom, d.mark, flags)
}

func (b *Backend) setMark(ctx context.Context, dom rpc.Domain, m *mark, flags rpc.DomainModificationImpact) error {
	text, err := m.encode(false)
	if err != nil {
		return err
	}
	return b.again(ctx, func(l *rpc.Libvirt) error {
		return l.DomainSetMetadata(dom, int32(rpc.DomainMetadataElement), rpc.OptString{text},
			rpc.OptString{markPrefix}, rpc.OptString{markNamespace}, flags)
	})
}
