package conn

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/user"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// sshDialer reaches the socket of a remote libvirtd through SSH, without an ssh program.
type sshDialer struct {
	hops    []hop // the last one is libvirtd's host
	auth    sshAuth
	hosts   *hostKeys
	sockets []string
	proxy   string // "auto", "native" or "netcat"
	netcat  string
}

// hop is one SSH server.
type hop struct{ user, address string }

func newSSHDialer(t target, cfg SSH) (dialer, error) {
	d := sshDialer{sockets: t.sockets(), proxy: t.proxy, netcat: t.netcat}
	if d.netcat == "" {
		d.netcat = "nc"
	}
	login := firstOf(cfg.User, t.user, localUser())
	if login == "" {
		return nil, badURI("the libvirt URI names no SSH user").Advise("Write qemu+ssh://USER@HOST/system.")
	}
	if jump := firstOf(cfg.Jump, t.jump); jump != "" {
		h, err := parseHop(jump, login)
		if err != nil {
			return nil, err
		}
		d.hops = append(d.hops, h)
	}
	d.hops = append(d.hops, hop{login, t.address()})
	var err error
	if d.auth, err = newSSHAuth(t, cfg); err != nil {
		return nil, err
	}
	if d.hosts, err = newHostKeys(t, cfg); err != nil {
		return nil, err
	}
	return d, nil
}

func firstOf(values ...string) string {
	for _, v := range values {
		if v != "" {
			return v
		}
	}
	return ""
}

func localUser() string {
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return os.Getenv("USER")
}

// parseHop reads [user@]host[:port].
func parseHop(s, defaultUser string) (hop, error) {
	h := hop{user: defaultUser}
	at := strings.LastIndexByte(s, '@')
	if at >= 0 {
		h.user = s[:at]
	}
	host, port, err := net.SplitHostPort(s[at+1:])
	if err != nil {
		host, port = strings.Trim(s[at+1:], "[]"), "22"
	}
	if host == "" || port == "" || h.user == "" || strings.ContainsAny(h.user, ":/") {
		return h, badURI("the jump host is not written [USER@]HOST[:PORT]")
	}
	h.address = net.JoinHostPort(host, port)
	return h, nil
}

func (d sshDialer) dial(ctx context.Context) (net.Conn, error) {
	raw, err := dialTCP(ctx, d.hops[0].address)
	if err != nil {
		return nil, err
	}
	// Closing the first connection ends all that runs through it.
	stop := context.AfterFunc(ctx, func() { _ = raw.Close() })
	defer stop()
	c, err := d.through(raw)
	if err != nil {
		_ = raw.Close()
		if cause := context.Cause(ctx); cause != nil {
			err = cause
		}
		return nil, err
	}
	return c, nil
}

// through logs in hop by hop and connects to libvirtd's socket on the last one.
func (d sshDialer) through(raw net.Conn) (net.Conn, error) {
	var client *ssh.Client
	link := raw
	for i, h := range d.hops {
		if i > 0 {
			var err error
			if link, err = client.Dial("tcp", h.address); err != nil {
				return nil, fmt.Errorf("the jump host %s cannot reach %s: %w", d.hops[i-1].address, h.address, err)
			}
		}
		var err error
		if client, err = d.login(link, h); err != nil {
			return nil, err
		}
	}
	inner, err := d.openSocket(client)
	if err != nil {
		return nil, err
	}
	return &sshConn{ReadWriteCloser: inner, raw: raw, client: client}, nil
}

func (d sshDialer) login(link net.Conn, h hop) (*ssh.Client, error) {
	offer, done := d.auth.methods()
	defer done()
	var hostErr error
	conf := &ssh.ClientConfig{
		User: h.user,
		Auth: []ssh.AuthMethod{ssh.PublicKeysCallback(offer.signers)},
		HostKeyCallback: func(host string, remote net.Addr, key ssh.PublicKey) error {
			hostErr = d.hosts.check(host, remote, key)
			return hostErr
		},
		HostKeyAlgorithms: d.hosts.algorithms(h.address),
	}
	c, channels, requests, err := ssh.NewClientConn(link, h.address, conf)
	switch {
	case hostErr != nil:
		return nil, hostErr
	case err != nil && strings.Contains(err.Error(), "unable to authenticate"):
		return nil, backends.Errorf(backends.Auth, "", "", "the SSH host %s does not let %q in with %s", h.address, h.user, offer.describe()).
			Advise("Put the public key into ~/.ssh/authorized_keys of that user, or give another private key.")
	case err != nil:
		return nil, fmt.Errorf("SSH to %s: %w", h.address, err)
	}
	return ssh.NewClient(c, channels, requests), nil
}

// openSocket forwards to the first socket that is there, or else has a program on
// the host do it.
func (d sshDialer) openSocket(client *ssh.Client) (io.ReadWriteCloser, error) {
	var first error
	if d.proxy != "netcat" {
		for _, path := range d.sockets {
			c, err := client.Dial("unix", path)
			if err == nil {
				return c, nil
			}
			var refused *ssh.OpenChannelError
			if !errors.As(err, &refused) {
				return nil, err
			}
			if first == nil {
				first = fmt.Errorf("the SSH host does not forward to %s: %w", path, err)
			}
		}
		if d.proxy == "native" {
			return nil, socketError(first)
		}
	}
	c, err := d.netcatSession(client)
	if err != nil {
		return nil, socketError(after(first, err))
	}
	c.refused = first
	return c, nil
}

// after puts err behind an earlier error, if there was one.
func after(first, err error) error {
	if first == nil {
		return err
	}
	return fmt.Errorf("%w; %w", first, err)
}

func socketError(err error) error {
	return backends.Errorf(backends.Transient, "", "", "%w", err).
		Advise("Check that libvirtd runs on the host, and that the user may use its socket, for example by joining the group libvirt; name another socket with the parameter socket.")
}

// netcatSession runs netcat on the host.
func (d sshDialer) netcatSession(client *ssh.Client) (*netcatConn, error) {
	s, err := client.NewSession()
	if err != nil {
		return nil, err
	}
	c := &netcatConn{session: s, program: d.netcat}
	s.Stderr = &c.diagnosis
	if c.in, err = s.StdinPipe(); err != nil {
		return nil, err
	}
	if c.out, err = s.StdoutPipe(); err != nil {
		return nil, err
	}
	if err := s.Start(d.netcatCommand()); err != nil {
		return nil, fmt.Errorf("%s on the SSH host: %w", d.netcat, err)
	}
	return c, nil
}

// netcatCommand works in any login shell: all it has to know is quoted words.
func (d sshDialer) netcatCommand() string {
	var script strings.Builder
	for _, path := range d.sockets[:len(d.sockets)-1] {
		fmt.Fprintf(&script, "[ ! -S %[1]s ] || exec %[2]s -U %[1]s; ", shellQuote(path), shellQuote(d.netcat))
	}
	fmt.Fprintf(&script, "exec %s -U %s", shellQuote(d.netcat), shellQuote(d.sockets[len(d.sockets)-1]))
	return "sh -c " + shellQuote(script.String())
}

func shellQuote(s string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("/._-", r)
	}
	if s != "" && strings.IndexFunc(s, func(r rune) bool { return !plain(r) }) < 0 {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// netcatConn is the standard input and output of a remote program.
type netcatConn struct {
	session   *ssh.Session
	program   string
	in        io.WriteCloser
	out       io.Reader
	diagnosis lockedBuffer
	refused   error // why the socket was not forwarded to directly
}

func (c *netcatConn) Write(p []byte) (int, error) { return c.in.Write(p) }

func (c *netcatConn) Read(p []byte) (int, error) {
	n, err := c.out.Read(p)
	if err == io.EOF {
		_ = c.session.Wait() // for the rest of what the program says
		if said := c.diagnosis.text(); said != "" {
			err = socketError(after(c.refused, fmt.Errorf("its %s says: %s", c.program, said)))
		}
	}
	return n, err
}

func (c *netcatConn) Close() error { return c.session.Close() }

// lockedBuffer keeps the beginning of what is written to it.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if room := 1024 - l.b.Len(); room > 0 {
		l.b.Write(p[:min(room, len(p))])
	}
	return len(p), nil
}

func (l *lockedBuffer) text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.TrimSpace(l.b.String())
}

// sshConn is a network connection made of a channel of an SSH connection, which ends
// with it.
type sshConn struct {
	io.ReadWriteCloser
	raw    net.Conn
	client *ssh.Client
}

// Close ends the SSH connection at its root: to close the channel first could wait for
// a host that is gone.
func (c *sshConn) Close() error {
	err := c.raw.Close()
	_ = c.client.Wait() // its goroutines; what it says is that the connection is closed
	return err
}

func (c *sshConn) LocalAddr() net.Addr  { return c.raw.LocalAddr() }
func (c *sshConn) RemoteAddr() net.Addr { return c.raw.RemoteAddr() }

var errNoDeadline = errors.New("an SSH channel has no deadlines")

func (c *sshConn) SetDeadline(time.Time) error      { return errNoDeadline }
func (c *sshConn) SetReadDeadline(time.Time) error  { return errNoDeadline }
func (c *sshConn) SetWriteDeadline(time.Time) error { return errNoDeadline }
