package proxmox

import (
	"maps"
	"regexp"
	"slices"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/proxmox/vmconf"
)

// How many devices of the host a VM can have (qemu-server).
const (
	maxHostPCI = 16
	maxHostUSB = 14
)

var (
	pciForm = regexp.MustCompile(`^([a-f0-9]{4,}:)?[a-f0-9]{2}:[a-f0-9]{2}(\.[a-f0-9])?$`)
	usbForm = regexp.MustCompile(`^(0x)?[0-9A-Fa-f]{4}:(0x)?[0-9A-Fa-f]{4}$`)
)

// hostDevices hands devices of the node to the guest.
func (e *edit) hostDevices() error {
	if e.asked.HostDevices == nil {
		return nil
	}
	base := backends.Path("host_devices")
	have, slots := map[string]backends.HostDevice{}, map[string]string{}
	if e.Have != nil {
		have, slots = e.Have.observeHostDevices(), e.Have.hostDeviceSlots()
	}
	for _, key := range slices.Sorted(maps.Keys(have)) {
		if now, stays := e.asked.HostDevices[key]; !stays || now != have[key] {
			e.set(slots[key], "", base.Key(key))
			delete(slots, key)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(e.asked.HostDevices)) {
		if _, there := slots[key]; there {
			continue
		}
		path := base.Key(key)
		kind, text, err := e.hostDevice(e.asked.HostDevices[key], path)
		if err != nil {
			return err
		}
		most := maxHostPCI
		if kind == "usb" {
			most = maxHostUSB
		}
		slot := e.next.FreeNumber(kind, most)
		if slot == "" {
			return invalid(path, "a VM has at most %d such devices of its host", most)
		}
		slots[key] = slot
		e.set(slot, text, path)
	}
	e.mark.HostDevices = slots
	return nil
}

// hostDevice is the kind of slot that a device takes, and what is written there.
func (e *edit) hostDevice(d backends.HostDevice, path backends.Path) (kind, text string, err error) {
	var p vmconf.Props
	switch {
	case d.Mapping != "":
		kind, p = "hostpci", vmconf.Props{{Key: "mapping", Value: d.Mapping}}
		if e.World.Mappings == nil {
			break
		}
		switch e.World.Mappings[d.Mapping] {
		case "usb":
			kind = "usb"
		case "":
			return "", "", backends.Errorf(backends.NotFound, "", "", "the cluster has no mapping %q of PCI or USB devices", d.Mapping).At(path)
		}
	case d.PCI != "":
		if !pciForm.MatchString(d.PCI) {
			return "", "", invalid(path.Attr("pci"), `%q is no PCI address such as "0000:65:00.0"`, d.PCI)
		}
		kind, p = "hostpci", vmconf.Props{{Value: d.PCI}}
	case d.USB != "":
		if !usbForm.MatchString(d.USB) {
			return "", "", invalid(path.Attr("usb"), `%q is no USB device such as "1d6b:0002"`, d.USB)
		}
		kind, p = "usb", vmconf.Props{{Key: "host", Value: d.USB}}
	default:
		return "", "", invalid(path, "a device of the host is named by mapping, pci or usb")
	}
	if kind == "hostpci" && e.next.IsQ35() {
		p = p.With("pcie", "1")
	}
	return kind, p.String(), nil
}

// hostDeviceSlots are the slots of the host's devices, by key: the mark's, else the slot's own name.
func (h *hardware) hostDeviceSlots() map[string]string {
	slots, taken := map[string]string{}, map[string]bool{}
	all := append(h.Config.Numbered("hostpci"), h.Config.Numbered("usb")...)
	all = slices.DeleteFunc(all, func(slot string) bool { return h.hostDevice(slot) == backends.HostDevice{} })
	for key, slot := range h.marked().HostDevices {
		if slices.Contains(all, slot) {
			slots[key], taken[slot] = slot, true
		}
	}
	for _, slot := range all {
		if !taken[slot] {
			slots[free(slots, slot)] = slot
		}
	}
	return slots
}

// free is a key that a map does not have: name, or one that begins with it.
func free[V any](m map[string]V, name string) string {
	for {
		if _, taken := m[name]; !taken {
			return name
		}
		name += "_"
	}
}

func (h *hardware) hostDevice(slot string) backends.HostDevice {
	d := h.Config.HostDevice(slot)
	_, usb := vmconf.ParseSlot(slot, "usb")
	switch {
	case d.Mapping() != "":
		return backends.HostDevice{Mapping: d.Mapping()}
	case usb && d.Host() == "spice": // no device of the host
		return backends.HostDevice{}
	case usb:
		return backends.HostDevice{USB: d.Host()}
	}
	return backends.HostDevice{PCI: d.Host()}
}

func (h *hardware) observeHostDevices() map[string]backends.HostDevice {
	devices := map[string]backends.HostDevice{}
	for key, slot := range h.hostDeviceSlots() {
		devices[key] = h.hostDevice(slot)
	}
	return devices
}
