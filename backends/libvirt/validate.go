package libvirt

import (
	"fmt"
	"net"
	"slices"
	"strings"
	"unicode"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/cloudinit"
)

// refuse holds changes against the narrowed catalogue and returns the first that
// the host cannot do. Nothing that was asked for is ignored.
func refuse(cat backends.Catalogue, from, to *backends.VMSpec, changes []backends.Change) error {
	for _, c := range changes {
		for _, f := range backends.Check(cat, from, to, []backends.Change{c}, backends.CheckOptions{}) {
			if f.Severity != backends.SeverityError {
				continue
			}
			e := &backends.Error{Code: backends.Invalid, Path: f.Path, Err: fmt.Errorf("%s: %s", f.Summary, f.Detail)}
			if f.Feature != "" {
				e.Code = backends.Unsupported
			}
			return e
		}
	}
	return nil
}

// validate refuses what the catalogue has no word for: values that contradict each
// other or the host. It is pure.
func validate(spec *backends.VMSpec, h *hostFacts) error {
	if err := validateMachine(spec, h); err != nil {
		return err
	}
	for _, check := range validators {
		if err := check(spec, h); err != nil {
			return err
		}
	}
	return nil
}

// validators are the checks that changes of a VM have to pass as well.
var validators = []func(*backends.VMSpec, *hostFacts) error{
	validateName, validateCPU, validateCPUTune, validateMemory, validateMemoryTune, validateFirmware, validateDisks, validateNICs,
	validateConsole, validateGuest,
}

func invalid(path backends.Path, format string, args ...any) *backends.Error {
	return backends.Errorf(backends.Invalid, "", "", format, args...).At(path)
}

func validateName(spec *backends.VMSpec, _ *hostFacts) error {
	if spec.Name == "" {
		return invalid("name", "a VM needs a name")
	}
	if strings.ContainsRune(spec.Name, '/') || strings.TrimSpace(spec.Name) != spec.Name || strings.ContainsFunc(spec.Name, unicode.IsControl) {
		return invalid("name", "%q is no name for a libvirt VM: it must not contain slashes or control characters, nor begin or end with a space", spec.Name)
	}
	if spec.Description != nil && !isXMLText(*spec.Description) {
		return invalid("description", "it contains control characters, which libvirt cannot keep")
	}
	for _, tag := range spec.Tags {
		if tag == "" || !isXMLText(tag) {
			return invalid("tags", "%q is no tag", tag)
		}
	}
	return nil
}

// isXMLText reports whether XML can carry s.
func isXMLText(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool {
		return r < ' ' && r != '\t' && r != '\n' && r != '\r' || r == 0xFFFE || r == 0xFFFF || r == unicode.ReplacementChar
	})
}

func validateCPU(spec *backends.VMSpec, h *hostFacts) error {
	c := spec.CPU
	for _, f := range []struct {
		path  backends.Path
		value *int64
	}{{"cpu.cores", c.Cores}, {"cpu.sockets", c.Sockets}, {"cpu.threads", c.Threads}, {"cpu.max_cores", c.MaxCores}} {
		if f.value != nil && (*f.value < 1 || *f.value > 4096) {
			return invalid(f.path, "%d is not a number of processors", *f.value)
		}
	}
	if c.MaxCores != nil && *c.MaxCores < deref(c.Cores) {
		return invalid("cpu.max_cores", "the maximum (%d) is less than cpu.cores (%d)", *c.MaxCores, *c.Cores)
	}
	if c.Affinity != nil {
		if _, ok := parseCPUSet(*c.Affinity); !ok {
			return invalid("cpu.affinity", "%q is not a list of processors such as 0-3,8", *c.Affinity)
		}
	}
	if o := spec.Libvirt; c.Model != nil && h.domainType(o) == h.domainType(nil) { // the host was asked about this type
		modes := []string{"host-passthrough", "host-model", "maximum"}
		known := slices.Contains(modes, *c.Model) && slices.Contains(h.cpuModes, *c.Model) || slices.Contains(h.cpuModels, *c.Model)
		if !known && len(h.cpuModes) > 0 {
			usable := slices.Concat(slices.DeleteFunc(modes, func(m string) bool { return !slices.Contains(h.cpuModes, m) }), h.cpuModels)
			return invalid("cpu.model", "the host cannot run the processor model %q in VMs of type %q", *c.Model, h.domainType(o)).
				Advise("It can: %s.", strings.Join(usable, ", "))
		}
	}
	return nil
}

func validateMemory(spec *backends.VMSpec, _ *hostFacts) error {
	m := spec.Memory
	if m.SizeMiB != nil && *m.SizeMiB < 1 {
		return invalid("memory.size_mib", "%d MiB is not a size", *m.SizeMiB)
	}
	if m.MaxMiB != nil {
		size := deref(m.SizeMiB)
		if size == 0 {
			size = defaultMemoryMiB
		}
		if *m.MaxMiB < size {
			return invalid("memory.max_mib", "the maximum (%d MiB) is less than the size (%d MiB)", *m.MaxMiB, size)
		}
		if *m.MaxMiB > size && !isTrue(m.HotAdd) && m.Ballooning != nil && !*m.Ballooning {
			return invalid("memory.max_mib", "memory between size_mib and max_mib is given and taken by the balloon device, which memory.ballooning = false removes").
				Advise("Set memory.hot_add = true, so that it is plugged as DIMMs, or keep the balloon.")
		}
	}
	if most := max(deref(m.SizeMiB), deref(m.MaxMiB)); most > 1<<40 {
		return invalid("memory.size_mib", "%d MiB is more than any machine has", most)
	}
	return nil
}

func validateMachine(spec *backends.VMSpec, h *hostFacts) error {
	if machine := machineOf(spec); !h.hasMachine(machine) {
		return invalid("libvirt.machine", "the host's QEMU has no machine type %q", machine).Advise("It has: %s.", strings.Join(h.machines, ", "))
	}
	return nil
}

// validateDomainType refuses KVM, which the VM or the provider asks for, where it does not work.
func validateDomainType(spec *backends.VMSpec, h *hostFacts) error {
	if h.kvm || h.domainType(spec.Libvirt) != "kvm" {
		return nil
	}
	return backends.Errorf(backends.Unsupported, "", "", "%s", h.withoutKVM()).At("libvirt.domain_type").
		Advise("Use the type qemu, which emulates in software, or repair KVM on the host.")
}

func validateFirmware(spec *backends.VMSpec, _ *hostFacts) error {
	machine := machineOf(spec)
	if isTrue(spec.SecureBoot) {
		if spec.Firmware != nil && *spec.Firmware != "uefi" {
			return invalid("secure_boot", "only UEFI has Secure Boot; set firmware = \"uefi\"")
		}
		if !isQ35(machine) {
			return invalid("secure_boot", "Secure Boot needs the machine type q35, not %q", machine)
		}
	}
	return nil
}

func validateDisks(spec *backends.VMSpec, _ *hostFacts) error {
	iothreads := map[string]bool{"virtio": true}
	rotating := map[string]bool{"scsi": true, "sata": true, "ide": true}
	for _, key := range diskOrder(spec.Disks) {
		disk, p := spec.Disks[key], backends.Path("disks").Key(key)
		bus := busOf(disk)
		if err := validateDiskLimits(p, disk); err != nil {
			return err
		}
		switch {
		case key == "" || !isXMLText(key):
			return invalid("disks", "%q is no key for a disk", key)
		case disk.SizeGiB != nil && (*disk.SizeGiB < 1 || *disk.SizeGiB > 1<<30):
			return invalid(p.Attr("size_gib"), "%d GiB is not a size", *disk.SizeGiB)
		case disk.SizeGiB == nil && disk.Volume == nil && (key != rootKey || spec.Image == ""):
			return invalid(p.Attr("size_gib"), "a disk that is made needs a size")
		case disk.Volume != nil && key == rootKey && spec.Image != "":
			return invalid(p.Attr("volume"), "the disk receives an image, so it cannot be an existing volume")
		case isTrue(disk.IOThread) && !iothreads[bus]:
			return invalid(p.Attr("iothread"), "only disks on the virtio bus have I/O threads of their own, this one is on %q", bus)
		case isTrue(disk.SSD) && !rotating[bus]:
			return invalid(p.Attr("ssd"), "the %s bus has no way to tell the guest of an SSD; use scsi or sata", bus)
		case bus == "ide" && isQ35(machineOf(spec)):
			return invalid(p.Attr("bus"), "the machine type q35 has no IDE; use sata, or libvirt.machine = \"pc\"")
		}
	}
	if spec.Image != "" {
		if _, ok := spec.Disks[rootKey]; !ok {
			return invalid("disks", "the image goes onto the disk %q, and there is none", rootKey)
		}
	}
	return nil
}

func validateNICs(spec *backends.VMSpec, _ *hostFacts) error {
	seen := map[string]string{}
	for _, key := range nicOrder(spec.Networks) {
		nic, p := spec.Networks[key], backends.Path("networks").Key(key)
		if key == "" || !isXMLText(key) {
			return invalid("networks", "%q is no key for a network", key)
		}
		if nic.VLAN != nil && (*nic.VLAN < 0 || *nic.VLAN > 4094) {
			return invalid(p.Attr("vlan"), "%d is not a VLAN; they are 1 to 4094, and 0 is none", *nic.VLAN)
		}
		if nic.MTU != nil && (*nic.MTU < 68 || *nic.MTU > 65535) {
			return invalid(p.Attr("mtu"), "%d bytes is not an MTU; it is 68 to 65535", *nic.MTU)
		}
		if nic.Network != nil {
			if _, name := splitNetwork(*nic.Network); name == "" {
				return invalid(p.Attr("network"), "%q names no network", *nic.Network)
			}
		}
		if err := validateBandwidth(p, nic); err != nil {
			return err
		}
		if nic.MAC == nil {
			continue
		}
		mac, err := net.ParseMAC(*nic.MAC)
		if err != nil || len(mac) != 6 {
			return invalid(p.Attr("mac"), "%q is not a MAC address", *nic.MAC)
		}
		if mac[0]&1 != 0 {
			return invalid(p.Attr("mac"), "%s is a multicast address, which no interface can have", *nic.MAC)
		}
		if other, taken := seen[mac.String()]; taken {
			return backends.Errorf(backends.Conflict, "", "", "%s is the address of networks[%q] as well", mac, other).At(p.Attr("mac"))
		}
		seen[mac.String()] = key
	}
	return nil
}

// validateGuest passes on the first of the seed's problems that is an error.
func validateGuest(spec *backends.VMSpec, _ *hostFacts) error {
	for _, p := range cloudinit.Validate(spec) {
		if !p.Warning {
			return invalid(p.Path, "%s", strings.TrimSuffix(p.Text, "."))
		}
	}
	return nil
}
