package pvesim

import (
	"strconv"
	"strings"
)

// guestOS is what guests say of their system.
func guestOS() any {
	return map[string]any{
		"id": "debian", "name": "Debian GNU/Linux", "pretty-name": "Debian GNU/Linux 12 (bookworm)",
		"version": "12 (bookworm)", "version-id": "12", "machine": "x86_64",
		"kernel-release": "6.1.0-56-cloud-amd64", "kernel-version": "#1 SMP PREEMPT_DYNAMIC Debian 6.1.192-2 (2026-11-16)",
	}
}

// guestAbout is what the agent says of itself.
func guestAbout() any {
	var commands []map[string]any
	for name := range agentCommands {
		commands = append(commands, map[string]any{"name": "guest-" + name, "enabled": true, "success-response": name != "shutdown" && !strings.HasPrefix(name, "suspend-")})
	}
	return map[string]any{"version": "7.2.22", "supported_commands": commands}
}

// guestFileSystems are those of a guest: the root on its first disk, half of it used.
func (r *request) guestFileSystems(m *machine) any {
	for _, d := range guestDrives(m) {
		if d.cdrom {
			continue
		}
		size := int64(1 << 30)
		if v := r.volume(m.node.name, d.volid); v != nil && v.size > 0 {
			size = v.size
		}
		bus := strings.TrimRight(d.key, "0123456789")
		unit, _ := strconv.Atoi(d.key[len(bus):])
		return []any{map[string]any{
			"name": "sda2", "type": "ext4", "mountpoint": "/", "total-bytes": size / 8 * 7, "used-bytes": size / 2,
			"disk": []any{map[string]any{
				"bus": 0, "bus-type": bus, "target": 0, "unit": unit, "dev": "/dev/sda2", "serial": "0QEMU_QEMU_HARDDISK_drive-" + d.key,
				"pci-controller": map[string]any{"domain": 0, "bus": 1, "slot": 1, "function": 0},
			}},
		}}
	}
	return []any{}
}

// amount is a whole number of a configuration, or otherwise.
func (m *machine) amount(key string, otherwise int) int {
	value := strings.TrimPrefix(m.config[key], "current=")
	value, _, _ = strings.Cut(value, ",")
	if n, err := strconv.Atoi(value); err == nil {
		return n
	}
	return otherwise
}

func guestProcessors(m *machine) any {
	count := m.amount("sockets", 1) * m.amount("cores", 1)
	if n := m.amount("vcpus", count); n < count {
		count = n
	}
	list := make([]any, count)
	for i := range list {
		list[i] = map[string]any{"logical-id": i, "online": true, "can-offline": i > 0}
	}
	return list
}

// guestMemoryBlock is the size of the pieces in which a guest can give memory back, in bytes.
const guestMemoryBlock = 128 << 20

func guestMemory(m *machine) any {
	list := make([]any, max(1, m.amount("memory", 512)<<20/guestMemoryBlock))
	for i := range list {
		list[i] = map[string]any{"phys-index": i, "online": true, "can-offline": true}
	}
	return list
}

// guestInterfaces are the guest's interfaces as its agent tells them, the loopback first.
func (r *request) guestInterfaces(m *machine) any {
	type address = map[string]any
	statistics := func(bytes, packets int) any {
		return map[string]any{
			"rx-bytes": bytes * 2, "rx-packets": packets, "rx-errs": 0, "rx-dropped": 0,
			"tx-bytes": bytes, "tx-packets": packets, "tx-errs": 0, "tx-dropped": 0,
		}
	}
	list := []any{map[string]any{
		"name": "lo", "hardware-address": "00:00:00:00:00:00", "statistics": statistics(0, 0),
		"ip-addresses": []any{
			address{"ip-address": "127.0.0.1", "prefix": 8, "ip-address-type": "ipv4"},
			address{"ip-address": "::1", "prefix": 128, "ip-address-type": "ipv6"},
		},
	}}
	for _, n := range r.guestNICs(m) {
		one := map[string]any{"name": n.name, "hardware-address": n.mac}
		if !n.idle {
			one["statistics"] = statistics(512, 8)
		}
		var addresses []any
		for _, p := range n.addresses {
			kind := "ipv6"
			if p.Addr().Is4() {
				kind = "ipv4"
			}
			addresses = append(addresses, address{"ip-address": p.Addr().String(), "prefix": p.Bits(), "ip-address-type": kind})
		}
		if addresses != nil { // the agent leaves the list out where there is none
			one["ip-addresses"] = addresses
		}
		list = append(list, one)
	}
	return list
}
