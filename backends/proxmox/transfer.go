package proxmox

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"io"
	"strings"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/proxmox/pve"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/proxmox/vmconf"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/cloudinit"
)

// upload makes a file of a storage, such as "local:iso/x.iso", of size bytes from r, which has to end there. Where it fails nothing is left; and
// before r has said that its content is what it should be, there is no file that somebody could take for it.
func (b *Backend) upload(ctx context.Context, node, volume, object string, size int64, r io.Reader) error {
	v := vmconf.ParseVolume(volume)
	content, name, _ := strings.Cut(v.Name, "/")
	r = &proven{from: &patient{ctx: ctx, from: r}, left: size}
	var upid pve.Text
	err := b.conn.Upload(ctx, pve.Path("nodes", node, "storage", v.Storage, "upload"), pve.Upload{
		Fields: map[string]string{"content": content}, Filename: name, Size: size, File: r, Object: object,
	}, &upid)
	if err == nil && upid != "" {
		_, err = b.conn.Await(ctx, string(upid))
	}
	if err == nil {
		return nil
	}
	b.discard(ctx, node, volume)
	if ctx.Err() != nil {
		return backends.Wrap(context.Cause(ctx), "", "")
	}
	return err
}

// patient reads from a source that may hang, until ctx ends: the connection waits for a read under way.
type patient struct {
	ctx  context.Context //nolint:containedctx // an io.Reader has no other place for it
	from io.Reader
	buf  []byte
	left []byte // read, and not handed on
	err  error
}

func (p *patient) Read(to []byte) (int, error) {
	if len(p.left) == 0 && p.err == nil {
		p.fill()
	}
	n := copy(to, p.left)
	p.left = p.left[n:]
	if len(p.left) > 0 {
		return n, nil
	}
	return n, p.err
}

// fill reads once. A read that is under way when ctx ends has p.buf to itself from then on, and ends when its source is closed.
func (p *patient) fill() {
	if p.buf == nil {
		p.buf = make([]byte, 256<<10)
	}
	type result struct {
		n   int
		err error
	}
	done := make(chan result, 1)
	go func() {
		n, err := p.from.Read(p.buf)
		done <- result{n, err}
	}()
	select {
	case r := <-done:
		p.left, p.err = p.buf[:r.n], r.err
	case <-p.ctx.Done():
		p.err = context.Cause(p.ctx)
	}
}

// proven hands on the last bytes of a source only when it has ended behind them: only then does it say whether they are what they should be.
type proven struct {
	from io.Reader
	left int64 // bytes that are expected
	err  error
}

func (w *proven) Read(to []byte) (int, error) {
	if w.err != nil || w.left == 0 {
		return 0, cmp.Or(w.err, io.EOF)
	}
	n, err := w.from.Read(to[:min(int64(len(to)), w.left)])
	if w.left -= int64(n); w.left > 0 {
		return n, err
	}
	if w.err = ended(w.from); w.err != nil {
		return 0, w.err
	}
	return n, nil
}

// ended reads what is behind the bytes that were expected: nothing, or the error that says that they are not what they should be.
func ended(r io.Reader) error {
	n, err := io.ReadFull(r, make([]byte, 1))
	switch {
	case n > 0:
		return backends.Errorf(backends.Invalid, "", "", "the content is longer than it was said to be")
	case errors.Is(err, io.EOF):
		return nil
	}
	return err
}

// tidying is the time to take something away that failed: where the caller's is over, it wants to hear of it soon.
func tidying(ctx context.Context) (context.Context, context.CancelFunc) {
	if ctx.Err() == nil {
		return context.WithTimeout(context.WithoutCancel(ctx), settleTime)
	}
	return context.WithTimeout(context.WithoutCancel(ctx), grace)
}

// discard removes what is there of a volume that was to be made, whatever became of ctx.
func (b *Backend) discard(ctx context.Context, node, volume string) {
	ctx, cancel := tidying(ctx)
	defer cancel()
	_ = b.freeVolume(ctx, node, volume) // what it was made for has failed already
}

// freeVolume deletes a volume. Storages of files take it for done where there is none, and others do not: there it is NotFound.
func (b *Backend) freeVolume(ctx context.Context, node, volume string) error {
	v := vmconf.ParseVolume(volume)
	_, err := b.conn.Task(ctx, "delete", "volume "+volume, "DELETE", pve.Path("nodes", node, "storage", v.Storage, "content", volume), nil)
	if err == nil || ctx.Err() != nil || backends.CodeOf(err) == backends.Auth {
		return err
	}
	if gone := b.unlisted(ctx, node, volume); backends.CodeOf(gone) == backends.NotFound {
		return gone
	}
	return err
}

// uploadSeed makes the ISO of a seed.
func (b *Backend) uploadSeed(ctx context.Context, node string, s *seedPlan) error {
	seed, err := cloudinit.Render(s.Input)
	if err != nil {
		return backends.Errorf(backends.Invalid, "", "", "the cloud-init seed cannot be made: %w", err).At("cloud_init")
	}
	iso, err := cloudinit.ISO(seed)
	if err != nil {
		return backends.Errorf(backends.Invalid, "", "", "the cloud-init seed cannot be made: %w", err).At("cloud_init")
	}
	return at(b.upload(ctx, node, s.Volume, "cloud-init seed", int64(len(iso)), bytes.NewReader(iso)), "cloud_init")
}
