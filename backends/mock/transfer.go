package mock

import (
	"context"
	"errors"
	"io"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// weigh tells what content is and how much of it came. It reads to the end, so
// that the reader verifies itself.
func (b *Backend) weigh(ctx context.Context, c call, t *task, content *backends.Content) (im backends.Image, err error) {
	defer func() { err = errors.Join(err, content.Reader.Close()) }()
	read, err := b.drain(ctx, c, t, content)
	switch {
	case err != nil:
		return im, err
	case content.Size >= 0 && read != content.Size:
		return im, refusal(backends.Invalid, "", "%d bytes came instead of %d", read, content.Size)
	case read == 0:
		return im, refusal(backends.Invalid, "", "the content is empty")
	}
	im.Format, im.SizeBytes, im.Allocated = content.Format, content.VirtualSize, read
	if im.SizeBytes < 0 {
		im.SizeBytes = read
	}
	return im, nil
}

// magics are the first bytes of the formats that have some, and where they are.
var magics = map[string]struct {
	at   int
	text string
}{
	"qcow2": {0, "QFI\xfb"}, "vmdk": {0, "KDMV"}, "vhdx": {0, "vhdxfile"}, "vdi": {64, "\x7f\x10\xda\xbe"},
}

// begins checks that content begins as its format does.
func begins(format string, head []byte) error {
	m, known := magics[format]
	if !known || len(head) >= m.at+len(m.text) && string(head[m.at:m.at+len(m.text)]) == m.text {
		return nil
	}
	return refusal(backends.Invalid, "format", "the content is no %s image", format)
}

// drain reads content to its end and reports how far it is. A reader that
// blocks is left when ctx ends: closing it lets it go.
func (b *Backend) drain(ctx context.Context, c call, t *task, content *backends.Content) (total int64, err error) {
	stop := context.AfterFunc(ctx, func() { _ = content.Reader.Close() })
	defer stop()
	const enough = 512 // for every magic
	buffer, head := make([]byte, 1<<20), make([]byte, 0, enough)
	for {
		n, err := content.Reader.Read(buffer)
		total += int64(n)
		unknown := len(head) < enough
		head = append(head, buffer[:min(n, enough-len(head))]...)
		switch {
		case ctx.Err() != nil:
			return total, ctx.Err()
		case err != nil && !errors.Is(err, io.EOF):
			return total, err
		case unknown && (err != nil || len(head) == enough) && total > 0:
			if err := begins(content.Format, head); err != nil {
				return total, err
			}
		}
		if err != nil {
			return total, nil
		}
		if err := b.faults.check([]string{"ImportImage.transfer"}, c.names, c.op, c.object); err != nil {
			return total, err
		}
		p := backends.Progress{Op: c.op, Object: c.object, Task: t.ID, Percent: -1, Done: total, Total: content.Size}
		if content.Size > 0 {
			p.Percent = int(100 * total / content.Size)
		}
		backends.Report(ctx, p)
	}
}
