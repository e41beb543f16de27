package bench

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// wire passes connections on to a libvirtd and counts what a client asks it.
type wire struct {
	socket string

	mu          sync.Mutex
	calls       map[uint32]int // by procedure
	first, last time.Time      // of the stream data that was sent
	sent        int64          // bytes of stream data
}

// The parts of a message of libvirt's protocol that matter here: 4 bytes of
// length, then program, version, procedure, type, serial and status.
const (
	wireHeader = 28
	typeCall   = 0
	typeStream = 3
)

// newWire listens on a socket of its own until the benchmark ends.
func newWire(b *testing.B, libvirtd string) *wire {
	b.Helper()
	// Not in b.TempDir: the path of a socket is short.
	dir, err := os.MkdirTemp("", "wire-")
	if err != nil {
		b.Fatal(err)
	}
	w := &wire{socket: filepath.Join(dir, "s"), calls: map[uint32]int{}}
	listener, err := (&net.ListenConfig{}).Listen(b.Context(), "unix", w.socket)
	if err != nil {
		b.Fatal(err)
	}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			serving.Go(func() { w.pass(b, client, libvirtd) })
		}
	})
	b.Cleanup(func() {
		listener.Close()
		serving.Wait()
		os.RemoveAll(dir)
	})
	return w
}

// uri connects through the wire.
func (w *wire) uri() string { return "qemu+unix:///system?socket=" + w.socket }

func (w *wire) pass(b *testing.B, client net.Conn, libvirtd string) {
	defer client.Close()
	server, err := (&net.Dialer{}).DialContext(b.Context(), "unix", libvirtd)
	if err != nil {
		b.Error(err)
		return
	}
	var answers sync.WaitGroup
	answers.Go(func() {
		_, _ = io.Copy(client, server) // ends with either side
		client.Close()
	})
	if err := w.count(client, server); err != nil && !errors.Is(err, net.ErrClosed) {
		b.Error(err)
	}
	server.Close()
	answers.Wait()
}

// count copies messages and looks at their headers.
func (w *wire) count(from io.Reader, to io.Writer) error {
	message := make([]byte, wireHeader, 1<<20)
	for {
		message = message[:wireHeader]
		if _, err := io.ReadFull(from, message); err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
		length := int(binary.BigEndian.Uint32(message))
		if length < wireHeader || length > 64<<20 {
			return errors.New("this is not libvirt's protocol")
		}
		if cap(message) < length {
			message = append(make([]byte, 0, length), message...)
		}
		message = message[:length]
		if _, err := io.ReadFull(from, message[wireHeader:]); err != nil {
			return err
		}
		w.note(message)
		if _, err := to.Write(message); err != nil {
			return err
		}
	}
}

func (w *wire) note(message []byte) {
	procedure, kind := binary.BigEndian.Uint32(message[12:]), binary.BigEndian.Uint32(message[16:])
	w.mu.Lock()
	defer w.mu.Unlock()
	switch kind {
	case typeCall:
		w.calls[procedure]++
	case typeStream:
		w.last = time.Now()
		if w.sent == 0 {
			w.first = w.last
		}
		w.sent += int64(len(message) - wireHeader)
	}
}

// reset forgets what was counted, and returns it.
func (w *wire) reset() counted {
	w.mu.Lock()
	defer w.mu.Unlock()
	c := counted{calls: w.calls, streamed: w.last.Sub(w.first), sent: w.sent}
	w.calls, w.sent = map[uint32]int{}, 0
	return c
}

// counted is what a client has done.
type counted struct {
	calls    map[uint32]int
	streamed time.Duration // from the first to the last byte of stream data
	sent     int64
}

func (c counted) total() int {
	n := 0
	for _, calls := range c.calls {
		n += calls
	}
	return n
}
