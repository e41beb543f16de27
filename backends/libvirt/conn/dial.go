package conn

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// dialer opens a network connection over which libvirtd's protocol is spoken.
type dialer interface {
	dial(ctx context.Context) (net.Conn, error)
}

// newDialer checks all that can be checked without the network.
func newDialer(t target, cfg Config) (dialer, error) {
	switch t.transport {
	case overTCP:
		return tcpDialer{t.address()}, nil
	case overTLS:
		return newTLSDialer(t, cfg.TLS)
	case overSSH:
		return newSSHDialer(t, cfg.SSH)
	default:
		return unixDialer{t.sockets()}, nil
	}
}

// unixDialer takes the first of some sockets that exists.
type unixDialer struct{ paths []string }

// sockets lists where libvirtd listens: the monolithic daemon, then the modular one.
func (t target) sockets() []string {
	if t.socket != "" {
		return []string{t.socket}
	}
	if t.path == "/session" && t.transport == overUnix {
		dir := os.Getenv("XDG_RUNTIME_DIR")
		if dir == "" {
			dir = filepath.Join("/run/user", fmt.Sprint(os.Getuid()))
		}
		return []string{filepath.Join(dir, "libvirt/libvirt-sock"), filepath.Join(dir, "libvirt/virtqemud-sock")}
	}
	return []string{"/var/run/libvirt/libvirt-sock", "/var/run/libvirt/virtqemud-sock"}
}

func (d unixDialer) dial(ctx context.Context) (net.Conn, error) {
	var first error
	for _, path := range d.paths {
		c, err := (&net.Dialer{}).DialContext(ctx, "unix", path)
		if err == nil {
			return c, nil
		}
		// A socket without a daemon behind it is passed over too, but what the first
		// one said is more likely to help than that the last does not exist.
		if first == nil || errors.Is(first, fs.ErrNotExist) && !errors.Is(err, fs.ErrNotExist) {
			first = err
		}
	}
	return nil, first
}

type tcpDialer struct{ address string }

func (d tcpDialer) dial(ctx context.Context) (net.Conn, error) { return dialTCP(ctx, d.address) }

func dialTCP(ctx context.Context, address string) (net.Conn, error) {
	// Keep-alive of our own looks after the connection once libvirtd answers; this
	// one notices a dead host during an SSH or TLS handshake.
	d := net.Dialer{KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 15 * time.Second, Interval: 5 * time.Second, Count: 4}}
	return d.DialContext(ctx, "tcp", address)
}

// noAnswer is a dial that took too long.
type noAnswer struct{ within time.Duration }

func (e noAnswer) Error() string { return fmt.Sprintf("no answer within %s", e.within) }

// dialContext bounds one attempt to connect.
func (c *Conn) dialContext(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, c.cfg.DialTimeout, noAnswer{c.cfg.DialTimeout})
}

// dialError is why there is no connection, with what to do about it.
func (c *Conn) dialError(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	e := *Classify(err)
	var dns *net.DNSError
	switch {
	case errors.As(err, &dns) && dns.IsNotFound, errors.As(err, &protocolError{}):
		e.Code = backends.Invalid
	case errors.As(err, &noAnswer{}):
		e.Code = backends.Transient
	}
	if e.Code == backends.Canceled {
		return &e
	}
	e.Op, e.Object = "connect to "+c.target.String(), c.target.String()
	if e.Remedy == "" {
		e.Remedy = dialRemedy(c.target, err)
	}
	if e.Path == "" {
		e.Path = uriPath
	}
	return &e
}

// dialRemedy says what to look at.
func dialRemedy(t target, err error) string {
	var dns *net.DNSError
	var protocol protocolError
	local := t.transport == overUnix
	switch {
	case errors.As(err, &dns):
		return "Check the host name in libvirt.uri."
	case errors.As(err, &protocol):
		return "Check the port and the transport (tcp, tls, ssh) in libvirt.uri."
	case errors.Is(err, fs.ErrPermission) && local:
		return "Let the user who runs Terraform use the socket, for example by joining the group libvirt."
	case errors.Is(err, fs.ErrNotExist) && local, errors.Is(err, syscall.ECONNREFUSED) && local:
		return "Check that libvirtd (or virtqemud) runs on this machine, or name the socket: qemu+unix:///system?socket=PATH."
	case errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Sprintf("Check that libvirtd listens for %s on %s.", t.transport, t.address())
	default:
		return "Check libvirt.uri, and that libvirtd runs and can be reached from here."
	}
}
