package vcsim

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/vmware/govmomi/simulator"
	_ "github.com/vmware/govmomi/vapi/simulator" // REST: tags and content libraries.
	"github.com/vmware/govmomi/vim25/types"
)

// Server is one simulated vCenter or stand-alone host, with a listener of its
// own. Several may run in one process.
type Server struct {
	extras

	// Seed names what the estate holds.
	Seed Seed

	options     Options
	model       *simulator.Model
	service     *simulator.Service
	inner       *simulator.Server // what the simulator's REST calls itself by
	policies    *policies
	certificate *certificate

	traffic    traffic
	faults     faults
	logins     logins
	collectors collectors
	roster     *roster

	mu       sync.Mutex
	address  string // host:port
	front    *http.Server
	served   sync.WaitGroup
	closed   bool
	revoked  []revocation
	machines map[types.ManagedObjectReference]*machine
	policy   associations
}

// Start starts a server that is closed when the test ends.
func Start(t testing.TB, o Options) *Server {
	t.Helper()

	s, err := New(o)
	if err != nil {
		t.Fatalf("simulated vSphere: %v", err)
	}

	t.Cleanup(s.Close)

	return s
}

// building keeps servers from being built side by side: govmomi's simulator
// numbers hosts and completes its templates in variables of the package.
var building sync.Mutex

// New starts a server. It serves HTTPS on loopback with a certificate of an
// authority of its own.
func New(o Options) (*Server, error) {
	o = o.withDefaults()

	silence()

	s := &Server{
		options:  o,
		machines: make(map[types.ManagedObjectReference]*machine),
	}
	s.faults.released = make(chan struct{})

	listener, err := listen(o.Listen)
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}

	s.address = listener.Addr().String()

	host, _, err := net.SplitHostPort(s.address)
	if err == nil {
		s.certificate, err = newCertificate(host)
	}

	if err == nil {
		err = s.build()
	}

	if err != nil {
		_ = listener.Close()
		s.Close()

		return nil, err
	}

	s.serve(listener)

	return s, nil
}

func listen(address string) (net.Listener, error) {
	var c net.ListenConfig

	return c.Listen(context.Background(), "tcp", address)
}

// build makes the inventory and what answers for it.
func (s *Server) build() error {
	building.Lock()
	defer building.Unlock()

	s.model = simulator.VPX()
	if s.options.ESXi {
		s.model = simulator.ESX()
	}

	s.model.Datacenter, s.model.Datastore, s.model.Machine, s.model.Autostart = 0, 0, 0, false

	if err := s.model.Create(); err != nil {
		return fmt.Errorf("inventory: %w", err)
	}

	s.service = s.model.Service
	s.roster = newRoster(s.service.Context.Map)
	s.service.RegisterEndpoints = true
	s.service.Listen = &url.URL{Host: "127.0.0.1:0", User: url.UserPassword(s.options.Username, s.options.Password)}

	if err := s.seed(); err != nil {
		return fmt.Errorf("estate: %w", err)
	}

	registry := s.service.Context.Map
	registry.SessionManager().ValidLogin = s.validLogin

	if !s.options.ESXi {
		s.policies = newPolicies(s)
		s.service.RegisterSDK(s.policies.registry)
	}

	s.inner = s.service.NewServer()

	// What the simulator tells clients about itself is the front's address;
	// its REST part was told the inner one, and calls itself there.
	front := s.url()
	front.User = s.service.Listen.User
	s.service.Listen = front
	registry.SessionManager().ServiceHostName = s.address
	registry.OptionManager().UpdateOptions(&types.UpdateOptions{ChangedValue: []types.BaseOptionValue{
		&types.OptionValue{Key: "vcsim.server.url", Value: s.url().String()},
	}})

	if err := s.seedREST(); err != nil {
		return fmt.Errorf("estate: %w", err)
	}

	if !s.options.Lax {
		s.attach()
		registry.Handler = s.handle
	}

	return nil
}

// serve answers on the listener until it is closed.
func (s *Server) serve(l net.Listener) {
	front := &http.Server{
		Handler:           http.HandlerFunc(s.answer),
		TLSConfig:         s.certificate.config(),
		ReadHeaderTimeout: time.Minute,
		ErrorLog:          discard,
	}

	s.mu.Lock()
	s.front = front
	s.mu.Unlock()

	s.served.Add(1)

	go func() {
		defer s.served.Done()

		_ = front.ServeTLS(l, "", "")
	}()
}

// stop takes the listener and all connections away.
func (s *Server) stop() {
	s.mu.Lock()
	front := s.front
	s.front = nil
	s.mu.Unlock()

	if front != nil {
		_ = front.Close()
	}

	s.served.Wait()
}

// Close stops the server and removes its files.
func (s *Server) Close() {
	s.mu.Lock()
	closed := s.closed
	s.closed = true
	s.mu.Unlock()

	if closed {
		return
	}

	close(s.faults.released)
	s.stop()
	s.detach()

	if s.inner != nil {
		// Its own Close waits for calls that may wait for something for ever.
		_ = s.inner.Config.Close()
	}

	if s.model != nil && s.model.Service != nil {
		s.model.Remove()
	}
}

// Restart is a restart of the server's services: the listener and all
// connections go, sessions are gone, then the same address answers again. The
// inventory stays, as do running tasks.
func (s *Server) Restart() error {
	s.Stop()

	return s.Resume()
}

// Stop takes the listener, all connections and all sessions away until Resume.
func (s *Server) Stop() {
	s.stop()
	s.ExpireSessions()
}

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

func (s *Server) url() *url.URL {
	return &url.URL{Scheme: "https", Host: s.address, Path: "/sdk"}
}

// Endpoint returns the URL of the server's SDK.
func (s *Server) Endpoint() string { return s.url().String() }

// URL returns the URL of the server's SDK with the credentials that log in.
func (s *Server) URL() *url.URL {
	u := s.url()
	u.User = url.UserPassword(s.options.Username, s.options.Password)

	return u
}

// Username returns the user that can log in.
func (s *Server) Username() string { return s.options.Username }

// Password returns the password of Username.
func (s *Server) Password() string { return s.options.Password }

// CACertificate returns the authority's certificate, as PEM.
func (s *Server) CACertificate() string { return s.certificate.authority }

// Thumbprint returns the SHA-256 of the server's certificate, as pairs of
// upper-case hexadecimal digits with colons between.
func (s *Server) Thumbprint() string { return s.certificate.sha256 }

// ThumbprintSHA1 returns the SHA-1 of the server's certificate, in the form of
// Thumbprint.
func (s *Server) ThumbprintSHA1() string { return s.certificate.sha1 }

// Context returns a new context for calls into the simulator's own objects.
func (s *Server) Context() *simulator.Context {
	c := *s.service.Context

	return &c
}

// Registry returns the simulator's objects by reference, to look at or to
// change by hand. Objects must be locked while their fields are used, as
// Context().WithLock does.
func (s *Server) Registry() *simulator.Registry { return s.service.Context.Map }
