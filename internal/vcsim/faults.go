package vcsim

import (
	"bytes"
	"math/rand"
	"strings"
	"sync"
	"time"

	"github.com/vmware/govmomi/vim25/types"
)

// outcome is how a call goes wrong.
type outcome int

const (
	faulted     outcome = iota // the call is answered with a fault
	taskFaulted                // the call starts a task, which ends with a fault
	dropped                    // the connection breaks before the call is executed
	lost                       // the connection breaks after the call was executed
	unavailable                // HTTP 503, as a proxy answers for services that start
	hung                       // no answer until the client gives up
)

// rule makes calls go wrong.
type rule struct {
	outcome outcome
	method  string
	object  string
	fault   types.BaseMethodFault
	left    int // how often; below 1 without end

	probability float64
	random      *rand.Rand
}

// faults are the rules of a server.
type faults struct {
	mu       sync.Mutex
	rules    []*rule
	delays   map[string]time.Duration
	released chan struct{} // closed with the server
}

// Fail answers the next n calls of the method with the fault, which arrives
// synchronously also for methods that start a task. The method is one of the
// SDK or "*"; the object is the name of what is called or of what the call is
// about, such as a machine to be created, or "" for any. With n below 1 it
// lasts until ClearFaults.
func (s *Server) Fail(method, object string, fault types.BaseMethodFault, n int) {
	s.addRule(&rule{outcome: faulted, method: method, object: object, fault: fault, left: n})
}

// FailTask lets the next n tasks of the method end with the fault, as vSphere
// reports most of what goes wrong.
func (s *Server) FailTask(method, object string, fault types.BaseMethodFault, n int) {
	s.addRule(&rule{outcome: taskFaulted, method: method, object: object, fault: fault, left: n})
}

// Drop breaks the connection of the next n calls before they are executed.
// The method may also be that of a transfer, as Calls names it.
func (s *Server) Drop(method, object string, n int) {
	s.addRule(&rule{outcome: dropped, method: method, object: object, left: n})
}

// Lose executes the next n calls and breaks their connection before the
// answer, so that the client cannot know.
func (s *Server) Lose(method, object string, n int) {
	s.addRule(&rule{outcome: lost, method: method, object: object, left: n})
}

// Unavailable answers the next n calls with HTTP status 503.
func (s *Server) Unavailable(method, object string, n int) {
	s.addRule(&rule{outcome: unavailable, method: method, object: object, left: n})
}

// Hang leaves the next n calls without an answer until the client gives up or
// the server is closed. They are not executed.
func (s *Server) Hang(method, object string, n int) {
	s.addRule(&rule{outcome: hung, method: method, object: object, left: n})
}

// Flaky lets calls of any method but logins and logouts fail at random with
// the probability, in turns of all that is transient: broken connections
// before and, for calls that only read, after execution, and status 503. The
// seed repeats a sequence.
func (s *Server) Flaky(probability float64, seed int64) {
	random := rand.New(rand.NewSource(seed)) //nolint:gosec // A repeatable sequence.

	for _, o := range []outcome{dropped, unavailable, lost} {
		s.addRule(&rule{outcome: o, method: "*", probability: probability / 3, random: random})
	}
}

// Delay adds d to each call of the method, "*" for all.
func (s *Server) Delay(method string, d time.Duration) {
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()

	if s.faults.delays == nil {
		s.faults.delays = make(map[string]time.Duration)
	}

	s.faults.delays[method] = d
}

// ClearFaults ends all faults and delays, except those that the options ask for.
func (s *Server) ClearFaults() {
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()

	s.faults.rules, s.faults.delays = nil, nil
}

func (s *Server) addRule(r *rule) {
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()

	if r.left < 1 {
		r.left = -1
	}

	s.faults.rules = append(s.faults.rules, r)
}

// delay returns how much longer the method takes.
func (f *faults) delay(method string) time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()

	return f.delays[method] + f.delays["*"]
}

// take returns the rule that decides about the call, or nil.
func (f *faults) take(s *Server, q *request) *rule {
	f.mu.Lock()
	defer f.mu.Unlock()

	for _, r := range f.rules {
		if r.left == 0 || r.method != "*" && r.method != q.method {
			continue
		}

		if r.random != nil && (spared(r, q) || r.random.Float64() >= r.probability) {
			continue
		}

		if r.object != "" && !s.concerns(q, r.object) {
			continue
		}

		if r.left > 0 {
			r.left--
		}

		return r
	}

	return nil
}

// spared reports whether random faults leave the call alone.
func spared(r *rule, q *request) bool {
	if strings.HasPrefix(q.method, "Log") || strings.Contains(q.method, "/session") {
		return true
	}

	return r.outcome == lost && !reads(q.method)
}

// reads reports whether a method changes nothing.
func reads(method string) bool {
	for _, prefix := range []string{"Retrieve", "Query", "Find", "Pbm", "GET ", "WaitFor", "Current", "Search"} {
		if strings.HasPrefix(method, prefix) && method != "PbmCreate" && method != "PbmDelete" {
			return true
		}
	}

	return false
}

// concerns reports whether the call goes to the object of that name, or names
// it or its reference.
func (s *Server) concerns(q *request, name string) bool {
	if bytes.Contains(q.body, []byte(">"+name+"<")) {
		return true
	}

	for _, ref := range s.named(name) {
		if ref == q.this || bytes.Contains(q.body, []byte(">"+ref.Value+"<")) {
			return true
		}
	}

	return false
}

// named returns the objects of the inventory that have the name.
func (s *Server) named(name string) []types.ManagedObjectReference { return s.roster.named(name) }
