package conn

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"sync"
	"time"

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
	owner  context.Context // of the Conn
	unhook func() bool
	conn   *guard
	in     *bufio.Reader
	serial uint32
	buf    []byte  // one frame to send
	early  []frame // of a stream, from before the answer to its call

	mu   sync.Mutex
	busy bool
}

// frame is one message of libvirtd.
type frame struct {
	header
	payload []byte
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
	b := &Bulk{owner: c.ctx, conn: g, in: bufio.NewReaderSize(g, 64<<10), buf: make([]byte, headerBytes+chunkBytes)}
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
	b.unhook = context.AfterFunc(c.ctx, b.closeIdle) //nolint:contextcheck // the connection outlives the call that opens it
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

// closeIdle is for when the Conn is closed. A stream under way is ended by its own
// goroutine, in good order.
func (b *Bulk) closeIdle() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.busy {
		b.conn.closeFor(errClosed)
	}
}

func (b *Bulk) setBusy(busy bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.busy = busy
	if !busy && b.owner.Err() != nil {
		b.conn.closeFor(errClosed)
	}
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
	return b.bounded(ctx, func(ctx context.Context) error {
		if _, err := b.call(procVolUpload, volumeArgs(vol, offset, 0)); err != nil {
			return err
		}
		verdict := make(chan error, 1)
		go func() { verdict <- b.streamEnd(procVolUpload) }()
		err := b.sendAll(ctx, r, verdict)
		if err == nil || err == errEnded {
			return <-verdict
		}
		b.abort(procVolUpload)
		<-verdict //nolint:errcheck // the first cause is at hand
		return err
	})
}

// errEnded means that libvirtd ended a stream by itself.
var errEnded = errors.New("libvirtd ended the upload before the end of the data")

// sendAll sends r and the end of the stream. It stops when libvirtd has something to
// say before that.
func (b *Bulk) sendAll(ctx context.Context, r io.Reader, verdict chan error) error {
	data := header{procedure: procVolUpload, kind: typeStream, serial: b.serial, status: statusContinue}
	for {
		select {
		case err := <-verdict:
			if err == nil {
				err = errEnded
			}
			verdict <- err
			return errEnded
		default:
		}
		n, err := fill(r, b.buf[headerBytes:])
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case err != nil && err != io.EOF:
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
	return b.bounded(ctx, func(ctx context.Context) error {
		if _, err := b.call(procVolDownload, volumeArgs(vol, offset, length)); err != nil {
			return err
		}
		for {
			f, err := b.receive(procVolDownload, typeStream)
			if err != nil {
				return err
			}
			if f.status == statusOK {
				return nil
			}
			if len(f.payload) == 0 {
				break
			}
			if _, err = w.Write(f.payload); err != nil {
				err = &sourceError{err}
			} else if ctx.Err() != nil {
				err = context.Cause(ctx)
			}
			if err != nil {
				b.abort(procVolDownload)
				b.drain(procVolDownload)
				return err
			}
		}
		end := header{procedure: procVolDownload, kind: typeStream, serial: b.serial, status: statusOK}
		if err := b.sendBuf(end, 0); err != nil {
			return err
		}
		return b.streamEnd(procVolDownload)
	})
}

// abort asks libvirtd to end a stream. To hang up instead can crash libvirtd: version 9.0
// corrupts its heap when a client is gone while a stream is open.
func (b *Bulk) abort(procedure uint32) {
	abort := header{procedure: procedure, kind: typeStream, serial: b.serial, status: statusError}
	if err := b.sendBuf(abort, 0); err != nil {
		b.conn.closeFor(err)
	}
}

// drain reads until libvirtd confirms that it has ended a stream.
func (b *Bulk) drain(procedure uint32) {
	for {
		f, err := b.receive(procedure, typeStream)
		if err != nil || f.status == statusOK {
			return
		}
	}
}

// hangUpAfter is how long libvirtd has to end a stream after its context has ended.
const hangUpAfter = 3 * time.Second

// bounded runs fn, and says why it failed. A while after the end of ctx, or of the Conn, the
// connection is closed, in case fn is still waiting for libvirtd.
func (b *Bulk) bounded(ctx context.Context, fn func(context.Context) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stop := context.AfterFunc(b.owner, func() { cancel(errClosed) }) //nolint:contextcheck // the owner ends apart from the caller
	defer stop()
	b.setBusy(true)
	defer b.setBusy(false)
	over := make(chan struct{})
	var watching sync.WaitGroup
	watching.Go(func() {
		select {
		case <-over:
			return
		case <-ctx.Done():
		}
		timer := time.NewTimer(hangUpAfter)
		defer timer.Stop()
		select {
		case <-over:
		case <-timer.C:
			b.conn.closeFor(context.Cause(ctx))
		}
	})
	err := fn(ctx)
	close(over)
	watching.Wait()
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
	f, err := b.receive(procedure, typeReply)
	return f.payload, err
}

// streamEnd waits until libvirtd confirms the end of a stream.
func (b *Bulk) streamEnd(procedure uint32) error {
	f, err := b.receive(procedure, typeStream)
	if err == nil && f.status != statusOK {
		err = errors.New("libvirtd sends data after the end of a stream")
	}
	return err
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

// receive gives the next frame of a kind that belongs to the call under way, or the error
// that libvirtd answers with. libvirtd may begin to send a stream before the answer to
// the call that asked for it.
func (b *Bulk) receive(procedure, kind uint32) (frame, error) {
	for {
		f, err := b.next(kind)
		if err != nil {
			return frame{}, err
		}
		switch {
		case f.program != remoteProgram || f.procedure != procedure || f.serial != b.serial:
			continue // an answer to a keep-alive, or an event
		case f.status == statusError:
			return frame{}, parseError(f.payload)
		case f.kind != kind:
			b.early = append(b.early, f)
			continue
		}
		return f, nil
	}
}

// next gives a frame that came early, or reads one.
func (b *Bulk) next(kind uint32) (frame, error) {
	if kind == typeStream && len(b.early) > 0 {
		f := b.early[0]
		b.early = b.early[1:]
		return f, nil
	}
	start := make([]byte, headerBytes)
	if _, err := io.ReadFull(b.in, start); err != nil {
		return frame{}, err
	}
	// The guard has let no frame pass that is shorter than its header or too long.
	payload := make([]byte, binary.BigEndian.Uint32(start)-headerBytes)
	if _, err := io.ReadFull(b.in, payload); err != nil {
		return frame{}, err
	}
	return frame{parseHeader(start[lengthBytes:]), payload}, nil
}
