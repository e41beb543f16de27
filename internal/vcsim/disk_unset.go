package vcsim

import (
	"reflect"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/types"
)

// fillUnset sets what dst leaves unset to what src has, as an edit does.
//
// A bool that is no pointer is always set.
func fillUnset(dst, src reflect.Value) {
	if !dst.CanSet() {
		return
	}
	switch dst.Kind() {
	case reflect.Bool:
	case reflect.Struct:
		if dst.Type() != src.Type() {
			return
		}
		for i := range dst.NumField() {
			fillUnset(dst.Field(i), src.Field(i))
		}
	case reflect.Pointer, reflect.Interface:
		switch {
		case src.IsNil():
		case dst.IsNil():
			dst.Set(src)
		default:
			to, from := dst.Elem(), src.Elem()
			if dst.Kind() == reflect.Interface && to.Kind() == reflect.Pointer {
				to, from = to.Elem(), reflect.Indirect(from)
			}
			if to.Kind() == reflect.Struct && to.CanSet() && to.Type() == from.Type() {
				fillUnset(to, from)
			}
		}
	default:
		if dst.IsZero() {
			dst.Set(src)
		}
	}
}

// keepUnset completes the parts of a spec that the simulator replaces whole.
func keepUnset(vm *simulator.VirtualMachine, spec *types.VirtualMachineConfigSpec) {
	fill := func(dst, src any) { fillUnset(reflect.ValueOf(dst).Elem(), reflect.ValueOf(src).Elem()) }
	if spec.CpuAllocation != nil && vm.Config.CpuAllocation != nil {
		fill(spec.CpuAllocation, vm.Config.CpuAllocation)
	}
	if spec.MemoryAllocation != nil && vm.Config.MemoryAllocation != nil {
		fill(spec.MemoryAllocation, vm.Config.MemoryAllocation)
	}
	if spec.BootOptions != nil && vm.Config.BootOptions != nil {
		fill(spec.BootOptions, vm.Config.BootOptions)
	}
	if spec.Flags != nil {
		fill(spec.Flags, &vm.Config.Flags)
	}
	if spec.Tools != nil && vm.Config.Tools != nil {
		fill(spec.Tools, vm.Config.Tools)
	}
}

// cloneDevice returns a copy that shares nothing that is changed in place.
func cloneDevice(d types.BaseVirtualDevice) types.BaseVirtualDevice {
	return cloneDevices([]types.BaseVirtualDevice{d})[0]
}

func cloneDevices(devices []types.BaseVirtualDevice) []types.BaseVirtualDevice {
	list := make([]types.BaseVirtualDevice, 0, len(devices))
	for _, d := range devices {
		c, ok := deepCopy(reflect.ValueOf(d)).Interface().(types.BaseVirtualDevice)
		if ok {
			list = append(list, c)
		}
	}
	return list
}

// deepCopy copies what the API's types are made of.
func deepCopy(v reflect.Value) reflect.Value {
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			return v
		}
		c := reflect.New(v.Type().Elem())
		c.Elem().Set(deepCopy(v.Elem()))
		return c
	case reflect.Interface:
		if v.IsNil() {
			return v
		}
		c := reflect.New(v.Type()).Elem()
		c.Set(deepCopy(v.Elem()))
		return c
	case reflect.Slice:
		if v.IsNil() {
			return v
		}
		c := reflect.MakeSlice(v.Type(), v.Len(), v.Len())
		for i := range v.Len() {
			c.Index(i).Set(deepCopy(v.Index(i)))
		}
		return c
	case reflect.Struct:
		c := reflect.New(v.Type()).Elem()
		c.Set(v)
		for i := range v.NumField() {
			if c.Field(i).CanSet() {
				c.Field(i).Set(deepCopy(v.Field(i)))
			}
		}
		return c
	default:
		return v
	}
}

// copyConfig returns a copy of a machine's configuration.
func copyConfig(c *types.VirtualMachineConfigInfo) *types.VirtualMachineConfigInfo {
	out, _ := deepCopy(reflect.ValueOf(c)).Interface().(*types.VirtualMachineConfigInfo)
	return out
}
