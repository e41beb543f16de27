package vcsim

import (
	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/types"
)

// revocation is a privilege that the user lacks on an object.
type revocation struct{ privilege, object string }

// Revoke takes the privilege ("VirtualMachine.Config.AddNewDisk") from the
// user, on the object of that name and on what it holds, or everywhere where
// the name is "". Calls that need it are refused with NoPermission, which
// names both.
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

// need is a privilege that a call needs on an object.
type need struct {
	privilege string
	object    types.ManagedObjectReference
}

// privileged refuses a call whose privileges the user lacks.
func (s *Server) privileged(_ *simulator.Context, this types.ManagedObjectReference, method string, body any) types.BaseMethodFault {
	s.mu.Lock()
	revoked := append([]revocation(nil), s.revoked...)
	s.mu.Unlock()

	if len(revoked) == 0 {
		return nil
	}

	for _, n := range s.needs(this, method, body) {
		for _, r := range revoked {
			if r.privilege != n.privilege || r.object != "" && !s.heldBy(n.object, r.object) {
				continue
			}

			object := n.object
			f := &types.NoPermission{Object: &object, PrivilegeId: n.privilege}
			f.MissingPrivileges = []types.NoPermissionEntityPrivileges{{Entity: object, PrivilegeIds: []string{n.privilege}}}
			f.FaultCause = because("Permission to perform this operation was denied.")

			return f
		}
	}

	return nil
}

// heldBy reports whether the object or one that holds it has the name.
func (s *Server) heldBy(ref types.ManagedObjectReference, name string) bool {
	for range 64 {
		if ref.Value == "" {
			return false
		}

		if s.roster.name(ref) == name {
			return true
		}

		ref = s.roster.parent(ref)
	}

	return false
}

// simple are the methods that need one privilege on what is called, whatever
// is asked.
var simple = map[string]string{
	"PowerOnVM_Task":               "VirtualMachine.Interact.PowerOn",
	"PowerOffVM_Task":              "VirtualMachine.Interact.PowerOff",
	"ShutdownGuest":                "VirtualMachine.Interact.PowerOff",
	"SuspendVM_Task":               "VirtualMachine.Interact.Suspend",
	"StandbyGuest":                 "VirtualMachine.Interact.Suspend",
	"ResetVM_Task":                 "VirtualMachine.Interact.Reset",
	"RebootGuest":                  "VirtualMachine.Interact.Reset",
	"AnswerVM":                     "VirtualMachine.Interact.AnswerQuestion",
	"AcquireTicket":                "VirtualMachine.Interact.ConsoleInteract",
	"MountToolsInstaller":          "VirtualMachine.Interact.ToolsInstall",
	"Destroy_Task":                 "VirtualMachine.Inventory.Delete",
	"UnregisterVM":                 "VirtualMachine.Inventory.Unregister",
	"Rename_Task":                  "VirtualMachine.Config.Rename",
	"UpgradeVM_Task":               "VirtualMachine.Config.UpgradeVirtualHardware",
	"CreateSnapshot_Task":          "VirtualMachine.State.CreateSnapshot",
	"CreateSnapshotEx_Task":        "VirtualMachine.State.CreateSnapshot",
	"RemoveSnapshot_Task":          "VirtualMachine.State.RemoveSnapshot",
	"RemoveAllSnapshots_Task":      "VirtualMachine.State.RemoveSnapshot",
	"ConsolidateVMDisks_Task":      "VirtualMachine.State.RemoveSnapshot",
	"RevertToSnapshot_Task":        "VirtualMachine.State.RevertToSnapshot",
	"RevertToCurrentSnapshot_Task": "VirtualMachine.State.RevertToSnapshot",
	"RenameSnapshot":               "VirtualMachine.State.RenameSnapshot",
	"MarkAsTemplate":               "VirtualMachine.Provisioning.MarkAsTemplate",
	"MarkAsVirtualMachine":         "VirtualMachine.Provisioning.MarkAsVM",
	"CustomizeVM_Task":             "VirtualMachine.Provisioning.Customize",
	"ExportVm":                     "VApp.Export",
	"CreateFolder":                 "Folder.Create",
	"MoveIntoResourcePool":         "Resource.AssignVMToPool",
	"SetField":                     "Global.SetCustomField",
	"AddCustomFieldDef":            "Global.ManageCustomFields",
	"CancelTask":                   "Global.CancelTask",
}
