package vcsim

import (
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// taskAnswers make the answer of each method that starts a task and that may
// be refused. vSphere starts the task and lets it fail.
var taskAnswers = map[string]func(types.ManagedObjectReference) soap.HasFault{
	"CreateVM_Task": func(t types.ManagedObjectReference) soap.HasFault {
		return &methods.CreateVM_TaskBody{Res: &types.CreateVM_TaskResponse{Returnval: t}}
	},
	"RegisterVM_Task": func(t types.ManagedObjectReference) soap.HasFault {
		return &methods.RegisterVM_TaskBody{Res: &types.RegisterVM_TaskResponse{Returnval: t}}
	},
	"CloneVM_Task": func(t types.ManagedObjectReference) soap.HasFault {
		return &methods.CloneVM_TaskBody{Res: &types.CloneVM_TaskResponse{Returnval: t}}
	},
	"RelocateVM_Task": func(t types.ManagedObjectReference) soap.HasFault {
		return &methods.RelocateVM_TaskBody{Res: &types.RelocateVM_TaskResponse{Returnval: t}}
	},
	"MigrateVM_Task": func(t types.ManagedObjectReference) soap.HasFault {
		return &methods.MigrateVM_TaskBody{Res: &types.MigrateVM_TaskResponse{Returnval: t}}
	},
	"ReconfigVM_Task": func(t types.ManagedObjectReference) soap.HasFault {
		return &methods.ReconfigVM_TaskBody{Res: &types.ReconfigVM_TaskResponse{Returnval: t}}
	},
	"PowerOnVM_Task": func(t types.ManagedObjectReference) soap.HasFault {
		return &methods.PowerOnVM_TaskBody{Res: &types.PowerOnVM_TaskResponse{Returnval: t}}
	},
	"PowerOffVM_Task": func(t types.ManagedObjectReference) soap.HasFault {
		return &methods.PowerOffVM_TaskBody{Res: &types.PowerOffVM_TaskResponse{Returnval: t}}
	},
	"SuspendVM_Task": func(t types.ManagedObjectReference) soap.HasFault {
		return &methods.SuspendVM_TaskBody{Res: &types.SuspendVM_TaskResponse{Returnval: t}}
	},
	"ResetVM_Task": func(t types.ManagedObjectReference) soap.HasFault {
		return &methods.ResetVM_TaskBody{Res: &types.ResetVM_TaskResponse{Returnval: t}}
	},
	"CreateSnapshot_Task": func(t types.ManagedObjectReference) soap.HasFault {
		return &methods.CreateSnapshot_TaskBody{Res: &types.CreateSnapshot_TaskResponse{Returnval: t}}
	},
	"CreateSnapshotEx_Task": func(t types.ManagedObjectReference) soap.HasFault {
		return &methods.CreateSnapshotEx_TaskBody{Res: &types.CreateSnapshotEx_TaskResponse{Returnval: t}}
	},
	"RevertToSnapshot_Task": func(t types.ManagedObjectReference) soap.HasFault {
		return &methods.RevertToSnapshot_TaskBody{Res: &types.RevertToSnapshot_TaskResponse{Returnval: t}}
	},
	"RevertToCurrentSnapshot_Task": func(t types.ManagedObjectReference) soap.HasFault {
		return &methods.RevertToCurrentSnapshot_TaskBody{Res: &types.RevertToCurrentSnapshot_TaskResponse{Returnval: t}}
	},
	"RemoveSnapshot_Task": func(t types.ManagedObjectReference) soap.HasFault {
		return &methods.RemoveSnapshot_TaskBody{Res: &types.RemoveSnapshot_TaskResponse{Returnval: t}}
	},
	"RemoveAllSnapshots_Task": func(t types.ManagedObjectReference) soap.HasFault {
		return &methods.RemoveAllSnapshots_TaskBody{Res: &types.RemoveAllSnapshots_TaskResponse{Returnval: t}}
	},
	"PromoteDisks_Task": func(t types.ManagedObjectReference) soap.HasFault {
		return &methods.PromoteDisks_TaskBody{Res: &types.PromoteDisks_TaskResponse{Returnval: t}}
	},
	"ConsolidateVMDisks_Task": func(t types.ManagedObjectReference) soap.HasFault {
		return &methods.ConsolidateVMDisks_TaskBody{Res: &types.ConsolidateVMDisks_TaskResponse{Returnval: t}}
	},
	"UpgradeVM_Task": func(t types.ManagedObjectReference) soap.HasFault {
		return &methods.UpgradeVM_TaskBody{Res: &types.UpgradeVM_TaskResponse{Returnval: t}}
	},
	"CustomizeVM_Task": func(t types.ManagedObjectReference) soap.HasFault {
		return &methods.CustomizeVM_TaskBody{Res: &types.CustomizeVM_TaskResponse{Returnval: t}}
	},
	"Destroy_Task": func(t types.ManagedObjectReference) soap.HasFault {
		return &methods.Destroy_TaskBody{Res: &types.Destroy_TaskResponse{Returnval: t}}
	},
	"Rename_Task": func(t types.ManagedObjectReference) soap.HasFault {
		return &methods.Rename_TaskBody{Res: &types.Rename_TaskResponse{Returnval: t}}
	},
	"MoveIntoFolder_Task": func(t types.ManagedObjectReference) soap.HasFault {
		return &methods.MoveIntoFolder_TaskBody{Res: &types.MoveIntoFolder_TaskResponse{Returnval: t}}
	},
	"CreateVirtualDisk_Task": func(t types.ManagedObjectReference) soap.HasFault {
		return &methods.CreateVirtualDisk_TaskBody{Res: &types.CreateVirtualDisk_TaskResponse{Returnval: t}}
	},
	"CopyVirtualDisk_Task": func(t types.ManagedObjectReference) soap.HasFault {
		return &methods.CopyVirtualDisk_TaskBody{Res: &types.CopyVirtualDisk_TaskResponse{Returnval: t}}
	},
	"ExtendVirtualDisk_Task": func(t types.ManagedObjectReference) soap.HasFault {
		return &methods.ExtendVirtualDisk_TaskBody{Res: &types.ExtendVirtualDisk_TaskResponse{Returnval: t}}
	},
	"MoveVirtualDisk_Task": func(t types.ManagedObjectReference) soap.HasFault {
		return &methods.MoveVirtualDisk_TaskBody{Res: &types.MoveVirtualDisk_TaskResponse{Returnval: t}}
	},
	"DeleteDatastoreFile_Task": func(t types.ManagedObjectReference) soap.HasFault {
		return &methods.DeleteDatastoreFile_TaskBody{Res: &types.DeleteDatastoreFile_TaskResponse{Returnval: t}}
	},
	"DeleteVirtualDisk_Task": func(t types.ManagedObjectReference) soap.HasFault {
		return &methods.DeleteVirtualDisk_TaskBody{Res: &types.DeleteVirtualDisk_TaskResponse{Returnval: t}}
	},
}
