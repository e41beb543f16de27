package libvirt

import (
	"context"
	"strings"

	rpc "github.com/digitalocean/go-libvirt"
	"libvirt.org/go/libvirtxml"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// host returns the host's facts, which are asked for once. An error is not remembered.
func (b *Backend) host(ctx context.Context) (*hostFacts, error) {
	if h := b.facts.Load(); h != nil {
		return h, nil
	}
	unlock, err := b.locks.lock(ctx, "the host's facts")
	if err != nil {
		return nil, err
	}
	defer unlock()
	if h := b.facts.Load(); h != nil { // another reader was first
		return h, nil
	}
	h, err := b.readHost(ctx)
	if err != nil {
		return nil, err
	}
	b.facts.Store(h)
	return h, nil
}

type hostAnswers struct {
	hostname, caps, uri string
	version, libvirt    uint64
	cpus, mhz           int32
	memKiB              uint64
}

func (b *Backend) readHost(ctx context.Context) (*hostFacts, error) {
	a, err := query(ctx, b, func(l *rpc.Libvirt) (a hostAnswers, err error) {
		if a.caps, err = l.ConnectGetCapabilities(); err != nil {
			return a, err
		}
		if a.hostname, err = l.ConnectGetHostname(); err != nil {
			return a, err
		}
		if a.version, err = l.ConnectGetVersion(); err != nil {
			return a, err
		}
		if a.libvirt, err = l.ConnectGetLibVersion(); err != nil {
			return a, err
		}
		if _, a.memKiB, a.cpus, a.mhz, _, _, _, _, err = l.NodeGetInfo(); err != nil {
			return a, err
		}
		a.uri, err = l.ConnectGetUri()
		return a, err
	})
	if err != nil {
		return nil, err
	}
	caps, err := parseXML[libvirtxml.Caps]("capabilities", a.caps)
	if err != nil {
		return nil, err
	}
	guest, ok := guestArch(caps)
	if !ok {
		return nil, backends.Errorf(backends.Precondition, "", "", "libvirt has no emulator for full virtual machines").
			Advise("Install QEMU (qemu-system-x86 or qemu-kvm) on the host.")
	}
	h := &hostFacts{
		hostname:     a.hostname,
		arch:         guest.Arch.Name,
		emulator:     guest.Arch.Emulator,
		machines:     machinesOf(guest),
		cpus:         int64(a.cpus),
		mhz:          clockOf(caps, a.mhz),
		memMiB:       mebibytes(a.memKiB, "KiB"),
		version:      versionString(a.version),
		libvirt:      versionString(a.libvirt),
		configured:   b.cfg.DomainType,
		systemDaemon: strings.HasSuffix(strings.SplitN(a.uri, "?", 2)[0], "/system"),
	}
	if caps.Host.CPU != nil {
		h.vendor = caps.Host.CPU.Vendor
	}
	if offersKVM(guest) {
		kvm, err := b.readDomainCaps(ctx, h, "kvm")
		switch {
		case err != nil && ctx.Err() != nil:
			return nil, err
		case err != nil:
			h.kvmNote = err.Error()
		default:
			h.kvmNote = kvmDefect(h.arch, kvm)
			h.kvm = h.kvmNote == ""
		}
		if h.kvm && h.domainType(nil) == "kvm" {
			h.readDomainCaps(kvm)
			return h, nil
		}
	}
	usable := h.domainType(nil)
	if !h.kvm {
		usable = "qemu" // where KVM is asked for all the same, each VM is refused with the reason
	}
	used, err := b.readDomainCaps(ctx, h, usable)
	if err != nil {
		return nil, err
	}
	h.readDomainCaps(used)
	return h, nil
}

// clockOf is the clock of the host's processors in MHz: that of their time stamp counter, which is
// the nominal one, else what they run at just now.
func clockOf(caps *libvirtxml.Caps, now int32) int64 {
	if cpu := caps.Host.CPU; cpu != nil && cpu.Counter != nil && cpu.Counter.Name == "tsc" && cpu.Counter.Frequency >= 1e6 {
		return int64(cpu.Counter.Frequency / 1e6)
	}
	return int64(now)
}

func (b *Backend) readDomainCaps(ctx context.Context, h *hostFacts, domainType string) (*libvirtxml.DomainCaps, error) {
	text, err := query(ctx, b, func(l *rpc.Libvirt) (string, error) {
		machine := rpc.OptString{}
		if h.hasMachine("q35") && h.arch == "x86_64" {
			machine = rpc.OptString{"q35"}
		}
		return l.ConnectGetDomainCapabilities(rpc.OptString{h.emulator}, rpc.OptString{h.arch}, machine, rpc.OptString{domainType}, 0)
	})
	if err != nil {
		return nil, err
	}
	return parseXML[libvirtxml.DomainCaps]("domain capabilities", text)
}
