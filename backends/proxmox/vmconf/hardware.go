package vmconf

import (
	"slices"
	"strconv"
	"strings"
)

// CPU is the key cpu: "host,flags=+aes;-pcid".
type CPU struct{ Props }

// CPU reads the processor.
func (c Config) CPU() CPU { return CPU{c.Props("cpu")} }

// Type is the model, "" where none is named, which is kvm64.
func (c CPU) Type() string { return c.Get("", "cputype") }

// WithType returns a copy with another model.
func (c CPU) WithType(model string) CPU { return CPU{c.Without("cputype").Put("", model)} }

// Flags are switched on or off beside the model's ("+aes"), sorted; never nil.
func (c CPU) Flags() []string {
	flags := strings.FieldsFunc(c.Get("flags"), func(r rune) bool { return r == ';' || r == ' ' })
	if flags == nil {
		flags = []string{}
	}
	slices.Sort(flags)
	return slices.Compact(flags)
}

// Text prints it. Proxmox VE takes no options without a model, so kvm64, its default, is named then.
func (c CPU) Text() string {
	if len(c.Props) > 0 && c.Type() == "" {
		c = c.WithType("kvm64")
	}
	return c.String()
}

// Agent is the key agent: "1", "enabled=1,fstrim_cloned_disks=1".
type Agent struct{ Props }

// Agent reads the agent's channel.
func (c Config) Agent() Agent { return Agent{c.Props("agent")} }

// Enabled reports whether the VM has the channel.
func (a Agent) Enabled() bool { return IsTrue(strings.TrimSpace(a.Get("", "enabled"))) }

// WithEnabled returns a copy that is on or off, with its other options.
func (a Agent) WithEnabled(on bool) Agent {
	if _, named := a.Lookup("enabled"); named {
		return Agent{a.With("enabled", Flag(on))}
	}
	return Agent{a.With("", Flag(on))}
}

// VGA is the key vga: "virtio,memory=64".
type VGA struct{ Props }

// VGA reads the graphics card.
func (c Config) VGA() VGA { return VGA{c.Props("vga")} }

// Type is the card's, "std" where none is named.
func (v VGA) Type() string {
	if t := v.Get("", "type"); t != "" {
		return t
	}
	return "std"
}

// Machine is the machine type, "" where none is named.
func (c Config) Machine() string { return c.Props("machine").Get("", "type") }

// IsQ35 reports whether the machine type is one of q35.
func (c Config) IsQ35() bool { return strings.Contains(c.Machine(), "q35") }

// Boot is the order of boot, by keys; ok is false where none is set, or one of the old form ("cdn").
func (c Config) Boot() (order []string, ok bool) {
	text, ok := c.Props("boot").Lookup("order")
	if !ok {
		return nil, strings.TrimSpace(c["boot"]) == "" && c["boot"] != ""
	}
	return ParseWords(text), true
}

// FormatBoot writes an order of boot.
func FormatBoot(order []string) string { return "order=" + strings.Join(order, ";") }

// UUID is the one that the guest sees in its firmware tables.
func (c Config) UUID() string { return strings.ToLower(c.Props("smbios1").Get("uuid")) }

// hotplugFeatures in the order of Proxmox VE's documentation; the first three are its default.
var hotplugFeatures = []string{"network", "disk", "usb", "cpu", "memory", "cloudinit"}

// Hotplug is what can change while the VM runs, sorted as Proxmox VE does; never nil.
func (c Config) Hotplug() []string {
	switch text := strings.TrimSpace(c["hotplug"]); text {
	case "", "1": // qemu-server, parse_hotplug_features
		return slices.Clone(hotplugFeatures[:3])
	case "0":
		return []string{}
	default:
		features := ParseWords(text)
		slices.SortStableFunc(features, func(a, b string) int {
			return slices.Index(hotplugFeatures, a) - slices.Index(hotplugFeatures, b)
		})
		return slices.Compact(features)
	}
}

// FormatHotplug writes the features.
func FormatHotplug(features []string) string {
	if len(features) == 0 {
		return "0"
	}
	return strings.Join(features, ",")
}

// MemoryMiB is the VM's memory. Without the key it is 512.
func (c Config) MemoryMiB() int64 {
	text := strings.TrimSpace(c.Props("memory").Get("", "current"))
	if n, err := strconv.ParseInt(text, 10, 64); err == nil && n > 0 {
		return n
	}
	return 512
}

// Watchdog is the key watchdog: "i6300esb,action=reset".
type Watchdog struct{ Props }

// Watchdog reads the watchdog's card.
func (c Config) Watchdog() Watchdog { return Watchdog{c.Props("watchdog")} }

// Action is what it does when the guest hangs. Proxmox VE leaves it to QEMU where none is named, which resets.
func (w Watchdog) Action() string {
	if a := w.Get("action"); a != "" {
		return a
	}
	return "reset"
}

// HostDevice is a hostpciN or usbN: "mapping=gpu,pcie=1", "0000:65:00.0", "host=1234:5678".
type HostDevice struct{ Props }

// HostDevice reads the device at a key.
func (c Config) HostDevice(key string) HostDevice { return HostDevice{c.Props(key)} }

// Mapping is the name of the cluster's mapping, "" where the device is named by itself.
func (d HostDevice) Mapping() string { return d.Get("mapping") }

// Host is the device by the node's own name.
func (d HostDevice) Host() string { return d.Get("", "host") }
