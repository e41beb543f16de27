package vcsim

import (
	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"
)

// refuse returns the fault with which vSphere refuses the call, or nil. It is
// called with the target's lock held.
func (s *Server) refuse(ctx *simulator.Context, target mo.Reference, method string, body any) types.BaseMethodFault {
	return nil
}
