package fault

import (
	"fmt"

	"github.com/vmware/govmomi/vim25/types"
)

// nouns are what people call the types of managed objects.
var nouns = map[string]string{
	"VirtualMachine":                 "VM",
	"VirtualMachineSnapshot":         "snapshot",
	"Folder":                         "folder",
	"Datacenter":                     "datacenter",
	"Datastore":                      "datastore",
	"StoragePod":                     "datastore cluster",
	"HostSystem":                     "host",
	"ComputeResource":                "host",
	"ClusterComputeResource":         "cluster",
	"ResourcePool":                   "resource pool",
	"VirtualApp":                     "vApp",
	"Network":                        "network",
	"OpaqueNetwork":                  "network",
	"DistributedVirtualPortgroup":    "port group",
	"DistributedVirtualSwitch":       "distributed switch",
	"VmwareDistributedVirtualSwitch": "distributed switch",
	"Task":                           "task",
	"HttpNfcLease":                   "transfer",
}

// Noun returns what people call an object of the type.
func Noun(ref types.ManagedObjectReference) string {
	if n := nouns[ref.Type]; n != "" {
		return n
	}
	return spaced(ref.Type)
}

// inWords names an object: by its name where that is known, else by its reference.
func inWords(ref types.ManagedObjectReference, names map[types.ManagedObjectReference]string) string {
	if name := names[ref]; name != "" {
		return fmt.Sprintf("%s %q", Noun(ref), name)
	}
	return Noun(ref) + " " + ref.Value
}

// power says in words what a power state is.
func power(s types.VirtualMachinePowerState) string {
	switch s {
	case types.VirtualMachinePowerStatePoweredOn:
		return "running"
	case types.VirtualMachinePowerStatePoweredOff:
		return "powered off"
	case types.VirtualMachinePowerStateSuspended:
		return "suspended"
	}
	return "in another power state"
}

// quoted names a thing if there is a name: ` "web"`.
func quoted(name string) string {
	if name == "" {
		return ""
	}
	return fmt.Sprintf(" %q", name)
}

// mib says how many MiB a number of bytes is.
func mib(bytes int64) string { return fmt.Sprintf("%d MiB", bytes>>20) }
