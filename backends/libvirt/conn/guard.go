package conn

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// The frame of libvirt's RPC: a length, then program, version, procedure, type, serial
// and status, all 32 bits wide and big-endian, then the payload.
const (
	lengthBytes = 4
	headerBytes = 28 // with the length
	// maxFrame is the largest frame that libvirt sends (VIR_NET_MESSAGE_MAX).
	maxFrame = 32<<20 + lengthBytes
)

// keepAliveTries is how many questions may go unanswered.
const keepAliveTries = 5

// A ping and its answer, a pong, need no login and are served while calls wait.
var ping = binary.BigEndian.AppendUint32(nil, headerBytes)

func init() {
	const program, version, procPing, asynchronous = 0x6b656570, 1, 1, 2
	for _, field := range []uint32{program, version, procPing, asynchronous, 0, 0} {
		ping = binary.BigEndian.AppendUint32(ping, field)
	}
}

// guard is a network connection to libvirtd that knows when and why it ended. go-libvirt
// takes a length that the other side sends on trust, and allocates it: guard ends the
// connection at the first frame that cannot be libvirt's.
type guard struct {
	net.Conn

	closed chan struct{}
	once   sync.Once
	err    error // why; set before closed is closed

	received atomic.Uint64 // bytes

	in frames // used by the one goroutine that reads

	mu  sync.Mutex // writes
	out frames
}

func newGuard(c net.Conn) *guard { return &guard{Conn: c, closed: make(chan struct{})} }

// closeFor closes the connection; the first cause is kept.
func (g *guard) closeFor(cause error) {
	g.once.Do(func() {
		g.err = cause
		close(g.closed)
		_ = g.Conn.Close() // nothing is left to be done about it
	})
}

// Close is how go-libvirt ends the connection.
func (g *guard) Close() error {
	g.closeFor(net.ErrClosed)
	return nil
}

func (g *guard) isClosed() bool {
	select {
	case <-g.closed:
		return true
	default:
		return false
	}
}

// cause says why a closed connection was closed.
func (g *guard) cause() error {
	<-g.closed
	return g.err
}

func (g *guard) Read(p []byte) (int, error) {
	n, err := g.Conn.Read(p)
	g.received.Add(uint64(n)) //nolint:gosec // never negative
	if bad := g.in.pass(p[:n]); bad != nil {
		g.closeFor(bad)
		return 0, net.ErrClosed
	}
	if err != nil && !isTemporary(err) {
		g.closeFor(err)
	}
	return n, err
}

func (g *guard) Write(p []byte) (int, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	n, err := g.Conn.Write(p)
	_ = g.out.pass(p[:n]) // what we send ourselves is well-formed
	if err != nil {
		g.closeFor(err)
	}
	return n, err
}

func isTemporary(err error) bool {
	var n net.Error
	return errors.As(err, &n) && n.Timeout()
}

// keepAlive returns when the connection is closed, and closes it when libvirtd has
// stopped answering.
func (g *guard) keepAlive(interval time.Duration) {
	if interval < 0 {
		<-g.closed
		return
	}
	tick := time.NewTicker(interval)
	defer tick.Stop()
	seen, silent := g.received.Load(), 0
	for {
		select {
		case <-g.closed:
			return
		case <-tick.C:
		}
		now := g.received.Load()
		if now != seen {
			seen, silent = now, 0
			continue
		}
		if silent++; silent > keepAliveTries {
			g.closeFor(fmt.Errorf("libvirtd has not answered for %s: %w", time.Duration(silent)*interval, net.ErrClosed))
			return
		}
		g.ping()
	}
}

// ping asks for a sign of life, except between two pieces of a frame: then the
// silence is counted all the same.
func (g *guard) ping() {
	if !g.mu.TryLock() {
		return // a write is under way, or stuck
	}
	defer g.mu.Unlock()
	if !g.out.between() {
		return
	}
	if _, err := g.Conn.Write(ping); err != nil {
		g.closeFor(err)
	}
}

// frames follows a stream of frames.
type frames struct {
	head []byte // of a length that has not come whole
	rest uint64 // bytes to the end of the frame
}

func (f *frames) between() bool { return f.rest == 0 && len(f.head) == 0 }

// pass follows p and fails at a length that no frame can have.
func (f *frames) pass(p []byte) error {
	for len(p) > 0 {
		if f.rest > 0 {
			n := min(f.rest, uint64(len(p)))
			f.rest -= n
			p = p[n:]
			continue
		}
		n := min(lengthBytes-len(f.head), len(p))
		f.head = append(f.head, p[:n]...)
		p = p[n:]
		if len(f.head) < lengthBytes {
			return nil
		}
		length := binary.BigEndian.Uint32(f.head)
		if length < headerBytes || length > maxFrame {
			return errNotLibvirt(f.head)
		}
		f.rest = uint64(length) - lengthBytes
		f.head = f.head[:0]
	}
	return nil
}

// protocolError is an answer that cannot be libvirtd's.
type protocolError struct{ start string }

func (e protocolError) Error() string {
	return fmt.Sprintf("what answers there is not libvirtd: its answer begins with %q", e.start)
}

func errNotLibvirt(start []byte) error { return protocolError{string(start)} }
