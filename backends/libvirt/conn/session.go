package conn

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"time"

	"github.com/digitalocean/go-libvirt"
)

// leaveTimeout bounds the goodbye to libvirtd.
const leaveTimeout = time.Second

// session is one network connection to libvirtd, on which calls run side by side.
type session struct {
	virt *libvirt.Libvirt
	conn *guard

	// Guarded by Conn.mu.
	running int  // calls that have not returned
	wanted  int  // callers that wait for one of them
	retired bool // takes no further calls
}

// handOver is a go-libvirt dialer that has dialled already.
type handOver struct{ conn net.Conn }

func (h handOver) Dial() (net.Conn, error) { return h.conn, nil }

// connect dials and logs in. Every goroutine of the session ends with its
// connection, and Close waits for them.
func (c *Conn) connect(ctx context.Context) (*session, error) {
	ctx, cancel := c.dialContext(ctx)
	defer cancel()
	raw, err := c.dialer.dial(ctx)
	if err != nil {
		return nil, c.dialError(ctx, err)
	}
	g := newGuard(raw)
	stop := context.AfterFunc(ctx, func() { g.closeFor(context.Cause(ctx)) })
	defer stop()
	virt := libvirt.NewWithDialer(handOver{g})
	if err := login(virt, c.target); err != nil {
		var answer libvirt.Error
		if !errors.As(err, &answer) {
			// What broke the connection says more than that it is broken.
			g.closeFor(err)
			err = g.cause()
		}
		g.closeFor(err)
		return nil, c.dialError(ctx, err)
	}
	s := &session{virt: virt, conn: g}
	if !c.start(func() { c.attend(s) }) {
		s.conn.closeFor(errClosed)
		return nil, c.dialError(ctx, errClosed)
	}
	return s, nil
}

func login(virt *libvirt.Libvirt, t target) error {
	if err := virt.ConnectToURI(libvirt.ConnectURI(t.remote())); err != nil {
		return err
	}
	// Also a barrier: go-libvirt writes its state after the handshake without a lock,
	// and only a further call orders that before the goroutine that reads it.
	_, err := virt.ConnectGetLibVersion()
	return err
}

// attend keeps a session's connection alive and waits until go-libvirt has tidied up
// behind it.
func (c *Conn) attend(s *session) {
	stop := context.AfterFunc(c.ctx, func() { s.conn.closeFor(errClosed) })
	defer stop()
	s.conn.keepAlive(c.cfg.KeepAlive)
	c.mu.Lock()
	c.remove(s)
	c.mu.Unlock()
	timer := time.NewTimer(leaveTimeout)
	defer timer.Stop()
	select {
	case <-s.virt.Disconnected():
	case <-timer.C:
	}
}

// leave says goodbye, so that libvirtd does not log a broken connection.
func (s *session) leave() {
	timer := time.AfterFunc(leaveTimeout, func() { s.conn.closeFor(errClosed) })
	defer timer.Stop()
	_ = s.virt.Disconnect() // the connection is closed below whatever it says
	s.conn.closeFor(errClosed)
}

// acquire gives the connection with the fewest calls. It opens another one where
// there is none, or where all have enough to do. The caller owes it one ended and
// one left.
func (c *Conn) acquire(ctx context.Context) (*session, error) {
	for refused := false; ; {
		if ctx.Err() != nil {
			return nil, Classify(context.Cause(ctx))
		}
		c.mu.Lock()
		if c.closed {
			c.mu.Unlock()
			return nil, errClosed
		}
		s := c.leastBusy()
		if s != nil && (s.running < callsPerSession || len(c.sessions) >= maxSessions || refused) {
			s.running++
			s.wanted++
			c.mu.Unlock()
			return s, nil
		}
		a := c.dialing
		if a == nil {
			a = &attempt{done: make(chan struct{})}
			c.dialing = a
			c.wg.Go(func() { c.dial(a) })
		}
		c.mu.Unlock()
		select {
		case <-a.done:
			if a.err != nil && s == nil {
				return nil, a.err
			}
			refused = a.err != nil // then a busy one has to do
		case <-ctx.Done():
			return nil, Classify(context.Cause(ctx))
		}
	}
}

// dial makes one more session. It belongs to no caller, so that none of them can
// take it from the others by leaving.
func (c *Conn) dial(a *attempt) {
	s, err := c.connect(c.ctx)
	c.mu.Lock()
	defer c.mu.Unlock()
	a.err = err
	if err == nil && !s.conn.isClosed() {
		c.sessions = append(c.sessions, s)
	}
	c.dialing = nil
	close(a.done)
}

// leastBusy is the live session with the fewest calls, or nil. c.mu is held.
func (c *Conn) leastBusy() *session {
	c.sessions = slices.DeleteFunc(c.sessions, func(s *session) bool { return s.conn.isClosed() })
	var best *session
	for _, s := range c.sessions {
		if best == nil || s.running < best.running {
			best = s
		}
	}
	return best
}

// ended counts a call that has returned.
func (c *Conn) ended(s *session) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s.running--
}

// left counts a caller that has its answer or has given up.
func (c *Conn) left(s *session) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s.wanted--
	c.dropUnwanted(s)
}

// retire takes a session with a stuck call out of service.
func (c *Conn) retire(s *session) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s.retired = true
	c.remove(s)
	c.dropUnwanted(s)
}

// dropUnwanted closes a retired session that nobody waits for. c.mu is held.
func (c *Conn) dropUnwanted(s *session) {
	if s.retired && s.wanted == 0 {
		s.conn.closeFor(fmt.Errorf("a call got no answer in time: %w", net.ErrClosed))
	}
}

// remove takes a session out of the list. c.mu is held.
func (c *Conn) remove(s *session) {
	c.sessions = slices.DeleteFunc(c.sessions, func(other *session) bool { return other == s })
}
