package pvesim

import (
	"strconv"
	"strings"
)

// The memory of a VM that can grow while the VM runs is staticMemory MiB and, above that, modules: 32 of 512 MiB,
// then 32 of twice that, and on (qemu-server, Memory.pm).
const staticMemory, smallestModule, modulesOfSize = 1024, 512, 32

// modules are the sizes of a VM's memory that modules make up, each with the size of the last module, until one is at
// least size; the first is that of no module.
func modules(size int) (sizes, last []int) {
	sizes, last = []int{staticMemory}, []int{0}
	module := smallestModule
	for n := 0; sizes[n] < size; n++ {
		if n > 0 && n%modulesOfSize == 0 {
			module *= 2
		}
		sizes, last = append(sizes, sizes[n]+module), append(last, module)
	}
	return sizes, last
}

// maxMemory is the most that a VM can have in MiB, which its processor's addresses bound.
func (s section) maxMemory() int {
	switch property(s["cpu"], "cputype", "cputype") {
	case "host", "max":
		return 4 << 20
	}
	return 1 << 19
}

// checkModules is what keeps a VM from starting whose memory is to be made of modules.
func (s section) checkModules() error {
	if !s.hotplugFeatures()["memory"] {
		return nil
	}
	size := s.memory()
	switch {
	case s["numa"] != "1":
		return die("NUMA needs to be enabled for memory hotplug")
	case size > s.maxMemory():
		return die("Total memory is bigger than %dMB", s.maxMemory())
	}
	for key := range s {
		if hasNumber(key, "numa") {
			return die("cannot enable memory hotplugging with custom NUMA topology")
		}
	}
	if size < staticMemory {
		return die("minimum memory must be %dMB", staticMemory)
	}
	for key := range s {
		if hasNumber(key, "virtiofs") {
			return die("Memory hotplug does not work in combination with virtio-fs.")
		}
	}
	if sizes, last := modules(size); sizes[len(sizes)-1] != size {
		return die("memory size (%d) must be aligned to %d for hotplugging", size, last[len(last)-1])
	}
	return nil
}

// plugMemory adds memory modules, or takes some away, which takes a guest that lets go of them. The VM has then what the
// modules make up: not less than it is to have when it grows, and not more when it shrinks.
func (u *update) plugMemory(value string, features map[string]bool) error {
	if !features["memory"] {
		return later
	}
	want, now := section{"memory": value}.memory(), u.m.config.memory()
	switch {
	case want == now:
		return nil
	case want < staticMemory:
		return die("memory can't be lower than %d MB at /usr/share/perl5/PVE/QemuServer/Memory.pm line 236.", staticMemory)
	case want > u.m.config.maxMemory():
		return die("you cannot add more memory than max mem %d MB!", u.m.config.maxMemory())
	case want < now && u.m.inGuest == nil:
		sizes, _ := modules(now)
		return unplugFailed("dimm"+strconv.Itoa(len(sizes)-2), "error unplug memory module")
	}
	sizes, _ := modules(want)
	got := sizes[len(sizes)-1]
	if want < now && got != want {
		got = sizes[len(sizes)-2]
	}
	if u.m.pending.set("memory") {
		prefix := ""
		if strings.HasPrefix(value, "current=") {
			prefix = "current="
		}
		u.m.pending["memory"] = prefix + strconv.Itoa(got)
	}
	return nil
}

// unplugFailed is what Proxmox VE says of a part of the hardware that a guest does not let go of.
func unplugFailed(part, why string) error {
	return wrongParam(part, "%s", why)
}
