package vcsim

import (
	"sync"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/types"
)

// VirtualMachine answers the calls to one virtual machine. Its methods are
// found by name, as the simulator finds its own: PowerOn_Task is PowerOnTask.
// A method that is not defined here is the simulator's. One value lives for
// one call and is called with the machine's lock held; what has to last is in
// its machine.
type VirtualMachine struct {
	*simulator.VirtualMachine

	server *Server
}

// machine is what the server remembers of a virtual machine beyond what the
// API shows. It lives until the machine is destroyed or unregistered.
type machine struct {
	mu    sync.Mutex
	guest guestState
}

// machine returns what is remembered of the virtual machine ref, which is
// made at the first call.
func (s *Server) machine(ref types.ManagedObjectReference) *machine {
	s.mu.Lock()
	defer s.mu.Unlock()

	m, ok := s.machines[ref]
	if !ok {
		m = new(machine)
		s.machines[ref] = m
	}

	return m
}

// forget drops what is remembered of a virtual machine that is gone.
func (s *Server) forget(ref types.ManagedObjectReference) {
	s.dissociate(ref)

	s.mu.Lock()
	defer s.mu.Unlock()

	delete(s.machines, ref)
}
