package libvirt

import (
	"context"
	"fmt"
	"slices"
	"time"

	rpc "github.com/digitalocean/go-libvirt"
	"libvirt.org/go/libvirtxml"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/catalogues"
)

const (
	// dimmSlots is how many DIMMs can be plugged until the next start, which merges
	// them into the memory that the VM begins with.
	dimmSlots = 16

	// growthFactor gives the maximum of a VM with memory.hot_add that names none.
	growthFactor = 4
)

// memorySize is a VM's memory, in MiB.
func memorySize(m backends.Memory) int64 {
	if size := deref(m.SizeMiB); size > 0 {
		return size
	}
	return defaultMemoryMiB
}

// memoryMost is what a VM's memory can grow to while it runs.
func memoryMost(m backends.Memory) int64 {
	size := memorySize(m)
	if m.MaxMiB == nil && isTrue(m.HotAdd) {
		return growthFactor * size
	}
	return max(size, deref(m.MaxMiB))
}

// setMemory writes size and maximum. Without memory.hot_add the guest begins with the maximum, of which
// the balloon takes what is more than the size; with it, it begins with the size, and DIMMs are plugged.
// It comes after setCPU: memory that can grow belongs to a NUMA cell, and so do all processors.
func setMemory(d *libvirtxml.Domain, m backends.Memory) {
	size, most := memorySize(m), memoryMost(m)
	if d.Devices == nil {
		d.Devices = &libvirtxml.DomainDeviceList{}
	}
	begins := most
	if isTrue(m.HotAdd) {
		begins = size
		d.MaximumMemory = &libvirtxml.DomainMaxMemory{Value: uint(most), Unit: "MiB", Slots: dimmSlots}
	} else {
		d.MaximumMemory = nil
	}
	dropDIMMs(d)
	setCell(d, begins)
	d.Memory = &libvirtxml.DomainMemory{Value: uint(begins), Unit: "MiB"}
	d.CurrentMemory = &libvirtxml.DomainCurrentMemory{Value: uint(size), Unit: "MiB"}
	want := "virtio"
	if m.Ballooning != nil && !*m.Ballooning {
		want = "none"
	}
	if d.Devices.MemBalloon == nil || m.Ballooning != nil && (d.Devices.MemBalloon.Model == "none") != (want == "none") {
		d.Devices.MemBalloon = &libvirtxml.DomainMemBalloon{Model: want}
	}
}

// setCell gives the NUMA cell of a domain the memory, where it has one or needs one. Several are
// somebody else's work.
func setCell(d *libvirtxml.Domain, mib int64) {
	numa := d.MaximumMemory != nil
	if d.CPU == nil {
		d.CPU = &libvirtxml.DomainCPU{}
	}
	switch {
	case d.CPU.Numa != nil && len(d.CPU.Numa.Cell) > 0:
		numa = len(d.CPU.Numa.Cell) == 1
	case numa:
		d.CPU.Numa = &libvirtxml.DomainNuma{Cell: []libvirtxml.DomainCell{{ID: ptr(uint(0))}}}
	}
	if !numa {
		return
	}
	cell := &d.CPU.Numa.Cell[0]
	cell.Memory, cell.Unit = uint(mib), "MiB"
	setCellCPUs(d)
}

// setCellCPUs puts all processors into the one NUMA cell of a domain.
func setCellCPUs(d *libvirtxml.Domain) {
	if d.CPU == nil || d.CPU.Numa == nil || len(d.CPU.Numa.Cell) != 1 || d.VCPU == nil {
		return
	}
	d.CPU.Numa.Cell[0].CPUs = fmt.Sprintf("0-%d", max(1, d.VCPU.Value)-1)
}

// hasCells reports whether somebody laid a domain's memory out by hand.
func hasCells(d *libvirtxml.Domain) bool {
	return d.CPU != nil && d.CPU.Numa != nil && len(d.CPU.Numa.Cell) > 1
}

func isDIMM(m libvirtxml.DomainMemorydev) bool { return m.Model == "dimm" }

func dropDIMMs(d *libvirtxml.Domain) {
	d.Devices.Memorydevs = slices.DeleteFunc(d.Devices.Memorydevs, isDIMM)
}

// mergeDIMMs makes the DIMMs of a stopped VM a part of the memory that it begins with, so that all
// slots are free again, and reports whether there were any.
func mergeDIMMs(d *libvirtxml.Domain) bool {
	if hasCells(d) || !slices.ContainsFunc(d.Devices.Memorydevs, isDIMM) {
		return false
	}
	dropDIMMs(d)
	setCell(d, guestMiB(d))
	return true
}

func observeMemory(d *libvirtxml.Domain, m *mark) backends.Memory {
	total := guestMiB(d)
	size := total
	if d.CurrentMemory != nil && d.CurrentMemory.Value > 0 {
		size = mebibytes(uint64(d.CurrentMemory.Value), d.CurrentMemory.Unit)
	}
	most := total
	if d.MaximumMemory != nil {
		most = max(total, mebibytes(uint64(d.MaximumMemory.Value), d.MaximumMemory.Unit))
	}
	mem := backends.Memory{SizeMiB: ptr(size)}
	if most > size || m != nil && most > 0 && m.MaxMiB == most {
		mem.MaxMiB = ptr(most)
	}
	if m != nil {
		mem.HotAdd = m.MemoryHotAdd
	}
	if mem.HotAdd == nil && d.MaximumMemory != nil {
		mem.HotAdd = ptr(true)
	}
	balloon := d.Devices == nil || d.Devices.MemBalloon == nil || d.Devices.MemBalloon.Model != "none"
	mem.Ballooning = ptr(balloon)
	mem.LimitMiB, mem.ReservationMiB = observeMemoryTune(d, m, size)
	return mem
}

// growMemory gives a running VM the memory that is asked for: through the balloon as far as that has
// taken it, beyond that as a DIMM.
func (e *edit) growMemory(ctx context.Context) error {
	const path = backends.Path("memory.size_mib")
	want, total := deref(e.to.Memory.SizeMiB), guestMiB(e.d.xml)
	// The limit first: memory that is there without being allowed would end the VM.
	if deref(e.to.Memory.LimitMiB) > 0 && want > total {
		if err := e.limitMemory(ctx, want); err != nil {
			return err
		}
	}
	if want <= total {
		return e.balloon(ctx, want)
	}
	if e.d.xml.MaximumMemory == nil {
		return backends.Errorf(backends.Precondition, "", "", "the VM was started with at most %d MiB", total).At(path).
			Advise("Stop the VM first.")
	}
	if (want-total)%catalogues.DIMMMiB != 0 {
		return invalid(path, "%d MiB more do not fit into DIMMs of %d MiB", want-total, catalogues.DIMMMiB)
	}
	before := e.memoryBlocks(ctx)
	dimm := libvirtxml.DomainMemorydev{Model: "dimm", Target: &libvirtxml.DomainMemorydevTarget{
		Size: &libvirtxml.DomainMemorydevTargetSize{Value: uint(want - total), Unit: "MiB"},
		Node: &libvirtxml.DomainMemorydevTargetNode{Value: 0},
	}}
	if err := e.plug(ctx, &dimm); err != nil {
		return at(err, path)
	}
	if len(before) > 0 {
		e.useMemory(ctx, len(before))
	}
	return e.refresh(ctx)
}

// memoryBlock is a piece of memory as the guest's agent lists it.
type memoryBlock struct {
	Index  int64 `json:"phys-index"`
	Online bool  `json:"online"`
}

// onlineLimit bounds the wait for a guest to see new memory and to take it into use.
const onlineLimit = 5 * time.Second

// memoryBlocks asks the guest's agent, where there is one, for the memory that it sees.
func (e *edit) memoryBlocks(ctx context.Context) []memoryBlock {
	ctx, cancel := context.WithTimeout(ctx, agentGlance)
	defer cancel()
	var blocks []memoryBlock
	if err := e.agent(ctx, e.dom, "guest-get-memory-blocks", nil, &blocks); err != nil {
		return nil
	}
	return blocks
}

// useMemory has the guest take new memory into use, where its own rules leave that to
// others. A guest that does not hear has the memory all the same.
func (e *edit) useMemory(ctx context.Context, before int) {
	ctx, cancel := context.WithTimeout(ctx, onlineLimit)
	defer cancel()
	_ = poll(ctx, func() (bool, error) {
		blocks := e.memoryBlocks(ctx)
		if len(blocks) <= before {
			return false, nil
		}
		var idle []memoryBlock
		for _, b := range blocks {
			if !b.Online {
				idle = append(idle, memoryBlock{Index: b.Index, Online: true})
			}
		}
		if len(idle) > 0 {
			var results []any
			return true, e.agent(ctx, e.dom, "guest-set-memory-blocks", map[string]any{"mem-blks": idle}, &results)
		}
		return true, nil
	})
}

// admitMemory refuses to change the memory of a VM that was laid out by hand.
func (e *edit) admitMemory(changes []backends.Change) error {
	for _, c := range changes {
		switch c.Path {
		case "memory.size_mib", "memory.max_mib", "memory.hot_add":
			if hasCells(e.d.xml) {
				return backends.Errorf(backends.Unsupported, "", "", "the VM's memory is divided into several NUMA cells, which was done by hand").At(c.Path).
					Advise("Change it with virsh edit.")
			}
		}
	}
	return nil
}

// balloon sets the memory below the maximum.
func (e *edit) balloon(ctx context.Context, mebibytes int64) error {
	err := e.again(ctx, func(l *rpc.Libvirt) error {
		return l.DomainSetMemoryFlags(e.dom, uint64(mebibytes)<<10, uint32(both))
	})
	return at(err, "memory.size_mib")
}
