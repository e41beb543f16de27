package conn

import (
	"encoding/binary"
	"io"
	"net"
	"path/filepath"
	"sync"
	"testing"
)

// fake is a libvirtd that lets everybody in and answers calls as a test wants.
type fake struct {
	listener net.Listener
	answer   func(procedure uint32) (reply bool)
	serving  sync.WaitGroup

	mu    sync.Mutex
	conns map[net.Conn]bool
	total int
	calls map[uint32]int
}

const procGetLibVersion = 157

func newFake(t *testing.T, answer func(procedure uint32) bool) *fake {
	t.Helper()
	l, err := net.Listen("unix", filepath.Join(t.TempDir(), "sock"))
	if err != nil {
		t.Fatal(err)
	}
	f := &fake{listener: l, answer: answer, conns: map[net.Conn]bool{}, calls: map[uint32]int{}}
	f.serving.Go(f.accept)
	t.Cleanup(f.close)
	return f
}

func (f *fake) uri() string { return "qemu+unix:///system?socket=" + f.listener.Addr().String() }

func (f *fake) accept() {
	for {
		c, err := f.listener.Accept()
		if err != nil {
			return
		}
		f.mu.Lock()
		f.conns[c] = true
		f.total++
		f.mu.Unlock()
		f.serving.Go(func() {
			f.serve(c)
			_ = c.Close()
			f.mu.Lock()
			delete(f.conns, c)
			f.mu.Unlock()
		})
	}
}

func (f *fake) serve(c net.Conn) {
	for {
		start := make([]byte, headerBytes)
		if _, err := io.ReadFull(c, start); err != nil {
			return
		}
		h := parseHeader(start[lengthBytes:])
		if _, err := io.CopyN(io.Discard, c, int64(binary.BigEndian.Uint32(start)-headerBytes)); err != nil {
			return
		}
		f.mu.Lock()
		f.calls[h.procedure]++
		f.mu.Unlock()
		var payload []byte
		switch {
		case h.program != remoteProgram: // a ping
			h.procedure = 2
		case h.procedure == procAuthList:
			payload = make([]byte, 8) // one method, none
			payload[3] = 1
		case h.procedure == procGetLibVersion:
			payload = make([]byte, 8)
		}
		login := h.program == remoteProgram && (h.procedure == procAuthList || h.procedure == procConnectOpen || h.procedure == procConnectClose)
		if !login && !f.answer(h.procedure) {
			continue
		}
		h.kind, h.status = typeReply, statusOK
		out := make([]byte, headerBytes, headerBytes+len(payload))
		h.put(out, len(payload))
		if _, err := c.Write(append(out, payload...)); err != nil {
			return
		}
	}
}

func (f *fake) cut() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for c := range f.conns {
		_ = c.Close()
	}
}

func (f *fake) open() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.conns)
}

func (f *fake) count(procedure uint32) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.calls[procedure]
}

func (f *fake) close() {
	_ = f.listener.Close()
	f.cut()
	f.serving.Wait()
}
