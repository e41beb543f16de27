package vsphere

import (
	"context"

	"github.com/vmware/govmomi/vim25/types"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

func (e *edit) memory(ctx context.Context) error {
	have, want := e.from.Memory, e.to.Memory
	if err := e.checkMemory(ctx); err != nil {
		return err
	}
	hot := want.HotAdd
	if value(want.MaxMiB) > value(want.SizeMiB) {
		if hot != nil && !*hot && changed(have.HotAdd, hot) {
			return backends.Errorf(backends.Invalid, "", "", "memory up to memory.max_mib is added while the VM runs, which memory.hot_add = false forbids").At("memory.max_mib")
		}
		hot = new(true)
	}
	if changed(have.HotAdd, hot) {
		e.spec.MemoryHotAddEnabled = hot
	}
	e.mark.MaxMiB = value(want.MaxMiB)
	if changed(have.SizeMiB, want.SizeMiB) {
		e.spec.MemoryMB = *want.SizeMiB
	} else if e.m == nil && want.SizeMiB == nil {
		e.spec.MemoryMB = defaultMemoryMiB
	}
	e.memoryReservation(have, want)
	if changed(have.LimitMiB, want.LimitMiB) || changed(have.Shares, want.Shares) {
		a := allocation(nil, want.LimitMiB, want.Shares)
		if e.spec.MemoryAllocation != nil {
			a.Reservation = e.spec.MemoryAllocation.Reservation
		}
		e.spec.MemoryAllocation = a
	}
	return nil
}

// defaultMemoryMiB is what a VM gets that asks for no size.
const defaultMemoryMiB = 1024

// memoryReservation reserves a part, or all, which then follows the size.
func (e *edit) memoryReservation(have, want backends.Memory) {
	if want.ReservationMiB == nil || !changed(have.ReservationMiB, want.ReservationMiB) && !changed(have.SizeMiB, want.SizeMiB) {
		return
	}
	all := *want.ReservationMiB > 0 && *want.ReservationMiB == value(want.SizeMiB)
	if e.m == nil && all || e.m != nil && all != value(e.m.Config.MemoryReservationLockedToMax) {
		e.spec.MemoryReservationLockedToMax = &all
	}
	if changed(have.ReservationMiB, want.ReservationMiB) {
		e.spec.MemoryAllocation = &types.ResourceAllocationInfo{Reservation: want.ReservationMiB}
	}
}

func (e *edit) checkMemory(ctx context.Context) error {
	have, want := e.from.Memory, e.to.Memory
	size := value(want.SizeMiB)
	invalid := func(path backends.Path, format string, args ...any) error {
		return backends.Errorf(backends.Invalid, "", "", format, args...).At(path)
	}
	switch {
	case changed(have.SizeMiB, want.SizeMiB) && (size < 4 || size%4 != 0):
		return invalid("memory.size_mib", "%d MiB: vSphere takes multiples of 4 MiB", size)
	case changed(have.MaxMiB, want.MaxMiB) && *want.MaxMiB < size:
		return invalid("memory.max_mib", "a maximum of %d MiB is below the memory of %d MiB", *want.MaxMiB, size)
	case size > 0 && value(want.ReservationMiB) > size:
		return invalid("memory.reservation_mib", "%d MiB cannot be reserved of %d MiB", *want.ReservationMiB, size)
	case value(want.LimitMiB) > 0 && value(want.LimitMiB) < value(want.ReservationMiB):
		return invalid("memory.limit_mib", "the limit of %d MiB is below the reservation of %d MiB", *want.LimitMiB, *want.ReservationMiB)
	}
	for path, n := range map[backends.Path]*int64{"memory.reservation_mib": want.ReservationMiB, "memory.limit_mib": want.LimitMiB, "memory.shares": want.Shares} {
		if value(n) < 0 {
			return invalid(path, "%d is less than 0, which is none", *n)
		}
	}
	if value(want.ReservationMiB) > 0 && changed(have.ReservationMiB, want.ReservationMiB) {
		return e.checkReservation(ctx, *want.ReservationMiB, "memory.reservation_mib", "MiB", func(r types.ResourcePoolRuntimeInfo) int64 { return r.Memory.MaxUsage >> 20 })
	}
	return nil
}

func (m *machine) observeMemory(spec *backends.VMSpec) {
	size := int64(m.Config.Hardware.MemoryMB)
	mem := backends.Memory{SizeMiB: &size, HotAdd: new(value(m.Config.MemoryHotAddEnabled))}
	mem.ReservationMiB, mem.LimitMiB, mem.Shares = observeAllocation(m.Config.MemoryAllocation)
	if value(m.Config.MemoryReservationLockedToMax) {
		mem.ReservationMiB = &size
	}
	if m.mark != nil && m.mark.MaxMiB > 0 {
		mem.MaxMiB = new(m.mark.MaxMiB)
	}
	spec.Memory = mem
}
