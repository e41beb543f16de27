package pvesim

import (
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"time"
)

// Fault is a rule by which requests go wrong.
type Fault struct {
	// Route is what it is about, "POST /nodes/{node}/qemu" as Requests names it; "" is all routes, "GET" or
	// "POST" all of the method.
	Route string
	// Match, where set, decides about each request beside. It must not read the body.
	Match func(*http.Request) bool

	// Status and Reason are what is answered; Body too, or none where it is "".
	Status int
	Reason string
	Body   string
	// Drop breaks the connection instead.
	Drop bool
	// Hang leaves the request without an answer until the client gives up or the server is closed.
	Hang bool
	// After lets the request be carried out first, so that only the answer goes wrong.
	After bool

	// Delay is only added to what the request takes, where neither Status, Drop nor Hang is set.
	Delay time.Duration
	// Times is how often; 0 is without end.
	Times int
}

// rule is a fault that is in force.
type rule struct {
	Fault
	released <-chan struct{}
	left     int
}

// faults are the rules in force, by the order they came in.
type faults struct {
	mu       sync.Mutex
	rules    []*rule
	released <-chan struct{} // closed with the server
}

// Fault puts a rule in force. The first that applies to a request decides.
func (s *Server) Fault(f Fault) {
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()
	s.faults.rules = append(s.faults.rules, &rule{Fault: f, released: s.faults.released, left: f.Times})
}

// ClearFaults ends all rules.
func (s *Server) ClearFaults() {
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()
	s.faults.rules = nil
}

// take returns the rule that decides about a request, or nil.
func (f *faults) take(h *http.Request, route string) *rule {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i, r := range f.rules {
		if r.Route != "" && r.Route != route && r.Route != h.Method || r.Match != nil && !r.Match(h) {
			continue
		}
		if r.left--; r.left == 0 {
			f.rules = slices.Delete(f.rules, i, i+1)
		}
		return r
	}
	return nil
}

// disturb applies delays and faults. It returns whether to go on with the request, and what is to be done to its
// answer then.
func (s *Server) disturb(w http.ResponseWriter, h *http.Request, route string) (after *rule, goOn bool) {
	delay := s.opts.Delay
	if s.opts.Jitter > 0 {
		delay += rand.N(s.opts.Jitter) //nolint:gosec // A delay.
	}
	r := s.faults.take(h, route)
	if r != nil {
		delay += r.Delay
	}
	if delay > 0 {
		timer := time.NewTimer(delay)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-h.Context().Done():
		case <-s.faults.released:
		}
	}
	switch {
	case r == nil || r.Status == 0 && !r.Drop && !r.Hang:
		return nil, true
	case r.After:
		return r, true
	}
	r.apply(w, h)
	return nil, false
}

// apply is the answer that a rule makes.
func (r *rule) apply(w http.ResponseWriter, h *http.Request) {
	switch {
	case r.Drop:
		panic(http.ErrAbortHandler)
	case r.Hang:
		// The server sees that a client has gone only once it read the body.
		drain(h)
		select {
		case <-h.Context().Done():
		case <-r.released:
		}
		panic(http.ErrAbortHandler)
	}
	drain(h)
	if r.Reason != "" {
		setReason(h, r.Reason)
	}
	if r.Body != "" {
		w.Header().Set("Content-Type", "application/json;charset=UTF-8")
	}
	w.WriteHeader(r.Status)
	_, _ = w.Write([]byte(r.Body)) //nolint:gosec // What a test wants to be answered.
}

// drain reads what a client still writes, which would not read an answer before.
func drain(h *http.Request) { _, _ = io.Copy(io.Discard, h.Body) }
