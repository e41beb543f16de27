package proxmox

import (
	"slices"
	"strconv"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/proxmox/vmconf"
)

// memory sets memory and the balloon, which takes a guest's memory back down to the reservation.
func (e *edit) memory() error {
	have, want := e.from.Memory, e.to.Memory
	hot := e.asked.Memory.HotAdd
	if grows := e.asked.Memory.MaxMiB != nil || e.asked.Memory.SizeMiB != nil; grows && value(want.MaxMiB) > e.sizeMiB() {
		if hot != nil && !*hot {
			return invalid("memory.max_mib", "memory up to memory.max_mib is added while the VM runs, which memory.hot_add = false forbids")
		}
		hot = new(true)
	}
	if changed(have.HotAdd, hot) {
		e.hotplug("memory", hot, "memory.hot_add")
	}
	if err := e.checkMemory(); err != nil {
		return err
	}
	if e.asked.Memory.MaxMiB != nil || want.MaxMiB == nil {
		e.mark.MaxMiB = value(want.MaxMiB)
	}
	if changed(have.SizeMiB, want.SizeMiB) {
		e.set("memory", strconv.FormatInt(*want.SizeMiB, 10), "memory.size_mib")
	}
	e.balloon(have, want)
	if changed(have.Shares, want.Shares) {
		e.set("shares", positive(*want.Shares), "memory.shares")
	}
	return nil
}

// sizeMiB is the memory that the VM gets.
func (e *edit) sizeMiB() int64 {
	if size := e.to.Memory.SizeMiB; size != nil {
		return *size
	}
	return e.cfg.MemoryMiB()
}

// balloon writes the key balloon: 0 is no device, no key one that takes nothing back, a number
// what it leaves the guest.
func (e *edit) balloon(have, want backends.Memory) {
	if !changed(have.Ballooning, want.Ballooning) && !changed(have.ReservationMiB, want.ReservationMiB) {
		return
	}
	reserve := value(want.ReservationMiB)
	e.mark.ReservationMiB = 0
	switch {
	case want.Ballooning != nil && !*want.Ballooning:
		e.mark.ReservationMiB = reserve
		e.set("balloon", "0", "memory.ballooning")
	case reserve > 0:
		e.set("balloon", strconv.FormatInt(reserve, 10), "memory.reservation_mib")
	default:
		e.set("balloon", "", "memory.ballooning")
	}
}

const (
	minMiB          = 16
	maxMemoryShares = 50000
	// Of a VM whose memory can grow while it runs, the first GiB is fixed and the rest is modules: 32 of
	// 512 MiB, then 32 of twice that, and on (qemu-server, Memory.pm).
	staticMiB, moduleMiB, modulesOfSize = 1024, 512, 32
)

func (e *edit) checkMemory() error {
	have, want := e.from.Memory, e.to.Memory
	size := e.sizeMiB()
	switch {
	case want.SizeMiB != nil && size < minMiB:
		return invalid("memory.size_mib", "%d MiB is less than the %d MiB that a VM needs", size, minMiB)
	case changed(have.MaxMiB, want.MaxMiB) && *want.MaxMiB < size:
		return invalid("memory.max_mib", "a maximum of %d MiB is below the memory of %d MiB", *want.MaxMiB, size)
	case value(want.ReservationMiB) > size:
		return invalid("memory.reservation_mib", "%d MiB cannot be reserved of %d MiB", *want.ReservationMiB, size)
	case value(want.ReservationMiB) < 0:
		return invalid("memory.reservation_mib", "%d is less than 0, which is none", *want.ReservationMiB)
	case changed(have.Shares, want.Shares) && (*want.Shares < 0 || *want.Shares > maxMemoryShares):
		return invalid("memory.shares", "%d is no weight that Proxmox VE takes: 1 to %d, or 0 for its own", *want.Shares, maxMemoryShares)
	}
	hot := slices.Contains(e.next.Hotplug(), "memory")
	if hot && (changed(have.SizeMiB, want.SizeMiB) || !slices.Contains(e.cfg.Hotplug(), "memory")) {
		if least := moduled(size); least != size {
			return invalid("memory.size_mib", "memory that can grow while the VM runs is made of modules of %d MiB above %d MiB: %d MiB is none of these sizes, %d is the next", moduleMiB, staticMiB, size, least)
		}
	}
	e.numa(hot)
	return nil
}

// moduled is the least size that modules make up, at or above size.
func moduled(size int64) int64 {
	total, module := int64(staticMiB), int64(moduleMiB)
	for total < size && module > 0 {
		for range modulesOfSize {
			if total >= size {
				break
			}
			total += module
		}
		module *= 2
	}
	return total
}

// numa is on where memory modules or huge pages need it.
func (e *edit) numa(modules bool) {
	if (modules || e.next["hugepages"] != "") && !e.next.Bool("numa", false) {
		e.set("numa", "1", "memory.hot_add")
	}
}

// hotplug switches a feature of hot-plugging.
func (e *edit) hotplug(feature string, on *bool, path backends.Path) {
	have := e.next.Hotplug()
	if on == nil || *on == slices.Contains(have, feature) {
		return
	}
	if *on {
		have = append(have, feature)
	} else {
		have = slices.DeleteFunc(have, func(f string) bool { return f == feature })
	}
	text := vmconf.FormatHotplug(have)
	if len(have) > 0 { // in Proxmox VE's order
		text = vmconf.FormatHotplug(vmconf.Config{"hotplug": text}.Hotplug())
	}
	e.set("hotplug", text, path)
}

func (h *hardware) observeMemory(s *backends.VMSpec) {
	c, m := h.Config, h.marked()
	s.Memory = backends.Memory{
		SizeMiB: new(c.MemoryMiB()), HotAdd: new(slices.Contains(c.Hotplug(), "memory")),
		Ballooning: new(true), ReservationMiB: new(int64(0)), Shares: new(c.IntOr("shares", 0)),
	}
	if n, ok := c.Int("balloon"); ok {
		s.Memory.Ballooning = new(n != 0)
		s.Memory.ReservationMiB = new(n)
		if n == 0 {
			s.Memory.ReservationMiB = new(m.ReservationMiB)
		}
	}
	if m.MaxMiB > 0 {
		s.Memory.MaxMiB = new(m.MaxMiB)
	}
}
