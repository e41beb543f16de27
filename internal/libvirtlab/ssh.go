package libvirtlab

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
	"golang.org/x/crypto/ssh/knownhosts"
)

// SSHServer stands for the sshd of a hypervisor host: it lets one user in by public key and leads to
// the lab's libvirt socket, by socket forwarding (direct-streamlocal) or by the commands that libvirt's
// own client runs (nc -U, virt-ssh-helper). It forwards TCP as well, so that one server can be
// the jump host of another.
type SSHServer struct {
	Addr           string // host:port
	User           string
	ClientKeyFile  string // OpenSSH private key, without a passphrase
	KnownHostsFile string // names this server's key
	// WrongKnownHostsFile names another key for this server, as after a man in the middle.
	WrongKnownHostsFile string

	lab      *Lab
	client   ed25519.PrivateKey
	config   *ssh.ServerConfig
	listener net.Listener
	running  sync.WaitGroup

	mu       sync.Mutex
	conns    map[net.Conn]struct{}
	forwards []string
}

// SSHServer starts an SSH server for the test.
func (l *Lab) SSHServer(t testing.TB) *SSHServer {
	t.Helper()
	s := &SSHServer{User: "virt", lab: l, conns: map[net.Conn]struct{}{}}
	if err := s.start(t.Context(), t.TempDir()); err != nil {
		t.Fatalf("start the SSH server: %v", err)
	}
	t.Cleanup(s.close)
	return s
}

func (s *SSHServer) start(ctx context.Context, dir string) error {
	hostKey, _, err := newSSHKey()
	if err != nil {
		return err
	}
	otherKey, _, err := newSSHKey()
	if err != nil {
		return err
	}
	clientKey, private, err := newSSHKey()
	if err != nil {
		return err
	}
	s.client = private
	s.config = &ssh.ServerConfig{
		PublicKeyCallback: func(meta ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
			if meta.User() == s.User && bytes.Equal(key.Marshal(), clientKey.PublicKey().Marshal()) {
				return &ssh.Permissions{}, nil
			}
			return nil, errors.New("not authorised")
		},
	}
	s.config.AddHostKey(hostKey)
	if s.listener, err = (&net.ListenConfig{}).Listen(ctx, "tcp4", "127.0.0.1:0"); err != nil {
		return err
	}
	s.Addr = s.listener.Addr().String()
	s.ClientKeyFile = filepath.Join(dir, "id_ed25519")
	s.KnownHostsFile = filepath.Join(dir, "known_hosts")
	s.WrongKnownHostsFile = filepath.Join(dir, "wrong_known_hosts")
	block, err := ssh.MarshalPrivateKey(private, "lab")
	if err != nil {
		return err
	}
	knownAs := func(key ssh.Signer) []byte {
		return []byte(knownhosts.Line([]string{s.Addr}, key.PublicKey()) + "\n")
	}
	err = errors.Join(
		os.WriteFile(s.ClientKeyFile, pem.EncodeToMemory(block), 0o600),
		os.WriteFile(s.KnownHostsFile, knownAs(hostKey), 0o600),
		os.WriteFile(s.WrongKnownHostsFile, knownAs(otherKey), 0o600),
	)
	s.running.Go(func() { s.accept(s.lab.ctx) })
	return err
}

func newSSHKey() (ssh.Signer, ed25519.PrivateKey, error) {
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	signer, err := ssh.NewSignerFromSigner(private)
	return signer, private, err
}

// URI connects through this server with its key and known_hosts file.
func (s *SSHServer) URI() string {
	q := url.Values{"socket": {s.lab.Socket()}, "keyfile": {s.ClientKeyFile}, "known_hosts": {s.KnownHostsFile}}
	return "qemu+ssh://" + s.User + "@" + s.Addr + "/system?" + q.Encode()
}

// Forwards lists what was asked of the server so far: socket paths, host:port pairs and commands.
func (s *SSHServer) Forwards() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.forwards)
}

// CutConnections closes every connection that is open. New ones are taken as before.
func (s *SSHServer) CutConnections() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		_ = c.Close()
	}
}

// Agent starts an SSH agent that holds the client key, for the test, and gives its socket (SSH_AUTH_SOCK).
func (s *SSHServer) Agent(t testing.TB) string {
	t.Helper()
	keyring := agent.NewKeyring()
	if err := keyring.Add(agent.AddedKey{PrivateKey: s.client}); err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(s.lab.Dir, "agent-"+strings.ToLower(rand.Text()[:8])+".sock")
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	s.running.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return // closed
			}
			s.hold(conn, func() { _ = agent.ServeAgent(keyring, conn) })
		}
	})
	return socket
}

func (s *SSHServer) close() {
	_ = s.listener.Close()
	s.CutConnections()
	s.running.Wait()
}

func (s *SSHServer) accept(ctx context.Context) {
	for {
		conn, err := s.listener.Accept()
		if err != nil {
			return // closed
		}
		s.hold(conn, func() { s.serve(ctx, conn) })
	}
}

// hold runs serve beside the caller and closes the connection when it returns, or when the server is closed.
func (s *SSHServer) hold(conn net.Conn, serve func()) {
	s.mu.Lock()
	s.conns[conn] = struct{}{}
	s.mu.Unlock()
	s.running.Go(func() {
		serve()
		_ = conn.Close()
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.conns, conn)
	})
}

func (s *SSHServer) serve(ctx context.Context, conn net.Conn) {
	server, channels, requests, err := ssh.NewServerConn(conn, s.config)
	if err != nil {
		return // refused
	}
	defer server.Close()
	var open sync.WaitGroup
	defer open.Wait()
	open.Go(func() { ssh.DiscardRequests(requests) })
	for channel := range channels {
		open.Go(func() { s.channel(ctx, channel) })
	}
}

func (s *SSHServer) channel(ctx context.Context, request ssh.NewChannel) {
	switch request.ChannelType() {
	case "direct-streamlocal@openssh.com":
		var ask struct {
			Path, Reserved string
			Port           uint32
		}
		if ssh.Unmarshal(request.ExtraData(), &ask) != nil {
			_ = request.Reject(ssh.ConnectionFailed, "malformed request")
			return
		}
		s.connect(ctx, request, ask.Path, "unix", s.socketFor(ask.Path))
	case "direct-tcpip":
		var ask struct {
			Host       string
			Port       uint32
			Origin     string
			OriginPort uint32
		}
		if ssh.Unmarshal(request.ExtraData(), &ask) != nil {
			_ = request.Reject(ssh.ConnectionFailed, "malformed request")
			return
		}
		target := net.JoinHostPort(ask.Host, strconv.Itoa(int(ask.Port)))
		s.connect(ctx, request, target, "tcp", target)
	case "session":
		s.session(ctx, request)
	default:
		_ = request.Reject(ssh.UnknownChannelType, "not offered")
	}
}

// socketFor maps libvirt's usual socket to the lab's. Other paths are dialled as they are.
func (s *SSHServer) socketFor(path string) string {
	switch path {
	case "/run/libvirt/libvirt-sock", "/var/run/libvirt/libvirt-sock":
		return s.lab.Socket()
	}
	return path
}

func (s *SSHServer) note(what string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forwards = append(s.forwards, what)
}

func (s *SSHServer) connect(ctx context.Context, request ssh.NewChannel, what, network, address string) {
	s.note(what)
	conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
	if err != nil {
		_ = request.Reject(ssh.ConnectionFailed, err.Error())
		return
	}
	defer conn.Close()
	channel, requests, err := request.Accept()
	if err != nil {
		return
	}
	go ssh.DiscardRequests(requests) // ends with the channel
	splice(channel, conn)
}

// session answers the commands that libvirt's client starts on a host, and no others.
func (s *SSHServer) session(ctx context.Context, request ssh.NewChannel) {
	channel, requests, err := request.Accept()
	if err != nil {
		return
	}
	defer channel.Close()
	for r := range requests {
		if r.Type != "exec" {
			_ = r.Reply(r.Type == "env", nil)
			continue
		}
		var ask struct{ Command string }
		if ssh.Unmarshal(r.Payload, &ask) != nil {
			_ = r.Reply(false, nil)
			return
		}
		s.note(ask.Command)
		_ = r.Reply(true, nil)
		go ssh.DiscardRequests(requests) // ends with the channel
		s.exec(ctx, channel, ask.Command)
		return
	}
}

func (s *SSHServer) exec(ctx context.Context, channel ssh.Channel, command string) {
	status := func(code uint32) {
		_, _ = channel.SendRequest("exit-status", false, ssh.Marshal(struct{ Status uint32 }{code}))
	}
	if !strings.Contains(command, "virt-ssh-helper") && !strings.Contains(command, "nc") {
		fmt.Fprintf(channel.Stderr(), "%s: command not found\n", command)
		status(127)
		return
	}
	conn, err := (&net.Dialer{}).DialContext(ctx, "unix", s.lab.Socket())
	if err != nil {
		fmt.Fprintln(channel.Stderr(), err)
		status(1)
		return
	}
	defer conn.Close()
	splice(channel, conn)
}
