package pvesim

import (
	"maps"
	"sync"
)

// counts are how many requests of each route arrived.
type counts struct {
	mu sync.Mutex
	by map[string]int
}

func (c *counts) add(route string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.by == nil {
		c.by = map[string]int{}
	}
	c.by[route]++
}

// Requests returns how many requests of each route arrived, "GET /nodes/{node}/qemu/{vmid}/config", those that were
// refused or dropped among them.
func (s *Server) Requests() map[string]int {
	s.counts.mu.Lock()
	defer s.counts.mu.Unlock()
	return maps.Clone(s.counts.by)
}

// ResetRequests begins to count again.
func (s *Server) ResetRequests() {
	s.counts.mu.Lock()
	defer s.counts.mu.Unlock()
	s.counts.by = nil
}
