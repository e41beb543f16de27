package pvesim

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"regexp"
	"sync"
	"testing"
	"time"
)

// Server is one simulated cluster behind one listener, as every node of a real one answers for all.
// Several may run in one process.
type Server struct {
	*cluster

	certificate *certificate
	address     string // host:port
	counts      counts
	faults      faults

	running sync.Mutex // guards what follows
	front   *http.Server
	served  sync.WaitGroup
	closed  bool
	end     context.CancelFunc
}

// Start starts a server that is closed when the test ends. A handler that panics fails the test.
func Start(tb testing.TB, o Options) *Server {
	tb.Helper()
	s, err := New(o)
	if err != nil {
		tb.Fatalf("simulated Proxmox VE: %v", err)
	}
	tb.Cleanup(func() {
		s.Close()
		for _, p := range s.panics {
			tb.Errorf("simulated Proxmox VE: %s", p)
		}
	})
	return s
}

// New starts a server. It serves HTTPS on loopback with a certificate of an authority of its own.
func New(o Options) (*Server, error) {
	o = o.withDefaults()
	if o.Version != 8 && o.Version != 9 {
		return nil, fmt.Errorf("version %d of Proxmox VE is not simulated: 8 and 9 are", o.Version)
	}
	if err := checkNodes(o.Nodes); err != nil {
		return nil, err
	}
	listener, err := listen(o.Listen)
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	s := &Server{address: listener.Addr().String()}
	host, _, err := net.SplitHostPort(s.address)
	if err == nil {
		s.certificate, err = newCertificate(host)
	}
	if err != nil {
		_ = listener.Close()
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	s.end = cancel
	s.cluster = newCluster(ctx, o)
	s.cluster.fingerprint, s.cluster.authority = s.certificate.fingerprint, s.certificate.authority
	s.faults.released = ctx.Done()
	s.serve(listener)
	return s, nil
}

var nodeName = regexp.MustCompile(`^[a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?$`)

func checkNodes(names []string) error {
	seen := map[string]bool{}
	for _, name := range names {
		if !nodeName.MatchString(name) || seen[name] || name == "localhost" {
			return fmt.Errorf("%q cannot be the name of a node, or is that of two", name)
		}
		seen[name] = true
	}
	return nil
}

func listen(address string) (net.Listener, error) {
	var c net.ListenConfig
	return c.Listen(context.Background(), "tcp", address)
}

// serve answers on the listener until it is closed.
func (s *Server) serve(l net.Listener) {
	front := &http.Server{
		Handler:           http.HandlerFunc(s.answer),
		ReadHeaderTimeout: time.Minute,
		ErrorLog:          discard,
		ConnContext:       withLine,
	}
	s.running.Lock()
	s.front = front
	s.running.Unlock()
	s.served.Go(func() { _ = front.Serve(lineListener{tls.NewListener(l, s.certificate.config())}) })
}

// stop takes the listener and all connections away.
func (s *Server) stop() {
	s.running.Lock()
	front := s.front
	s.front = nil
	s.running.Unlock()
	if front != nil {
		_ = front.Close()
	}
	s.served.Wait()
}

// Close stops the server, its tasks and its guests, and waits for them.
func (s *Server) Close() {
	s.running.Lock()
	closed := s.closed
	s.closed = true
	s.running.Unlock()
	if closed {
		return
	}
	s.end()
	s.stop()
	s.work.Wait()
	s.volumes.close()
}

// Stop is pveproxy stopping: the listener and all connections go until Resume. Tasks go on, tickets stay valid.
func (s *Server) Stop() { s.stop() }

// Resume lets a stopped server listen on its address again.
func (s *Server) Resume() error {
	deadline := time.Now().Add(10 * time.Second)
	for wait := time.Millisecond; ; wait *= 2 {
		l, err := listen(s.address)
		if err == nil {
			s.serve(l)
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("listen again: %w", errors.Unwrap(err))
		}
		<-time.After(wait)
	}
}

// Restart is a restart of pveproxy: the listener and all connections go, then the same address answers again.
// Tasks, tickets and all other state stay.
func (s *Server) Restart() error {
	s.Stop()
	return s.Resume()
}

// URL is where the API is, "https://127.0.0.1:8006", without a path.
func (s *Server) URL() string { return "https://" + s.address }

// CACertificate returns the authority's certificate, as PEM.
func (s *Server) CACertificate() string { return s.certificate.authority }

// Fingerprint returns the SHA-256 of the server's certificate, as pairs of upper-case hexadecimal digits
// with colons between, as Proxmox VE shows it.
func (s *Server) Fingerprint() string { return s.certificate.fingerprint }

// Token returns an API token of root@pam that may do all that a token may: "root@pam!tf=...".
func (s *Server) Token() string { return "root@pam!" + rootTokenName + "=" + rootToken }

// Password returns the password of root@pam.
func (s *Server) Password() string { return rootPassword }

// SetNodeOnline switches a node on or off, as seen by the node that answers. What asks an offline node gets status
// 595. The name must be a node's; the first node, which answers, cannot be switched off: Stop does that.
func (s *Server) SetNodeOnline(name string, online bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.node(name)
	if n == nil || n == s.nodes[0] && !online {
		panic("pvesim: no node to switch: " + name)
	}
	n.online = online
	s.haWake()
}

// Nodes returns the names of the nodes; the first is the one that answers.
func (s *Server) Nodes() []string {
	names := make([]string, len(s.nodes))
	for i, n := range s.nodes {
		names[i] = n.name
	}
	return names
}
