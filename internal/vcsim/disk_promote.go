package vcsim

import (
	"slices"
	"strings"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// PromoteDisksTask gives disks of a machine the content of their own that they
// share with others. Without unlink nothing is asked of a datastore here.
func (vm *VirtualMachine) PromoteDisksTask(ctx *simulator.Context, req *types.PromoteDisks_Task) soap.HasFault {
	return vm.server.start(ctx, vm.Self, "PromoteDisks_Task", exclusive, func(j *job) (types.AnyType, types.BaseMethodFault) {
		if vm.Runtime.PowerState != off {
			return nil, wrongState(vm.VirtualMachine, off)
		}
		if !req.Unlink {
			return nil, nil
		}
		return nil, j.promote(vm.VirtualMachine, req.Disks)
	})
}

// promote makes disks whole; nil is all of the machine's.
func (j *job) promote(vm *simulator.VirtualMachine, asked []types.VirtualDisk) (fault types.BaseMethodFault) {
	present := disksOf(vm.Config.Hardware.Device)
	for _, a := range asked {
		if !slices.ContainsFunc(present, func(d *types.VirtualDisk) bool { return d.Key == a.Key }) {
			return &types.InvalidArgument{InvalidProperty: "disks"}
		}
	}
	j.AutoUpdate(vm, func() {
		devices := cloneDevices(vm.Config.Hardware.Device)
		for _, d := range disksOf(devices) {
			if asked != nil && !slices.ContainsFunc(asked, func(a types.VirtualDisk) bool { return a.Key == d.Key }) {
				continue
			}
			if fault = j.promoteDisk(vm, d); fault != nil {
				return
			}
		}
		vm.Config.Hardware.Device = devices
	})
	if fault != nil {
		return fault
	}
	j.refreshLayout(vm)
	return j.overfull(vm)
}

func (j *job) promoteDisk(vm *simulator.VirtualMachine, d *types.VirtualDisk) types.BaseMethodFault {
	file := j.server.diskFile(j.Context, vm, fileName(d))
	if file == "" || !file.isDelta() {
		return nil
	}
	whole := diskFile(strings.TrimSuffix(string(file), ".vmdk") + "-whole.vmdk")
	err := whole.create(file.capacity(), true)
	if err == nil {
		err = whole.copyFrom(file)
	}
	if err == nil {
		err = file.remove()
	}
	if err == nil {
		err = whole.move(file)
	}
	if err != nil {
		return &types.CannotAccessFile{FileFault: types.FileFault{File: fileName(d)}}
	}
	j.server.count(j.Context, file)
	j.describeBacking(d, file)
	return nil
}
