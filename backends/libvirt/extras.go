package libvirt

import (
	"slices"

	"libvirt.org/go/libvirtxml"
)

// watchdogModel is a PCI card that every x86 machine type can have and every system knows.
const watchdogModel = "i6300esb"

// isChipsetWatchdog reports whether a watchdog is a part of the machine q35, which newer libvirts
// always list: nobody can add or remove it.
func isChipsetWatchdog(w libvirtxml.DomainWatchdog) bool { return w.Model == "itco" }

// setWatchdog gives a domain a watchdog, changes what its bark does, or removes it for "".
func setWatchdog(d *libvirtxml.Domain, action *string) {
	if action == nil {
		return
	}
	dev := d.Devices
	if *action == "" {
		dev.Watchdogs = slices.DeleteFunc(dev.Watchdogs, func(w libvirtxml.DomainWatchdog) bool { return !isChipsetWatchdog(w) })
		return
	}
	if !slices.ContainsFunc(dev.Watchdogs, func(w libvirtxml.DomainWatchdog) bool { return !isChipsetWatchdog(w) }) {
		dev.Watchdogs = append(dev.Watchdogs, libvirtxml.DomainWatchdog{Model: watchdogModel})
	}
	for i := range dev.Watchdogs {
		dev.Watchdogs[i].Action = *action // QEMU has one for all
	}
}

// observeWatchdog is "" where there is none that can be removed.
func observeWatchdog(d *libvirtxml.Domain) *string {
	for _, w := range d.Devices.Watchdogs {
		if isChipsetWatchdog(w) {
			continue
		}
		if w.Action == "" {
			return ptr("reset") // libvirt's default
		}
		return ptr(w.Action)
	}
	return ptr("")
}

// setRNG gives a domain a source of random numbers, or takes it away.
func setRNG(d *libvirtxml.Domain, want bool) {
	if want == (len(d.Devices.RNGs) > 0) {
		return
	}
	d.Devices.RNGs = nil
	if want {
		d.Devices.RNGs = []libvirtxml.DomainRNG{{
			Model:   "virtio",
			Backend: &libvirtxml.DomainRNGBackend{Random: &libvirtxml.DomainRNGBackendRandom{Device: "/dev/urandom"}},
		}}
	}
}
