package vcsim

import (
	"sync/atomic"

	"github.com/vmware/govmomi/simulator"
)

// extras is what the server keeps for what govmomi's simulator lacks.
type extras struct {
	jobs    *jobs
	storage *storage
	leases  leases
	guests  guests
	macs    macs
	slow    atomic.Int64 // how long a task takes, in nanoseconds
}

// attach adds to a server whose estate is complete what the simulator lacks.
func (s *Server) attach() {
	s.jobs, s.storage = newJobs(), newStorage()
	s.slow.Store(int64(s.options.TaskTime))
	s.guests.init()

	ctx := s.Context()
	s.takeStock(ctx)
	s.jobs.hideSteps(ctx.Map)
	s.service.ServeMux.HandleFunc("/nfc/{lease}/{file}", s.serveTransfer)
	if !s.options.ESXi {
		s.service.ServeMux.HandleFunc("POST /rest/com/vmware/vcenter/ovf/library-item/{item}", s.deployItem)
		s.service.ServeMux.HandleFunc("POST /api/vcenter/ovf/library-item/{item}", s.deployItem)
	}
}

// detach stops what runs in the background.
func (s *Server) detach() {
	if s.jobs != nil {
		s.jobs.close()
	}
}

// seeded reports whether the estate's machine of that name has a guest.
func (s *Server) seeded(vm *simulator.VirtualMachine) bool {
	if vm.Name == s.Seed.Template {
		return true
	}
	for _, name := range s.Seed.VMs {
		if vm.Name == name {
			return true
		}
	}
	return false
}
