package vcsim

import (
	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// SearchIndex finds objects by their names.
type SearchIndex struct {
	*simulator.SearchIndex
}

// FindChild looks among what an object holds when nothing is being made in it: the simulator
// panics at a machine that is there and has no name yet, with the lock of the index held.
func (s *SearchIndex) FindChild(ctx *simulator.Context, req *types.FindChild) (found soap.HasFault) {
	ctx.WithLock(req.Entity, func() { found = s.SearchIndex.FindChild(ctx, req) })
	return found
}
