package libvirt

import (
	"encoding/xml"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"libvirt.org/go/libvirtxml"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

func itoa(i int) string { return strconv.Itoa(i) }

// hostFacts is what the host says of itself once per connection.
type hostFacts struct {
	hostname string
	arch     string
	emulator string
	kvm      bool   // works
	kvmNote  string // why not, where it is there and does not
	cpus     int64
	mhz      int64  // of one processor; 0 unknown
	vendor   string // of the processors: "Intel", "AMD", ...
	memMiB   int64
	version  string // QEMU's
	libvirt  string // libvirt's

	uefi         bool
	secureBoot   bool
	tpm          bool
	cpuModes     []string // usable, of the domain type in use
	cpuModels    []string // usable by name
	graphics     []string // kinds of screens that QEMU has; none: not known
	machines     []string // that the emulator has
	configured   string   // domain type of the provider's configuration
	systemDaemon bool     // not a user's session
}

// domainType is what a VM runs as: what it asks for, what the provider's
// configuration says, KVM where it works, else emulation.
func (h *hostFacts) domainType(o *backends.LibvirtOptions) string {
	switch {
	case o != nil && o.DomainType != nil:
		return *o.DomainType
	case h.configured != "":
		return h.configured
	case h.kvm:
		return "kvm"
	}
	return "qemu"
}

// defaultCPUMode is the model of VMs that name none: the host's on KVM; when
// emulated, everything that QEMU can emulate, for today's distributions no longer
// boot on QEMU's own default of the year 2003.
func (h *hostFacts) defaultCPUMode(domainType string) string {
	want := "maximum"
	if domainType == "kvm" {
		want = "host-model"
	}
	if len(h.cpuModes) == 0 || slices.Contains(h.cpuModes, want) {
		return want
	}
	return ""
}

// nestedFeature is what makes a VM's processor able to run VMs: what the host's has, on KVM, and when
// emulated what QEMU can emulate.
func (h *hostFacts) nestedFeature(domainType string) string {
	if domainType == "kvm" && h.vendor != "AMD" && h.vendor != "Hygon" {
		return featureVMX
	}
	return featureSVM
}

// guestArch finds the emulated architecture that is the host's own, else x86_64, else the first.
func guestArch(caps *libvirtxml.Caps) (*libvirtxml.CapsGuest, bool) {
	own := ""
	if caps.Host.CPU != nil {
		own = caps.Host.CPU.Arch
	}
	for _, want := range []string{own, "x86_64"} {
		for i := range caps.Guests {
			if g := &caps.Guests[i]; g.OSType == "hvm" && g.Arch.Name == want {
				return g, true
			}
		}
	}
	for i := range caps.Guests {
		if caps.Guests[i].OSType == "hvm" {
			return &caps.Guests[i], true
		}
	}
	return nil, false
}

// offersKVM reports whether libvirt lists KVM for a guest architecture.
func offersKVM(g *libvirtxml.CapsGuest) bool {
	return slices.ContainsFunc(g.Arch.Domains, func(d libvirtxml.CapsGuestDomain) bool { return d.Type == "kvm" })
}

// kvmDefect says what is wrong with KVM, judged by the processor that it hands to
// guests, or "". Where a sandbox passes /dev/kvm through without the
// virtualization below it, libvirt offers KVM and VMs hang at power-on. Such a KVM
// shows a processor without SSE3, which no processor with virtualization lacks.
func kvmDefect(arch string, caps *libvirtxml.DomainCaps) string {
	if caps.CPU == nil {
		return ""
	}
	for _, mode := range caps.CPU.Modes {
		if mode.Name == "host-passthrough" && mode.Supported != "yes" {
			return "QEMU cannot use the host's processor through it"
		}
		if mode.Name != "host-model" || arch != "x86_64" {
			continue
		}
		for _, f := range mode.Features {
			if f.Policy == "disable" && f.Name == "pni" {
				return "it hands a processor without SSE3 to guests, so the virtualization below it is broken"
			}
		}
	}
	return ""
}

// readDomainCaps takes over what the emulator can do.
func (h *hostFacts) readDomainCaps(caps *libvirtxml.DomainCaps) {
	h.uefi, h.secureBoot, h.tpm = false, false, false
	if os := caps.OS; os != nil {
		for _, e := range os.Enums {
			if e.Name == "firmware" {
				h.uefi = slices.Contains(e.Values, "efi")
			}
		}
		if os.Loader != nil {
			for _, e := range os.Loader.Enums {
				if e.Name == "secure" {
					h.secureBoot = h.uefi && slices.Contains(e.Values, "yes")
				}
			}
		}
	}
	h.graphics = nil
	if caps.Devices != nil {
		if g := caps.Devices.Graphics; g != nil {
			for _, e := range g.Enums {
				if e.Name == "type" {
					h.graphics = e.Values
				}
			}
		}
		if tpm := caps.Devices.TPM; tpm != nil && tpm.Supported == "yes" {
			for _, e := range tpm.Enums {
				if e.Name == "backendModel" {
					h.tpm = slices.Contains(e.Values, "emulator")
				}
			}
		}
	}
	h.cpuModes, h.cpuModels = nil, nil
	if caps.CPU == nil {
		return
	}
	for _, mode := range caps.CPU.Modes {
		if mode.Supported != "yes" {
			continue
		}
		h.cpuModes = append(h.cpuModes, mode.Name)
		for _, model := range mode.Models {
			if mode.Name == "custom" && model.Usable != "no" {
				h.cpuModels = append(h.cpuModels, model.Name)
			}
		}
	}
	slices.Sort(h.cpuModels)
}

// hasMachine reports whether the emulator has a machine type; unknown counts as yes.
func (h *hostFacts) hasMachine(name string) bool {
	return len(h.machines) == 0 || slices.Contains(h.machines, name)
}

func machinesOf(g *libvirtxml.CapsGuest) []string {
	var names []string
	for _, m := range g.Arch.Machines {
		names = append(names, m.Name)
		if m.Canonical != "" {
			names = append(names, m.Canonical)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func parseXML[T any](what, text string) (*T, error) {
	v := new(T)
	if err := xml.Unmarshal([]byte(text), v); err != nil {
		return nil, fmt.Errorf("libvirt's %s cannot be read: %w", what, err)
	}
	return v, nil
}

// versionString renders libvirt's packed version numbers.
func versionString(v uint64) string {
	return fmt.Sprintf("%d.%d.%d", v/1000000, v/1000%1000, v%1000)
}

// withoutKVM says why there is no KVM.
func (h *hostFacts) withoutKVM() string {
	if h.kvmNote != "" {
		return "the host's KVM does not work (" + h.kvmNote + ")"
	}
	return "the host has no KVM"
}

// narrow holds the static catalogue against what the host has.
func (h *hostFacts) narrow(cat backends.Catalogue) backends.Catalogue {
	if !h.kvm {
		note := strings.ToUpper(h.withoutKVM()[:1]) + h.withoutKVM()[1:]
		cat = cat.Narrow(backends.FeatureVMCreate, backends.Full, note+": VMs are emulated in software, which is slow.")
		cat = cat.Narrow(backends.FeatureLibvirtOptions, backends.Full, note+": libvirt.domain_type is qemu only.")
		cat.Accepts = maps.Clone(cat.Accepts)
		cat.Accepts["libvirt.domain_type"] = []string{"qemu"}
	}
	for _, kind := range []string{consoleVNC, consoleSpice} {
		if !h.hasGraphics(kind) {
			cat.Accepts = maps.Clone(cat.Accepts)
			cat.Accepts["console.type"] = slices.DeleteFunc(slices.Clone(cat.Accepts["console.type"]), func(k string) bool { return k == kind })
		}
	}
	if !h.uefi {
		cat = cat.Narrow(backends.FeatureUEFI, backends.Unavailable, "The host has no UEFI firmware; install ovmf (edk2-ovmf) there.")
	}
	if !h.secureBoot {
		cat = cat.Narrow(backends.FeatureSecureBoot, backends.Unavailable, "The host has no UEFI firmware with Secure Boot; install ovmf (edk2-ovmf) there.")
	}
	if !h.tpm {
		cat = cat.Narrow(backends.FeatureTPM, backends.Unavailable, "The host has no TPM emulator; install swtpm and swtpm-tools there.")
	}
	return cat
}
