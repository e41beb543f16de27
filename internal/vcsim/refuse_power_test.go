package vcsim_test

import (
	"context"
	"testing"

	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/vim25/types"

	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/vcsim"
)

// operation is something that is done to a machine.
type operation func(context.Context, *object.VirtualMachine) (*object.Task, error)

func TestRefusesPowerOperations(t *testing.T) {
	l := newLab(t, vcsim.Options{})

	stopped, running := l.vm("stopped"), l.vm("running")
	l.start(running)

	template := must[*object.VirtualMachine](t)(l.find.VirtualMachine(t.Context(), l.Seed.Template))

	on := func(ctx context.Context, vm *object.VirtualMachine) (*object.Task, error) { return vm.PowerOn(ctx) }
	off := func(ctx context.Context, vm *object.VirtualMachine) (*object.Task, error) { return vm.PowerOff(ctx) }
	reset := func(ctx context.Context, vm *object.VirtualMachine) (*object.Task, error) { return vm.Reset(ctx) }
	suspend := func(ctx context.Context, vm *object.VirtualMachine) (*object.Task, error) { return vm.Suspend(ctx) }
	destroy := func(ctx context.Context, vm *object.VirtualMachine) (*object.Task, error) { return vm.Destroy(ctx) }
	shutdown := func(ctx context.Context, vm *object.VirtualMachine) (*object.Task, error) {
		return nil, vm.ShutdownGuest(ctx)
	}
	mark := func(ctx context.Context, vm *object.VirtualMachine) (*object.Task, error) {
		return nil, vm.MarkAsTemplate(ctx)
	}

	for name, test := range map[string]struct {
		vm    *object.VirtualMachine
		do    operation
		fault string
	}{
		"on, running":         {running, on, "InvalidPowerState"},
		"off, stopped":        {stopped, off, "InvalidPowerState"},
		"reset, stopped":      {stopped, reset, "InvalidPowerState"},
		"suspend, stopped":    {stopped, suspend, "InvalidPowerState"},
		"destroy, running":    {running, destroy, "InvalidPowerState"},
		"template, running":   {running, mark, "InvalidPowerState"},
		"shutdown, stopped":   {stopped, shutdown, "InvalidPowerState"},
		"shutdown, no tools":  {running, shutdown, "ToolsUnavailable"},
		"on, template":        {template, on, "NotSupported"},
		"suspend, template":   {template, suspend, "NotSupported"},
		"again, template":     {template, mark, "NotSupported"},
		"reset, running, yes": {running, reset, ""},
	} {
		t.Run(name, func(t *testing.T) {
			task, err := test.do(t.Context(), test.vm)
			if err == nil && task != nil {
				err = task.Wait(t.Context())
			}

			if got := faultOf(err); got != test.fault {
				t.Errorf("got %q (%v), want %q", got, err, test.fault)
			}
		})
	}
}

func TestRefusesToStart(t *testing.T) {
	l := newLab(t, vcsim.Options{})

	for name, test := range map[string]struct {
		edit  func(*spec)
		fault string
	}{
		"too much memory":     {func(s *spec) { s.MemoryMB, s.MemoryAllocation = 512<<10, reserve(400<<10) }, "InsufficientMemoryResourcesFault"},
		"too much locked":     {func(s *spec) { s.MemoryMB, s.MemoryReservationLockedToMax = 512<<10, types.NewBool(true) }, "InsufficientMemoryResourcesFault"},
		"too many megahertz":  {func(s *spec) { s.CpuAllocation = reserve(1 << 20) }, "InsufficientCpuResourcesFault"},
		"too many processors": {func(s *spec) { s.NumCPUs = 128 }, "NumVirtualCpusNotSupported"},
		"reserved MAC":        {func(s *spec) { card(s).AddressType, card(s).MacAddress = "manual", "00:50:56:ab:00:01" }, "GenericVmConfigFault"},
		"static MAC":          {func(s *spec) { card(s).AddressType, card(s).MacAddress = "manual", "00:50:56:3f:00:01" }, ""},
		"foreign MAC":         {func(s *spec) { card(s).AddressType, card(s).MacAddress = "manual", "02:00:00:00:00:01" }, ""},
		"device, no memory":   {func(s *spec) { add(s, passthrough()) }, "GenericVmConfigFault"},
	} {
		t.Run(name, func(t *testing.T) {
			task, err := l.vm(name, test.edit).PowerOn(t.Context())
			if got := faultOf(run(t.Context(), task, err)); got != test.fault {
				t.Errorf("got %q, want %q", got, test.fault)
			}
		})
	}
}

func passthrough() types.BaseVirtualDevice {
	return &types.VirtualPCIPassthrough{VirtualDevice: types.VirtualDevice{
		Key: -13000, Backing: &types.VirtualPCIPassthroughVmiopBackingInfo{Vgpu: "grid_t4-1q"},
	}}
}
