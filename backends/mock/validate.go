package mock

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// slots is how many disks a bus has room for.
var slots = map[string]int{"virtio": 26, "scsi": 26, "sata": 6, "ide": 4, "nvme": 16}

// refusal is a value that cannot be, by the attribute to blame.
func refusal(code backends.Code, path backends.Path, format string, args ...any) *backends.Error {
	return &backends.Error{Code: code, Path: path, Err: fmt.Errorf(format, args...)}
}

// validate checks a complete spec by itself, without what else there is.
func validate(s *backends.VMSpec) *backends.Error {
	invalid := func(path backends.Path, format string, args ...any) *backends.Error {
		return refusal(backends.Invalid, path, format, args...)
	}
	cpu, mem := s.CPU, s.Memory
	switch {
	case s.Name == "":
		return invalid("name", "a VM needs a name")
	case *cpu.Cores < 1 || *cpu.Sockets < 1 || *cpu.Threads < 1:
		return invalid("cpu", "cores, sockets and threads must each be at least 1")
	case *mem.SizeMiB < 16:
		return invalid("memory.size_mib", "%d MiB is less than the least, 16 MiB", *mem.SizeMiB)
	case value(mem.LimitMiB) > 0 && *mem.LimitMiB < *mem.SizeMiB:
		return invalid("memory.limit_mib", "the limit of %d MiB is below the memory of %d MiB", *mem.LimitMiB, *mem.SizeMiB)
	case value(mem.ReservationMiB) > *mem.SizeMiB:
		return invalid("memory.reservation_mib", "%d MiB cannot be reserved of %d MiB", *mem.ReservationMiB, *mem.SizeMiB)
	case value(cpu.LimitMHz) > 0 && *cpu.LimitMHz < value(cpu.ReservationMHz):
		return invalid("cpu.limit_mhz", "the limit of %d MHz is below the reservation of %d MHz", *cpu.LimitMHz, *cpu.ReservationMHz)
	case *s.Firmware != "bios" && *s.Firmware != "uefi":
		return invalid("firmware", `%q is neither "bios" nor "uefi"`, *s.Firmware)
	case !slices.Contains([]string{"", "reset", "poweroff", "pause", "none"}, value(s.Watchdog)):
		return invalid("watchdog", `%q is none of "reset", "poweroff", "pause", "none" and ""`, *s.Watchdog)
	case *s.SecureBoot && *s.Firmware != "uefi":
		return invalid("secure_boot", `secure boot needs firmware = "uefi"`)
	}
	if err := validateConsole(s.Console); err != nil {
		return err
	}
	used := map[string]int{}
	for _, key := range sortedKeys(s.Disks) {
		d, p := s.Disks[key], backends.Path("disks").Key(key)
		room, known := slots[*d.Bus]
		used[*d.Bus]++
		switch {
		case *d.SizeGiB < 1:
			return invalid(p.Attr("size_gib"), "%d GiB is less than the least, 1 GiB", *d.SizeGiB)
		case !known:
			return invalid(p.Attr("bus"), "%q is no bus; there are %s", *d.Bus, strings.Join(sortedKeys(slots), ", "))
		case used[*d.Bus] > room:
			return invalid(p.Attr("bus"), "the %s bus has only %d slots", *d.Bus, room)
		case value(d.IOPSLimit) < 0:
			return invalid(p.Attr("iops_limit"), "%d operations a second is less than 0, which is no limit", *d.IOPSLimit)
		case value(d.ThroughputMiB) < 0:
			return invalid(p.Attr("throughput_mib"), "%d MiB a second is less than 0, which is no limit", *d.ThroughputMiB)
		case !slices.Contains([]string{"thin", "thick", "eager_zeroed"}, *d.Provisioning):
			return invalid(p.Attr("provisioning"), `%q is none of "thin", "thick" and "eager_zeroed"`, *d.Provisioning)
		}
	}
	for _, err := range []*backends.Error{validateSlots(s.Disks), validateHostDevices(s.HostDevices), validateVSphere(s), validateProxmox(s)} {
		if err != nil {
			return err
		}
	}
	macs := map[string]string{}
	for _, key := range sortedKeys(s.Networks) {
		n, p := s.Networks[key], backends.Path("networks").Key(key)
		if err := validateNIC(p, n); err != nil {
			return err
		}
		mac := value(n.MAC)
		if other, taken := macs[mac]; taken && mac != "" {
			return refusal(backends.Conflict, p.Attr("mac"), "network %q of the same VM has MAC %s", other, mac)
		}
		macs[mac] = key
	}
	return nil
}

// validateMaxima refuses a maximum that lies below what the VM has. One that
// was not asked for follows.
func validateMaxima(asked, s *backends.VMSpec) *backends.Error {
	if limit := asked.CPU.MaxCores; limit != nil && *limit < *s.CPU.Cores {
		return refusal(backends.Invalid, "cpu.max_cores", "a maximum of %d is below the %d cores that the VM has", *limit, *s.CPU.Cores)
	}
	if limit := asked.Memory.MaxMiB; limit != nil && *limit < *s.Memory.SizeMiB {
		return refusal(backends.Invalid, "memory.max_mib", "a maximum of %d MiB is below the memory of %d MiB", *limit, *s.Memory.SizeMiB)
	}
	return nil
}

func validateNIC(p backends.Path, n backends.NIC) *backends.Error {
	if n.VLAN != nil && (*n.VLAN < 0 || *n.VLAN > 4094) {
		return refusal(backends.Invalid, p.Attr("vlan"), "VLAN %d is not between 1 and 4094, or 0 for none", *n.VLAN)
	}
	if n.MTU != nil && (*n.MTU < 68 || *n.MTU > 65535) {
		return refusal(backends.Invalid, p.Attr("mtu"), "MTU %d is not between 68 and 65535", *n.MTU)
	}
	if value(n.BandwidthMbps) < 0 {
		return refusal(backends.Invalid, p.Attr("bandwidth_mbps"), "%d is less than 0, which is no limit", *n.BandwidthMbps)
	}
	if n.MAC != nil {
		mac, err := net.ParseMAC(*n.MAC)
		if err != nil || len(mac) != 6 || mac[0]&1 != 0 {
			return refusal(backends.Invalid, p.Attr("mac"), "%q is not the MAC of one interface", *n.MAC)
		}
	}
	for attr, ip := range map[string]*backends.IPConfig{"ipv4": n.IPv4, "ipv6": n.IPv6} {
		if ip == nil {
			continue
		}
		for _, cidr := range append([]string{ip.Address}, ip.Extra...) {
			prefix, err := netip.ParsePrefix(cidr)
			if err != nil || prefix.Addr().Is4() != (attr == "ipv4") {
				return refusal(backends.Invalid, p.Attr(attr), "%q is not an %s address with prefix length", cidr, attr)
			}
		}
	}
	return nil
}
