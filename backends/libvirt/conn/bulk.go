package conn

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/digitalocean/go-libvirt"
)

// chunkBytes is the payload of a data frame that every libvirtd takes.
const chunkBytes = 262120

// Bulk is a connection for the data of volumes, so that control calls do not wait behind it.
// It speaks as much of libvirt's protocol as that takes by itself: go-libvirt's streams
// lose a goroutine with 4 MiB at every error, and hang when the data's source fails.
//
// A Bulk is for one goroutine, and of no use after an error. Its errors are *backends.Error,
// except for those of the reader or writer that the caller gave, which come unchanged.
type Bulk struct {
	conn   *guard
	in     *bufio.Reader
	serial uint32
	buf    []byte // one frame
	unhook func() bool
}

// Bulk opens a connection for data. The caller closes it.
func (c *Conn) Bulk(ctx context.Context) (*Bulk, error) {
	dialCtx, cancel := c.dialContext(ctx)
	defer cancel()
	raw, err := c.dialer.dial(dialCtx)
	if err != nil {
		return nil, c.dialError(dialCtx, err)
	}
	g := newGuard(raw)
	b := &Bulk{conn: g, in: bufio.NewReaderSize(g, 64<<10), buf: make([]byte, headerBytes+chunkBytes)}
	stop := context.AfterFunc(dialCtx, func() { g.closeFor(context.Cause(dialCtx)) })
	defer stop()
	if err := b.login(c.target.remote()); err != nil {
		b.conn.closeFor(err)
		return nil, c.dialError(dialCtx, b.why(err))
	}
	if !c.start(func() { g.keepAlive(c.cfg.KeepAlive) }) {
		g.closeFor(errClosed)
		return nil, errClosed
	}
	b.unhook = context.AfterFunc(c.ctx, func() { g.closeFor(errClosed) })
	return b, nil
}

// Close says goodbye and closes the connection.
func (b *Bulk) Close() error {
	if !b.conn.isClosed() {
		b.serial++
		_ = b.send(header{procedure: procConnectClose, kind: typeCall, serial: b.serial}, nil) // libvirtd sees the end anyway
	}
	b.conn.closeFor(errClosed)
	b.unhook()
	return nil
}

func (b *Bulk) login(uri string) error {
	answer, err := b.call(procAuthList, nil)
	if err != nil {
		return err
	}
	d := decoder{b: answer}
	for n := d.uint32(); n > 0 && d.err == nil; n-- {
		kind := d.uint32()
		if kind == authPolkit {
			_, err = b.call(procAuthPolkit, nil)
		}
		if kind == authPolkit || kind == authNone {
			break
		}
	}
	if err = errors.Join(d.err, err); err != nil {
		return err
	}
	args := binary.BigEndian.AppendUint32(nil, 1) // a name follows
	args = appendString(args, uri)
	args = binary.BigEndian.AppendUint32(args, 0) // flags
	_, err = b.call(procConnectOpen, args)
	return err
}

// Upload writes what r yields, up to io.EOF, into a volume from offset on. It fails where r
// fails, and then with r's error; what was written by then stays.
func (b *Bulk) Upload(ctx context.Context, vol libvirt.StorageVol, offset uint64, r io.Reader) error {
	return b.bounded(ctx, func() error {
		if _, err := b.call(procVolUpload, volumeArgs(vol, offset, 0)); err != nil {
			return err
		}
		verdict := make(chan error, 1)
		go func() {
			_, err := b.answer(procVolUpload)
			verdict <- err
		}()
		err := b.sendAll(r, verdict)
		if err == nil {
			return <-verdict
		}
		var source *sourceError
		if errors.As(err, &source) {
			// libvirtd lets go of the volume before it answers.
			abort := header{procedure: procVolUpload, kind: typeStream, serial: b.serial, status: statusError}
			if b.sendBuf(abort, 0) == nil {
				<-verdict
			}
			return err
		}
		b.conn.closeFor(err)
		if early := <-verdict; isAnswer(early) {
			return early
		}
		return err
	})
}

// sendAll sends r and the end of the stream. It stops when libvirtd has something to
// say before that.
func (b *Bulk) sendAll(r io.Reader, verdict chan error) error {
	data := header{procedure: procVolUpload, kind: typeStream, serial: b.serial, status: statusContinue}
	for {
		select {
		case err := <-verdict:
			if err == nil {
				err = errors.New("libvirtd ended the upload before the end of the data")
			}
			verdict <- err
			return err
		default:
		}
		n, err := fill(r, b.buf[headerBytes:])
		if err != nil && err != io.EOF {
			return &sourceError{err}
		}
		if n > 0 {
			if err := b.sendBuf(data, n); err != nil {
				return err
			}
		}
		if err == io.EOF {
			data.status = statusOK
			return b.sendBuf(data, 0)
		}
	}
}

// Download passes length bytes of a volume from offset on to w; length 0 is all the rest.
func (b *Bulk) Download(ctx context.Context, vol libvirt.StorageVol, offset, length uint64, w io.Writer) error {
	return b.bounded(ctx, func() error {
		if _, err := b.call(procVolDownload, volumeArgs(vol, offset, length)); err != nil {
			return err
		}
		for {
			h, payload, err := b.receive(procVolDownload)
			if err != nil {
				return err
			}
			if h.status == statusOK || len(payload) == 0 {
				if h.status == statusOK {
					return nil
				}
				break
			}
			if _, err := w.Write(payload); err != nil {
				return &sourceError{err}
			}
		}
		end := header{procedure: procVolDownload, kind: typeStream, serial: b.serial, status: statusOK}
		if err := b.sendBuf(end, 0); err != nil {
			return err
		}
		_, err := b.answer(procVolDownload)
		return err
	})
}

// bounded runs fn, closes the connection when ctx ends, and says why fn failed.
func (b *Bulk) bounded(ctx context.Context, fn func() error) error {
	stop := context.AfterFunc(ctx, func() { b.conn.closeFor(context.Cause(ctx)) })
	defer stop()
	err := fn()
	if err == nil {
		return nil
	}
	b.conn.closeFor(err)
	if ctx.Err() != nil {
		return Classify(context.Cause(ctx))
	}
	var source *sourceError
	if errors.As(err, &source) {
		return source.err
	}
	return Classify(b.why(err))
}

// why is the cause of an error on a connection that is closed by now.
func (b *Bulk) why(err error) error {
	if isAnswer(err) {
		return err
	}
	return &lostError{b.conn.cause()}
}

// sourceError is what the caller's reader or writer failed with.
type sourceError struct{ err error }

func (e *sourceError) Error() string { return e.err.Error() }
func (e *sourceError) Unwrap() error { return e.err }

func isAnswer(err error) bool {
	var answer libvirt.Error
	return errors.As(err, &answer)
}

// fill reads until p is full. Unlike io.ReadFull it tells an end from a source that
// fails with io.ErrUnexpectedEOF.
func fill(r io.Reader, p []byte) (n int, err error) {
	for n < len(p) && err == nil {
		var m int
		m, err = r.Read(p[n:])
		n += m
	}
	return n, err
}

func volumeArgs(vol libvirt.StorageVol, offset, length uint64) []byte {
	args := appendString(nil, vol.Pool)
	args = appendString(args, vol.Name)
	args = appendString(args, vol.Key)
	args = binary.BigEndian.AppendUint64(args, offset)
	args = binary.BigEndian.AppendUint64(args, length)
	return binary.BigEndian.AppendUint32(args, 0) // flags
}

// call sends a call and waits for its answer.
func (b *Bulk) call(procedure uint32, args []byte) ([]byte, error) {
	b.serial++
	if err := b.send(header{procedure: procedure, kind: typeCall, serial: b.serial}, args); err != nil {
		return nil, err
	}
	return b.answer(procedure)
}

// answer waits for the frame that ends a call or a stream.
func (b *Bulk) answer(procedure uint32) ([]byte, error) {
	h, payload, err := b.receive(procedure)
	if err == nil && h.status != statusOK {
		err = fmt.Errorf("libvirtd answers with status %d out of turn", h.status)
	}
	return payload, err
}

func (b *Bulk) send(h header, payload []byte) error {
	n := copy(b.buf[headerBytes:], payload)
	return b.sendBuf(h, n)
}

// sendBuf sends the first n bytes behind the header's place in buf.
func (b *Bulk) sendBuf(h header, n int) error {
	h.program, h.version = remoteProgram, programVersion
	h.put(b.buf, n)
	_, err := b.conn.Write(b.buf[:headerBytes+n])
	return err
}

// receive gives the next frame that belongs to the call under way.
func (b *Bulk) receive(procedure uint32) (header, []byte, error) {
	for {
		start := make([]byte, headerBytes)
		if _, err := io.ReadFull(b.in, start); err != nil {
			return header{}, nil, err
		}
		h := parseHeader(start[lengthBytes:])
		// The guard has let no frame pass that is shorter than its header or too long.
		payload := make([]byte, binary.BigEndian.Uint32(start)-headerBytes)
		if _, err := io.ReadFull(b.in, payload); err != nil {
			return header{}, nil, err
		}
		if h.program != remoteProgram || h.procedure != procedure || h.serial != b.serial {
			continue // an answer to a keep-alive, or an event
		}
		if h.status == statusError {
			return h, nil, parseError(payload)
		}
		return h, payload, nil
	}
}
