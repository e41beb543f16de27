package vcsim

import (
	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/types"
)

// needs returns the privileges that a call needs, as the API reference lists
// them with each method and each part of a specification.
func (s *Server) needs(this types.ManagedObjectReference, method string, body any) []need {
	var needs []need

	if p, ok := simple[method]; ok && (this.Type == "VirtualMachine" || method != "Destroy_Task" && method != "Rename_Task") {
		needs = append(needs, need{p, this})
	}

	switch q := body.(type) {
	case *types.CreateVM_Task:
		needs = append(needs, need{"VirtualMachine.Inventory.Create", this}, need{"Resource.AssignVMToPool", q.Pool})
		needs = append(needs, s.ofConfig(this, this, &q.Config, true)...)
	case *types.ImportVApp:
		needs = append(needs, need{"VApp.Import", this})
	case *types.RegisterVM_Task:
		needs = append(needs, need{"VirtualMachine.Inventory.Register", this})
	case *types.ReconfigVM_Task:
		needs = append(needs, s.ofConfig(this, this, &q.Spec, false)...)
	case *types.CloneVM_Task:
		needs = append(needs, s.ofClone(this, q)...)
	case *types.RelocateVM_Task:
		needs = append(needs, s.ofRelocation(this, &q.Spec)...)
	case *types.MoveIntoFolder_Task:
		for _, vm := range q.List {
			needs = append(needs, need{"VirtualMachine.Inventory.Move", vm})
		}
	}

	return needs
}

// looked is what the privileges of a call depend on.
type looked struct{ template, runs bool }

// look returns whether a machine is a template and whether it runs.
func (s *Server) look(ref types.ManagedObjectReference) looked {
	var l looked

	ctx := s.Context()
	if vm, ok := ctx.Map.Get(ref).(*simulator.VirtualMachine); ok {
		l.template = vm.Summary.Config.Template
		l.runs = vm.Runtime.PowerState == stateOn
	}

	return l
}

// ofConfig returns what a specification needs on the machine, or on the folder
// where it is made in.
func (s *Server) ofConfig(on, folder types.ManagedObjectReference, c *types.VirtualMachineConfigSpec, create bool) []need {
	var needs []need

	add := func(asked bool, privilege string) {
		if asked {
			needs = append(needs, need{privilege, on})
		}
	}

	if !create {
		add(c.Name != "", "VirtualMachine.Config.Rename")
		add(c.NumCPUs != 0 || c.NumCoresPerSocket != nil || c.CpuHotAddEnabled != nil || c.CpuHotRemoveEnabled != nil, "VirtualMachine.Config.CPUCount")
		add(c.MemoryMB != 0 || c.MemoryHotAddEnabled != nil, "VirtualMachine.Config.Memory")
		add(c.Annotation != "", "VirtualMachine.Config.Annotation")
		add(c.GuestId != "" || c.Firmware != "" || c.BootOptions != nil || c.Flags != nil || c.NestedHVEnabled != nil, "VirtualMachine.Config.Settings")
		add(c.CpuAllocation != nil || c.MemoryAllocation != nil, "VirtualMachine.Config.Resource")
	}

	add(len(c.ExtraConfig) > 0, "VirtualMachine.Config.AdvancedConfig")

	return append(needs, s.ofDevices(on, folder, c.DeviceChange)...)
}

// ofDevices returns what changes of devices need.
func (s *Server) ofDevices(on, folder types.ManagedObjectReference, changes []types.BaseVirtualDeviceConfigSpec) []need {
	var needs []need

	for _, b := range changes {
		c := b.GetVirtualDeviceConfigSpec()

		switch d := c.Device.(type) {
		case *types.VirtualDisk:
			needs = append(needs, need{diskPrivilege(c), on})

			if c.FileOperation == types.VirtualDeviceConfigSpecFileOperationCreate {
				if ds, ok := s.storeOf(folder, d.Backing); ok {
					needs = append(needs, need{"Datastore.AllocateSpace", ds})
				}
			}
		case types.BaseVirtualEthernetCard:
			needs = append(needs, need{editPrivilege(c), on})

			if n, ok := s.networkOf(folder, d.GetVirtualEthernetCard().Backing); ok && c.Operation != types.VirtualDeviceConfigSpecOperationRemove {
				needs = append(needs, need{"Network.Assign", n})
			}
		case nil:
		default:
			needs = append(needs, need{editPrivilege(c), on})
		}
	}

	return needs
}

func diskPrivilege(c *types.VirtualDeviceConfigSpec) string {
	switch c.Operation {
	case types.VirtualDeviceConfigSpecOperationAdd:
		if c.FileOperation == types.VirtualDeviceConfigSpecFileOperationCreate {
			return "VirtualMachine.Config.AddNewDisk"
		}

		return "VirtualMachine.Config.AddExistingDisk"
	case types.VirtualDeviceConfigSpecOperationRemove:
		return "VirtualMachine.Config.RemoveDisk"
	case types.VirtualDeviceConfigSpecOperationEdit:
	}

	return "VirtualMachine.Config.DiskExtend"
}

func editPrivilege(c *types.VirtualDeviceConfigSpec) string {
	if c.Operation == types.VirtualDeviceConfigSpecOperationEdit {
		return "VirtualMachine.Config.EditDevice"
	}

	return "VirtualMachine.Config.AddRemoveDevice"
}

// ofClone returns what cloning needs.
func (s *Server) ofClone(this types.ManagedObjectReference, q *types.CloneVM_Task) []need {
	privilege := "VirtualMachine.Provisioning.Clone"

	if vm := s.look(this); vm.template {
		privilege = "VirtualMachine.Provisioning.DeployTemplate"
	}

	needs := []need{{privilege, this}, {"VirtualMachine.Inventory.CreateFromExisting", q.Folder}}

	if p := q.Spec.Location.Pool; p != nil {
		needs = append(needs, need{"Resource.AssignVMToPool", *p})
	}

	if ds := q.Spec.Location.Datastore; ds != nil {
		needs = append(needs, need{"Datastore.AllocateSpace", *ds})
	}

	if q.Spec.Customization != nil {
		needs = append(needs, need{"VirtualMachine.Provisioning.Customize", this})
	}

	if c := q.Spec.Config; c != nil {
		needs = append(needs, s.ofConfig(q.Folder, q.Folder, c, true)...)
	}

	return needs
}

// ofRelocation returns what moving a machine needs.
func (s *Server) ofRelocation(this types.ManagedObjectReference, r *types.VirtualMachineRelocateSpec) []need {
	privilege := "Resource.ColdMigrate"
	if s.look(this).runs {
		privilege = "Resource.HotMigrate"
	}

	needs := []need{{privilege, this}}

	if r.Pool != nil {
		needs = append(needs, need{"Resource.AssignVMToPool", *r.Pool})
	}

	if r.Datastore != nil {
		needs = append(needs, need{"Datastore.AllocateSpace", *r.Datastore})
	}

	for _, d := range r.Disk {
		needs = append(needs, need{"Datastore.AllocateSpace", d.Datastore})
	}

	return needs
}

// storeOf returns the datastore of a file.
func (s *Server) storeOf(in types.ManagedObjectReference, backing types.BaseVirtualDeviceBackingInfo) (types.ManagedObjectReference, bool) {
	b, ok := backing.(types.BaseVirtualDeviceFileBackingInfo)
	if !ok {
		return types.ManagedObjectReference{}, false
	}

	var p object.DatastorePath
	if !p.FromString(b.GetVirtualDeviceFileBackingInfo().FileName) {
		return types.ManagedObjectReference{}, false
	}

	dc, _ := s.roster.above(in, "Datacenter")

	return s.roster.within(dc, "Datastore", p.Datastore)
}

// networkOf returns the network of a card.
func (s *Server) networkOf(in types.ManagedObjectReference, backing types.BaseVirtualDeviceBackingInfo) (types.ManagedObjectReference, bool) {
	switch b := backing.(type) {
	case *types.VirtualEthernetCardNetworkBackingInfo:
		dc, _ := s.roster.above(in, "Datacenter")

		return s.roster.within(dc, "Network", b.DeviceName)
	case *types.VirtualEthernetCardDistributedVirtualPortBackingInfo:
		return types.ManagedObjectReference{Type: "DistributedVirtualPortgroup", Value: b.Port.PortgroupKey}, true
	default:
		return types.ManagedObjectReference{}, false
	}
}
