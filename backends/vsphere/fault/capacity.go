package fault

import (
	"fmt"

	"github.com/vmware/govmomi/vim25/types"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

const freeSpace = "Free space on the datastore, name another one, or use thin provisioning."

// storage judges what is about datastores and files.
func storage(f types.BaseMethodFault) (verdict, bool) {
	switch f := f.(type) {
	case *types.NoDiskSpace:
		return verdict{code: backends.Exhausted, text: "no space is left on" + datastore(f.Datastore), remedy: freeSpace}, true
	case *types.InsufficientStorageSpace, *types.NamespaceFull, *types.InsufficientStorageIops:
		return verdict{code: backends.Exhausted, remedy: freeSpace}, true
	case *types.FileTooLarge:
		return verdict{code: backends.Invalid, text: fmt.Sprintf("%s would be larger than files on%s can be (%s)", thing("the file", f.File), datastore(f.Datastore), mib(f.MaxFileSize))}, true
	case *types.FileNameTooLong, *types.NotADirectory, *types.NotAFile, *types.IncorrectFileType:
		return verdict{code: backends.Invalid}, true
	case *types.InvalidDatastorePath:
		return verdict{code: backends.Invalid, text: fmt.Sprintf("%q is not a path on a datastore", f.DatastorePath), remedy: `Write it as "[datastore] folder/file.vmdk".`}, true
	case *types.InaccessibleDatastore:
		return verdict{code: backends.Precondition, text: "the" + datastore(f.Name) + " cannot be accessed", remedy: "Check that hosts have it mounted and that it is not in maintenance mode."}, true
	case *types.DatastoreNotWritableOnHost, *types.SwapDatastoreNotWritableOnHost, *types.InvalidDatastoreState, *types.NoConnectedDatastore, *types.NoCompatibleDatastore:
		return verdict{code: backends.Precondition}, true
	case types.BaseInvalidDatastore:
		return verdict{code: backends.Invalid, text: "the" + datastore(f.GetInvalidDatastore().Name) + " cannot be used for this", remedy: "Name a datastore that the VM's host or cluster has mounted."}, true
	case *types.DirectoryNotEmpty, *types.TooManyNativeCloneLevels, *types.TooManyNativeClonesOnFile, *types.FileNotWritable, *types.CannotDeleteFile:
		return verdict{code: backends.Precondition}, true
	case *types.NetworkCopyFault:
		return verdict{code: backends.Transient, text: "the copy was broken off"}, true
	case types.BaseFileFault: // CannotAccessFile, CannotCreateFile and the like
		return verdict{code: backends.Precondition, text: thing("the file", f.GetFileFault().File) + " cannot be accessed"}, true
	}
	return verdict{}, false
}

func datastore(name string) string { return " datastore" + quoted(name) }

const makeRoom = "Name another host, cluster or resource pool, ask for less, or free resources there."

// capacity judges what is about memory, processors and licences that do not suffice.
func capacity(f types.BaseMethodFault) (verdict, bool) {
	v := verdict{code: backends.Exhausted, remedy: makeRoom}
	switch f := f.(type) {
	case *types.InsufficientCpuResourcesFault:
		v.text = fmt.Sprintf("a reservation of %d MHz is asked for, %d MHz are not reserved yet", f.Requested, f.Unreserved)
	case *types.InsufficientMemoryResourcesFault:
		v.text = fmt.Sprintf("a reservation of %s is asked for, %s are not reserved yet", mib(f.Requested), mib(f.Unreserved))
	case *types.InsufficientHostCpuCapacityFault:
		v.text = fmt.Sprintf("the host has %d MHz that are not reserved, %d MHz are asked for", f.Unreserved, f.Requested)
	case *types.InsufficientHostMemoryCapacityFault:
		v.text = fmt.Sprintf("the host has %s that are not reserved, %s are asked for", mib(f.Unreserved), mib(f.Requested))
	case *types.InsufficientFailoverResourcesFault:
		v.text, v.remedy = "the cluster would no longer be able to restart its VMs after a host fails", "Add hosts, or relax the cluster's admission control."
	case *types.NumVirtualCpusExceedsLimit:
		v.text = fmt.Sprintf("the limit of %d virtual CPUs would be exceeded", f.MaxSupportedVcpus)
	case types.BaseInsufficientResourcesFault:
		v.text = "the host, cluster or resource pool has not enough left"
	case *types.NotEnoughCpus:
		v.text = fmt.Sprintf("the host has %d processors, the VM has %d", f.NumCpuDest, f.NumCpuVm)
	case *types.NotEnoughLogicalCpus:
		v.text = fmt.Sprintf("the host has %d logical processors, the VM has %d", f.NumCpuDest, f.NumCpuVm)
	case *types.LimitExceeded:
		v.text, v.remedy = "the limit of "+f.Property+" is reached", ""
	case *types.TooManyGuestLogons, *types.MksConnectionLimitReached, *types.NoAvailableIp, *types.DestinationSwitchFull, *types.NamespaceLimitReached:
		v.remedy = ""
	case *types.RestrictedVersion:
		return verdict{code: backends.Unsupported, text: "the host's licence makes its API read-only", remedy: "Assign a licence to the host: the free one refuses every change by API."}, true
	case types.BaseNotEnoughLicenses:
		v.text, v.remedy = "no licence covers this", "Assign a licence that does."
	case *types.LicenseAssignmentFailed, *types.VMotionNotLicensed, *types.FaultToleranceNotLicensed, *types.LicenseServerUnavailable, *types.InvalidLicense:
		v.text, v.remedy = "no licence covers this", "Assign a licence that does."
	default:
		return verdict{}, false
	}
	return v, true
}
