package libvirt

import (
	"context"
	"errors"
	"fmt"
	"time"

	rpc "github.com/digitalocean/go-libvirt"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/libvirt/conn"
)

// query asks libvirtd something, again where the connection breaks.
func query[T any](ctx context.Context, b *Backend, fn func(*rpc.Libvirt) (T, error)) (T, error) {
	return conn.Query(ctx, b.conn, fn)
}

// do has libvirtd change something, once, and returns what it answers.
func do[T any](ctx context.Context, b *Backend, fn func(*rpc.Libvirt) (T, error)) (T, error) {
	return conn.Do(ctx, b.conn, fn)
}

// once has libvirtd change something, once.
func (b *Backend) once(ctx context.Context, fn func(*rpc.Libvirt) error) error {
	return b.conn.Call(ctx, fn)
}

// again is once for what may be repeated: setting what is set already changes nothing.
func (b *Backend) again(ctx context.Context, fn func(*rpc.Libvirt) error) error {
	return b.conn.Read(ctx, fn)
}

// answered reports whether err is libvirt's error of that number.
func answered(err error, n rpc.ErrorNumber) bool {
	var e rpc.Error
	return errors.As(err, &e) && e.Code == uint32(n)
}

// lookup finds a domain by id. What is no UUID cannot exist.
func (b *Backend) lookup(ctx context.Context, id backends.ID) (rpc.Domain, error) {
	uuid, ok := parseUUID(string(id))
	if !ok {
		return rpc.Domain{}, backends.Errorf(backends.NotFound, "", "", "there is no VM with the id %q: libvirt's ids are UUIDs", id)
	}
	return query(ctx, b, func(l *rpc.Libvirt) (rpc.Domain, error) { return l.DomainLookupByUUID(uuid) })
}

// xmlFlags read the definition that the next start uses, with the secrets (a VNC
// password) that writing it back must not lose.
const xmlFlags = rpc.DomainXMLInactive | rpc.DomainXMLSecure

// readDomain reads a domain's persistent definition.
func (b *Backend) readDomain(ctx context.Context, dom rpc.Domain, flags rpc.DomainXMLFlags) (*domain, error) {
	text, err := query(ctx, b, func(l *rpc.Libvirt) (string, error) { return l.DomainGetXMLDesc(dom, flags) })
	if err != nil {
		return nil, err
	}
	d, err := parseDomain(text)
	if h := b.facts.Load(); err == nil && h != nil {
		d.mhz = h.mhz
	}
	return d, err
}

// state returns a domain's state.
func (b *Backend) state(ctx context.Context, dom rpc.Domain) (rpc.DomainState, error) {
	return query(ctx, b, func(l *rpc.Libvirt) (rpc.DomainState, error) {
		s, _, err := l.DomainGetState(dom, 0)
		return rpc.DomainState(s), err
	})
}

func (b *Backend) hasSavedMemory(ctx context.Context, dom rpc.Domain) (bool, error) {
	return query(ctx, b, func(l *rpc.Libvirt) (bool, error) {
		has, err := l.DomainHasManagedSaveImage(dom, 0)
		return has != 0, err
	})
}

// isUp reports whether a domain has a QEMU process.
func isUp(s rpc.DomainState) bool {
	return s != rpc.DomainShutoff && s != rpc.DomainNostate
}

// define writes a persistent definition.
func (b *Backend) define(ctx context.Context, d *domain) error {
	if d.mark != nil {
		if err := writeMark(d.xml, d.mark); err != nil {
			return err
		}
	}
	text, err := d.xml.Marshal()
	if err != nil {
		return fmt.Errorf("write the definition: %w", err)
	}
	// The same definition twice is the same as once.
	return b.again(ctx, func(l *rpc.Libvirt) error {
		_, err := l.DomainDefineXMLFlags(text, 0)
		return err
	})
}

// poll calls check at growing intervals until it says done, fails, or ctx ends.
func poll(ctx context.Context, check func() (done bool, err error)) error {
	for pause := 50 * time.Millisecond; ; pause = min(2*pause, 2*time.Second) {
		done, err := check()
		if done || err != nil {
			return err
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return context.Cause(ctx)
		}
	}
}
