package vcsim

import (
	"maps"
	"sync"
)

// traffic counts what clients asked and how much of it.
type traffic struct {
	mu    sync.Mutex
	calls map[string]int
	bytes int64
}

func (t *traffic) call(name string) {
	t.mu.Lock()
	defer t.mu.Unlock()

	if t.calls == nil {
		t.calls = make(map[string]int)
	}

	t.calls[name]++
}

func (t *traffic) add(n int) {
	t.mu.Lock()
	defer t.mu.Unlock()

	t.bytes += int64(n)
}

// Calls returns how often each method of the SDK ("PowerOnVM_Task") and each
// method and path of REST ("GET /rest/com/vmware/cis/tagging/tag") was called
// by clients, and each transfer ("PUT /nfc"). What the simulator calls itself
// does not count.
func (s *Server) Calls() map[string]int {
	s.traffic.mu.Lock()
	defer s.traffic.mu.Unlock()

	return maps.Clone(s.traffic.calls)
}

// TotalCalls returns the sum of Calls.
func (s *Server) TotalCalls() int {
	s.traffic.mu.Lock()
	defer s.traffic.mu.Unlock()

	total := 0
	for _, n := range s.traffic.calls {
		total += n
	}

	return total
}

// Bytes returns the size of the bodies of all calls and answers.
func (s *Server) Bytes() int64 {
	s.traffic.mu.Lock()
	defer s.traffic.mu.Unlock()

	return s.traffic.bytes
}

// ResetCalls forgets the calls and bytes so far.
func (s *Server) ResetCalls() {
	s.traffic.mu.Lock()
	defer s.traffic.mu.Unlock()

	s.traffic.calls, s.traffic.bytes = nil, 0
}
