package vsphere

import (
	"strings"

	"github.com/vmware/govmomi/fault"
	"github.com/vmware/govmomi/vim25/types"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// arguments says which attribute a property of a specification is made from (the names of InvalidArgument.invalidProperty).
var arguments = map[string]backends.Path{
	"guestid":           "guest_os",
	"memorymb":          "memory.size_mib",
	"numcpus":           "cpu.cores",
	"numcorespersocket": "cpu.cores",
	"version":           "vsphere.hardware_version",
	"firmware":          "firmware",
	"cpuaffinity":       "cpu.affinity",
	"extraconfig":       "vsphere.extra_config",
	"bootoptions":       "vsphere.boot_order",
	"name":              "name",

	"cpuallocation.reservation":    "cpu.reservation_mhz",
	"cpuallocation.limit":          "cpu.limit_mhz",
	"memoryallocation.reservation": "memory.reservation_mib",
	"memoryallocation.limit":       "memory.limit_mib",
}

// explain blames the attribute whose value vSphere refused, where its fault says which part of the specification that was.
func (bld *build) explain(err error) error { return explain(err, bld.blames) }

// explain is build.explain; blames are the attributes of the changes of devices, by index.
func explain(err error, blames []backends.Path) error {
	if err == nil {
		return nil
	}
	var device types.BaseInvalidDeviceSpec
	if _, ok := fault.As(err, &device); ok {
		if i := int(device.GetInvalidDeviceSpec().DeviceIndex); i >= 0 && i < len(blames) {
			return blame(err, blames[i])
		}
	}
	var argument types.BaseInvalidArgument
	if _, ok := fault.As(err, &argument); ok {
		property := strings.ToLower(argument.GetInvalidArgument().InvalidProperty)
		property = strings.TrimPrefix(strings.TrimPrefix(property, "configspec."), "spec.")
		if path, ok := arguments[property]; ok {
			return blame(err, path)
		}
	}
	return err
}
