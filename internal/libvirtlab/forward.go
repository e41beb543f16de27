package libvirtlab

import (
	"context"
	"io"
	"net"
	"sync"
)

// forwarder passes connections from a port of the host to an address inside the lab's network namespace.
type forwarder struct {
	listener net.Listener
	dial     func(context.Context) (net.Conn, error)
	running  sync.WaitGroup

	mu    sync.Mutex
	conns map[net.Conn]struct{}
}

func (l *Lab) forward(target string) (*forwarder, error) {
	listener, err := (&net.ListenConfig{}).Listen(l.ctx, "tcp4", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	f := &forwarder{
		listener: listener,
		dial:     func(ctx context.Context) (net.Conn, error) { return dialInside(ctx, l.pid, target) },
		conns:    map[net.Conn]struct{}{},
	}
	f.running.Go(func() { f.accept(l.ctx) })
	return f, nil
}

func (f *forwarder) addr() string { return f.listener.Addr().String() }

func (f *forwarder) accept(ctx context.Context) {
	for {
		conn, err := f.listener.Accept()
		if err != nil {
			return // closed
		}
		f.running.Go(func() {
			defer conn.Close()
			inner, err := f.dial(ctx)
			if err != nil {
				return // the client sees its connection close, as with a daemon that is gone
			}
			defer inner.Close()
			f.track(conn, inner)
			defer f.untrack(conn, inner)
			splice(conn, inner)
		})
	}
}

func (f *forwarder) track(conns ...net.Conn) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, c := range conns {
		f.conns[c] = struct{}{}
	}
}

func (f *forwarder) untrack(conns ...net.Conn) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, c := range conns {
		delete(f.conns, c)
	}
}

func (f *forwarder) cut() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for c := range f.conns {
		_ = c.Close()
	}
}

func (f *forwarder) close() {
	_ = f.listener.Close()
	f.cut()
	f.running.Wait()
}

// CutConnections closes every TCP and TLS connection that is open through the lab's ports. New ones
// are taken as before; libvirtd itself goes on.
func (l *Lab) CutConnections() {
	l.tcp.cut()
	l.tls.cut()
}

// splice copies both ways until one side ends, then closes both.
func splice(a, b io.ReadWriteCloser) {
	var both sync.WaitGroup
	copyAndClose := func(dst, src io.ReadWriteCloser) {
		_, _ = io.Copy(dst, src)
		_ = dst.Close()
		_ = src.Close()
	}
	both.Go(func() { copyAndClose(a, b) })
	both.Go(func() { copyAndClose(b, a) })
	both.Wait()
}
