package vcsim

import "strings"

// descriptions are the ids of methods that vSphere's descriptions of tasks know
// by other names than the API.
var descriptions = map[string]string{
	"CloneVM_Task":            "clone",
	"ConsolidateVMDisks_Task": "consolidateDisks",
	"CreateVM_Task":           "createVm",
	"CustomizeVM_Task":        "customize",
	"MigrateVM_Task":          "migrate",
	"PowerOffVM_Task":         "powerOff",
	"PowerOnVM_Task":          "powerOn",
	"ReconfigVM_Task":         "reconfigure",
	"RelocateVM_Task":         "relocate",
	"RemoveSnapshot_Task":     "remove",
	"ResetVM_Task":            "reset",
	"RevertToSnapshot_Task":   "revert",
	"SuspendVM_Task":          "suspend",
	"UpgradeVM_Task":          "upgradeVirtualHardware",
}

// describe returns what follows the type in the description id of a task.
func describe(method string) string {
	if id, ok := descriptions[method]; ok {
		return id
	}
	return lowerFirst(strings.TrimSuffix(method, "_Task"))
}
