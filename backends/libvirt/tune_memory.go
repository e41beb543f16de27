package libvirt

import (
	"context"

	rpc "github.com/digitalocean/go-libvirt"
	"libvirt.org/go/libvirtxml"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// unlimitedKiB is libvirt's number for no limit.
const unlimitedKiB = uint64(rpc.DomainMemoryParamUnlimited)

// overheadMiB is what QEMU may need beside the guest's memory, generously: the kernel kills a VM that
// exceeds its limit. Emulation in software keeps the code that it has translated, up to 1 GiB.
func overheadMiB(guestMiB int64, domainType string) int64 {
	n := 512 + guestMiB/64
	if domainType != "kvm" {
		n += 1024
	}
	return n
}

// guestMiB is the most memory that a definition's guest can take before it is changed.
func guestMiB(d *libvirtxml.Domain) int64 {
	if d.Memory == nil {
		return 0
	}
	return mebibytes(uint64(d.Memory.Value), d.Memory.Unit)
}

// hardLimit is the limit of QEMU's process for a limit of a guest's memory.
func hardLimit(limitMiB, guestMiB int64, domainType string) uint64 {
	if limitMiB <= 0 {
		return unlimitedKiB
	}
	return uint64(limitMiB+overheadMiB(guestMiB, domainType)) << 10
}

// setMemoryTune writes limit and reservation. It comes after setMemory.
func setMemoryTune(d *libvirtxml.Domain, mem backends.Memory, m *mark) {
	if mem.LimitMiB != nil {
		kib := hardLimit(*mem.LimitMiB, guestMiB(d), d.Type)
		if d.MemoryTune == nil {
			d.MemoryTune = &libvirtxml.DomainMemoryTune{}
		}
		d.MemoryTune.HardLimit = nil
		if kib != unlimitedKiB {
			d.MemoryTune.HardLimit = &libvirtxml.DomainMemoryTuneLimit{Value: kib, Unit: "KiB"}
		}
		m.MemoryLimit = &limitMark{Asked: *mem.LimitMiB, Written: int64(kib)}
	}
	if mem.ReservationMiB == nil || (*mem.ReservationMiB > 0) == isReserved(d) {
		return
	}
	if d.MemoryBacking == nil {
		d.MemoryBacking = &libvirtxml.DomainMemoryBacking{}
	}
	d.MemoryBacking.MemoryLocked, d.MemoryBacking.MemoryAllocation = nil, nil
	if *mem.ReservationMiB > 0 {
		d.MemoryBacking.MemoryAllocation = &libvirtxml.DomainMemoryAllocation{Mode: "immediate"}
	}
}

// isReserved reports whether a VM gets all of its memory from the host when it starts.
func isReserved(d *libvirtxml.Domain) bool {
	b := d.MemoryBacking
	return b != nil && (b.MemoryLocked != nil || b.MemoryAllocation != nil && b.MemoryAllocation.Mode == "immediate")
}

// observeMemoryTune reads limit and reservation back. sizeMiB is the VM's memory.
func observeMemoryTune(d *libvirtxml.Domain, m *mark, sizeMiB int64) (limit, reservation *int64) {
	reservation = ptr(int64(0))
	if isReserved(d) {
		reservation = ptr(sizeMiB)
	}
	kib := unlimitedKiB
	if t := d.MemoryTune; t != nil && t.HardLimit != nil && t.HardLimit.Value > 0 {
		kib = uint64(mebibytes(t.HardLimit.Value, t.HardLimit.Unit)) << 10
	}
	if m != nil && m.MemoryLimit != nil && uint64(m.MemoryLimit.Written)>>10 == kib>>10 { //nolint:gosec // below 2^53
		return ptr(m.MemoryLimit.Asked), reservation
	}
	if kib >= unlimitedKiB>>10<<10 {
		return nil, reservation
	}
	return ptr(max(1, int64(kib>>10)-overheadMiB(guestMiB(d), d.Type))), reservation
}

func validateMemoryTune(spec *backends.VMSpec, h *hostFacts) error {
	m := spec.Memory
	size := memorySize(m)
	if limit := m.LimitMiB; limit != nil && *limit != 0 {
		most := size
		if !isTrue(m.HotAdd) {
			most = max(most, deref(m.MaxMiB)) // a guest that boots may touch what the balloon takes later
		}
		if *limit < most {
			return invalid("memory.limit_mib", "the limit (%d MiB) is less than the memory of the guest (%d MiB): the host's kernel would kill the VM", *limit, most).
				Advise("Give the VM less memory instead. What QEMU needs beside the guest's memory is added to the limit.")
		}
	}
	if r := m.ReservationMiB; r != nil && *r != 0 {
		if *r != size {
			return invalid("memory.reservation_mib", "%d MiB is a part of the VM's %d MiB: QEMU reserves all of a VM's memory or none", *r, size).
				Advise("Set it to memory.size_mib, or to 0.")
		}
		if h.memMiB > 0 && *r > h.memMiB {
			return backends.Errorf(backends.Exhausted, "", "", "%d MiB are more than the host %q has (%d MiB)", *r, h.hostname, h.memMiB).At("memory.reservation_mib")
		}
	}
	return nil
}

// limitMemory sets the limit of a running VM with that much memory, and of its definition.
func (e *edit) limitMemory(ctx context.Context, guestMiB int64) error {
	asked := deref(e.to.Memory.LimitMiB)
	kib := hardLimit(asked, guestMiB, e.d.xml.Type)
	err := e.again(ctx, func(l *rpc.Libvirt) error {
		return l.DomainSetMemoryParameters(e.dom, []rpc.TypedParam{ullong("hard_limit", kib)}, uint32(both))
	})
	if err != nil {
		return at(err, "memory.limit_mib")
	}
	e.d.mark.MemoryLimit = &limitMark{Asked: asked, Written: int64(kib)}
	return nil
}
