// Package conn keeps a libvirt driver connected.
//
// A Conn is a live, self-healing connection to one libvirtd. It is made of a few
// network connections, because libvirtd serves only some calls of one client at
// a time: a call that takes minutes must not delay the others. A connection that
// breaks is replaced; [Conn.Read] then tries again, [Conn.Call] does not, because
// what was sent may have been carried out.
//
// go-libvirt's calls know no context. Conn runs them in goroutines of its own and
// returns when the context ends; a connection on which a call stays stuck takes no
// further calls and is closed as soon as nobody waits for an answer on it.
//
// Never call DomainScreenshot or go-libvirt's stream calls through a Conn: the first
// hangs, the others leak goroutines and hang when either side fails. [Conn.Bulk] is
// what uploads and downloads go through.
package conn

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"time"

	"github.com/digitalocean/go-libvirt"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// Config says what to connect to. Only URI is required.
type Config struct {
	// URI is a libvirt URI: qemu:///system, qemu+unix:///system?socket=PATH,
	// qemu+tcp://HOST/system, qemu+tls://HOST/system or qemu+ssh://USER@HOST/system.
	URI string
	SSH SSH
	TLS TLS

	// DialTimeout bounds one attempt to connect, login included. Default 15 s.
	DialTimeout time.Duration
	// RedialTimeout bounds the attempts to replace a broken connection, and with
	// them the time for which a restart of libvirtd goes unnoticed. Default 30 s.
	RedialTimeout time.Duration
	// KeepAlive is how often a silent libvirtd is asked whether it is still
	// there; after five unanswered questions the connection counts as broken.
	// Default 5 s; negative never asks.
	KeepAlive time.Duration
}

// SSH is what a URI with ssh needs beside what it says itself. What is empty is taken
// from the URI's parameters, then from where OpenSSH keeps it.
type SSH struct {
	User       string
	PrivateKey string // PEM or OpenSSH format, without a passphrase; secret
	KnownHosts string // lines of a known_hosts file
	// Jump is a host to go through, [user@]host[:port]. Its key must be in the
	// known hosts too.
	Jump string
}

// TLS is what a URI with tls needs, as PEM. What is empty is read from the folder
// that the URI's pkipath names, else from libvirt's usual ones.
type TLS struct {
	CA   string
	Cert string
	Key  string // secret
}

const (
	defaultDialTimeout   = 15 * time.Second
	defaultRedialTimeout = 30 * time.Second
	defaultKeepAlive     = 5 * time.Second

	// callsPerSession is how many calls share a connection before another one is
	// opened. libvirtd works on five at a time by default (max_client_requests).
	callsPerSession = 4
	maxSessions     = 8

	// grace is how long a call may go on after its context has ended before its
	// connection is given up. An agent in a guest keeps libvirtd waiting for 5 s.
	grace = 6 * time.Second
)

// Conn is a connection to one libvirtd. Its methods may be called from many
// goroutines. Their errors are *backends.Error, see Classify.
type Conn struct {
	cfg    Config
	target target
	dialer dialer

	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	wg     sync.WaitGroup // everything that the Conn started

	mu       sync.Mutex
	closed   bool
	sessions []*session // that take calls
	dialing  *attempt   // nil while nobody dials

	events hub
}

// attempt is a connection in the making, for which any number of callers wait.
type attempt struct {
	done chan struct{}
	err  error
}

// Open connects to libvirtd. It tries once: a wrong address shows at once.
func Open(ctx context.Context, cfg Config) (*Conn, error) {
	t, err := parseURI(cfg.URI)
	if err != nil {
		return nil, err
	}
	if cfg.DialTimeout <= 0 {
		cfg.DialTimeout = defaultDialTimeout
	}
	if cfg.RedialTimeout <= 0 {
		cfg.RedialTimeout = defaultRedialTimeout
	}
	if cfg.KeepAlive == 0 {
		cfg.KeepAlive = defaultKeepAlive
	}
	d, err := newDialer(t, cfg)
	if err != nil {
		return nil, err
	}
	c := &Conn{cfg: cfg, target: t, dialer: d, events: newHub()}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	s, err := c.acquire(ctx)
	if err != nil {
		_ = c.Close()
		return nil, err
	}
	c.ended(s)
	c.left(s)
	return c, nil
}

// Endpoint is the address in use, without parameters or secrets.
func (c *Conn) Endpoint() string { return c.target.String() }

// URI is the address in use as virsh and other tools of libvirt take it, without secrets.
func (c *Conn) URI() string { return c.target.uri() }

// Host is the name of the machine that libvirtd was reached on; "" is this one.
func (c *Conn) Host() string {
	if c.target.transport == overUnix {
		return ""
	}
	return c.target.host
}

// Close ends all connections and waits for everything that the Conn started. Calls that
// are still running fail.
func (c *Conn) Close() error {
	c.mu.Lock()
	c.closed = true
	sessions := c.sessions
	c.sessions = nil
	c.mu.Unlock()
	var leaving sync.WaitGroup
	for _, s := range sessions {
		leaving.Go(s.leave)
	}
	leaving.Wait()
	c.cancel() // what is still open is closed now
	c.wg.Wait()
	return nil
}

// Call runs fn once, on a connection that was alive a moment ago. Before anything is sent
// a broken connection is replaced; afterwards nothing is repeated: a connection that
// breaks while fn runs makes a Transient error, and whether libvirtd did what fn asked is
// not known.
//
// When ctx ends, Call returns at once with Canceled or Timeout. fn may then still be
// running: it must not touch what its caller goes on using. [Do] and [Query] hand a
// result over safely.
func (c *Conn) Call(ctx context.Context, fn func(*libvirt.Libvirt) error) error {
	s, err := c.acquireWithin(ctx, c.redialDeadline())
	if err != nil {
		return err
	}
	return classified(c.run(ctx, s, fn))
}

// Read is Call for what may be repeated: when the connection breaks, fn is run
// again on another one, at growing intervals for as long as Config.RedialTimeout.
func (c *Conn) Read(ctx context.Context, fn func(*libvirt.Libvirt) error) error {
	deadline := c.redialDeadline()
	for pause := newPause(); ; {
		s, err := c.acquireWithin(ctx, deadline)
		if err != nil {
			return err
		}
		err = c.run(ctx, s, fn)
		if err == nil || ctx.Err() != nil || !isConnectionLoss(err) || !time.Now().Before(deadline) {
			return classified(err)
		}
		if err := pause.wait(ctx); err != nil {
			return classified(err)
		}
	}
}

// Do is Call for an fn with a result.
func Do[T any](ctx context.Context, c *Conn, fn func(*libvirt.Libvirt) (T, error)) (T, error) {
	return handOut(ctx, c.Call, fn)
}

// Query is Read for an fn with a result.
func Query[T any](ctx context.Context, c *Conn, fn func(*libvirt.Libvirt) (T, error)) (T, error) {
	return handOut(ctx, c.Read, fn)
}

// handOut passes fn's result through a channel, because an fn that was given up on may
// still be writing to its variables.
func handOut[T any](ctx context.Context, run func(context.Context, func(*libvirt.Libvirt) error) error,
	fn func(*libvirt.Libvirt) (T, error),
) (T, error) {
	result := make(chan T, 1)
	err := run(ctx, func(l *libvirt.Libvirt) error {
		v, err := fn(l)
		if err == nil {
			result <- v // fn succeeds once
		}
		return err
	})
	if err != nil {
		var zero T
		return zero, err
	}
	return <-result, nil
}

func (c *Conn) redialDeadline() time.Time { return time.Now().Add(c.cfg.RedialTimeout) }

// run runs fn on a session that the caller has acquired, and gives it back.
func (c *Conn) run(ctx context.Context, s *session, fn func(*libvirt.Libvirt) error) error {
	defer c.left(s)
	done := make(chan error, 1)
	if !c.start(func() {
		err := fn(s.virt)
		c.ended(s)
		done <- err
	}) {
		c.ended(s)
		return errClosed
	}
	select {
	case err := <-done:
		if err == nil || isAnswer(err) || !isConnectionLoss(err) && !s.conn.isClosed() {
			return err
		}
		s.conn.closeFor(err)
		return &lostError{s.conn.cause()}
	case <-ctx.Done():
		c.start(func() { c.watch(s, done) })
		return context.Cause(ctx)
	}
}

// watch waits for a call whose caller has left. One that is still stuck after a
// grace takes its session out of service.
func (c *Conn) watch(s *session, done <-chan error) {
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case <-done: //nolint:errcheck // nobody is left to hear how it ended
	case <-timer.C:
		c.retire(s)
		<-done //nolint:errcheck // likewise
	}
}

// start runs fn in a goroutine that Close waits for. It reports false, and does
// nothing, once the Conn is closed.
func (c *Conn) start(fn func()) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return false
	}
	c.wg.Go(fn)
	return true
}

// acquireWithin is acquire with repeated attempts until deadline or the end of ctx.
func (c *Conn) acquireWithin(ctx context.Context, deadline time.Time) (*session, error) {
	for pause := newPause(); ; {
		s, err := c.acquire(ctx)
		if err == nil || backends.CodeOf(err) != backends.Transient || !time.Now().Before(deadline) {
			return s, err
		}
		if ctxErr := pause.wait(ctx); ctxErr != nil {
			// Why there is no connection says more than that time is over.
			e := Classify(ctxErr)
			e.Err = fmt.Errorf("%w; there is no connection to libvirtd: %w", e.Err, errors.Unwrap(err))
			return nil, e
		}
	}
}

// errClosed is for those who come, or still wait, after Close.
var errClosed = backends.Errorf(backends.Canceled, "", "", "the connection to libvirtd was closed: %w", net.ErrClosed)

// pause is a growing, jittered wait.
type pause struct{ next time.Duration }

func newPause() *pause { return &pause{100 * time.Millisecond} }

func (p *pause) wait(ctx context.Context) error {
	d := p.next/2 + rand.N(p.next)
	p.next = min(p.next*2, 2*time.Second)
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
