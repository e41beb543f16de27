package vcsim

import (
	"github.com/vmware/govmomi/pbm"
	"github.com/vmware/govmomi/simulator"
)

// policies is the storage policy service.
type policies struct {
	server   *Server
	registry *simulator.Registry
}

func newPolicies(s *Server) *policies {
	r := simulator.NewRegistry()
	r.Namespace = pbm.Namespace
	r.Path = pbm.Path
	r.Cookie = simulator.SOAPCookie

	return &policies{server: s, registry: r}
}
