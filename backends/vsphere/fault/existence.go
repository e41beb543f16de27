package fault

import (
	"fmt"

	"github.com/vmware/govmomi/vim25/types"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// existence judges what is about things that are there, or are not, or are held by others.
func existence(f types.BaseMethodFault) (verdict, bool) {
	v := verdict{code: backends.NotFound}
	switch f := f.(type) {
	case *types.ManagedObjectNotFound:
		v.text = inWords(f.Obj, nil) + " does not exist, or not any more"
		v.machine = f.Obj.Type == "VirtualMachine"
	case *types.FileNotFound:
		v.text = "there is no file" + quoted(f.File)
	case *types.NotFound, *types.KeyNotFound, *types.GuestProcessNotFound, *types.GuestRegistryValueNotFound:
	case *types.DuplicateName:
		v = verdict{code: backends.Conflict, text: fmt.Sprintf("the name %q is taken by %s", f.Name, inWords(f.Object, nil))}
	case *types.AlreadyExists:
		v = verdict{code: backends.Conflict, text: thing("an object", f.Name) + " exists already"}
	case *types.FileAlreadyExists:
		v = verdict{code: backends.Conflict, text: thing("the file", f.File) + " exists already"}
	case *types.VmWwnConflict, *types.VmAlreadyExistsInDatacenter, *types.ConflictingDatastoreFound, *types.GuestRegistryKeyAlreadyExists:
		v = verdict{code: backends.Conflict}
	case *types.TaskInProgress:
		v = verdict{code: backends.Locked, text: "another task is working on it"}
	case *types.VAppTaskInProgress, *types.VAppOperationInProgress:
		v = verdict{code: backends.Locked, text: "another task is working on its vApp"}
	case *types.ConcurrentAccess:
		v = verdict{code: backends.Locked, text: "somebody else changed it at the same time"}
	case *types.FileLocked:
		v = verdict{code: backends.Locked, text: thing("the file", f.File) + " is in use"}
	case *types.ResourceInUse:
		v = verdict{code: backends.Locked, text: thing(spaced(f.Type), f.Name) + " is in use"}
	case *types.SnapshotLocked, *types.TooManyConcurrentNativeClones, *types.ToolsInstallationInProgress, *types.StorageDrsHmsMoveInProgress:
		v = verdict{code: backends.Locked}
	default:
		return verdict{}, false
	}
	return v, true
}

func thing(noun, name string) string {
	if noun == "" {
		noun = "a resource"
	}
	return noun + quoted(name)
}
