package vcsim

import (
	"strconv"
	"strings"

	pbmtypes "github.com/vmware/govmomi/pbm/types"
	"github.com/vmware/govmomi/vim25/types"
)

// associations are the policies of machines and disks, by what the policy
// service calls them: the machine's id, and "vm-55:2000" for a disk.
type associations map[string]string

// associated returns the policy of a machine or of a disk.
func (s *Server) associated(e pbmtypes.PbmServerObjectRef) []pbmtypes.PbmProfileId {
	s.mu.Lock()
	defer s.mu.Unlock()

	if id, ok := s.policy[e.Key]; ok {
		return []pbmtypes.PbmProfileId{{UniqueId: id}}
	}

	return nil
}

// associate notes the policies that a specification gives to a machine and to
// its disks.
func (s *Server) associate(vm types.ManagedObjectReference, own []types.BaseVirtualMachineProfileSpec, changes []types.BaseVirtualDeviceConfigSpec) {
	s.mu.Lock()
	defer s.mu.Unlock()

	if s.policy == nil {
		s.policy = make(associations)
	}

	if id, ok := definedProfile(own); ok {
		s.policy[vm.Value] = id
	}

	for _, b := range changes {
		c := b.GetVirtualDeviceConfigSpec()
		if c.Device == nil {
			continue
		}

		key := vm.Value + ":" + strconv.Itoa(int(c.Device.GetVirtualDevice().Key))
		if c.Operation == types.VirtualDeviceConfigSpecOperationRemove {
			delete(s.policy, key)
		} else if id, ok := definedProfile(c.Profile); ok {
			s.policy[key] = id
		}
	}
}

// associateMove notes the policies that a machine and its disks get where they
// move or are cloned to.
func (s *Server) associateMove(vm types.ManagedObjectReference, spec *types.VirtualMachineRelocateSpec) {
	s.associate(vm, spec.Profile, nil)

	for _, d := range spec.Disk {
		s.associate(vm, nil, []types.BaseVirtualDeviceConfigSpec{&types.VirtualDeviceConfigSpec{
			Operation: types.VirtualDeviceConfigSpecOperationEdit,
			Device:    &types.VirtualDisk{VirtualDevice: types.VirtualDevice{Key: d.DiskId}},
			Profile:   d.Profile,
		}})
	}
}

// dissociate forgets the policies of a machine that is gone.
func (s *Server) dissociate(vm types.ManagedObjectReference) {
	s.mu.Lock()
	defer s.mu.Unlock()

	for key := range s.policy {
		if key == vm.Value || strings.HasPrefix(key, vm.Value+":") {
			delete(s.policy, key)
		}
	}
}

func definedProfile(specs []types.BaseVirtualMachineProfileSpec) (string, bool) {
	for _, s := range specs {
		if p, ok := s.(*types.VirtualMachineDefinedProfileSpec); ok {
			return p.ProfileId, true
		}
	}

	return "", false
}
