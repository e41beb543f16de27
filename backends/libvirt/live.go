package libvirt

import (
	"context"
	"fmt"
	"time"

	rpc "github.com/digitalocean/go-libvirt"
	"libvirt.org/go/libvirtxml"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/libvirt/storage"
)

const both = rpc.DomainAffectLive | rpc.DomainAffectConfig

// live makes changes of a running VM, each in QEMU and in the definition.
func (e *edit) live(ctx context.Context, changes []backends.Change) error {
	for _, c := range changes {
		if err := e.liveChange(ctx, c); err != nil {
			e.keep(ctx)
			return err
		}
	}
	if err := e.refresh(ctx); err != nil {
		e.keep(ctx)
		return err
	}
	e.d.mark.record(e.to)
	if err := e.writeSeed(ctx); err != nil {
		e.keep(ctx)
		return err
	}
	return e.saveMark(ctx, e.dom, e.d, true)
}

// keepLimit bounds the writing down of what was done before an error.
const keepLimit = 4 * time.Second

// keep writes down what was done before an error or an interrupt: the mark, and the seed,
// which lists the interfaces that the VM has now. A seed that cannot be written is for the
// next change.
func (e *edit) keep(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), keepLimit)
	defer cancel()
	if err := e.refresh(ctx); err != nil {
		return // what broke the change breaks this
	}
	dirty := e.seed
	if err := e.writeSeed(ctx); err != nil {
		e.d.mark.SeedStale = dirty
	}
	_ = e.saveMark(ctx, e.dom, e.d, true) // the first cause is told
}

// refresh reads the definition that the changes left, and keeps the mark in hand.
func (e *edit) refresh(ctx context.Context) error {
	d, err := e.readDomain(ctx, e.dom, xmlFlags)
	if err != nil {
		return err
	}
	d.mark = e.d.mark
	e.d = d
	return nil
}

func (e *edit) liveChange(ctx context.Context, c backends.Change) error {
	switch p := c.Path.Generic(); p {
	case "description":
		return e.again(ctx, func(l *rpc.Libvirt) error {
			return l.DomainSetMetadata(e.dom, int32(rpc.DomainMetadataDescription), rpc.OptString{deref(e.to.Description)}, nil, nil, both)
		})
	case "cpu.cores":
		return e.plugVCPUs(ctx)
	case "memory.size_mib":
		return e.growMemory(ctx)
	case "memory.limit_mib":
		return e.limitMemory(ctx, guestMiB(e.d.xml))
	case "cpu.shares", "cpu.limit_mhz":
		return e.tuneCPU(ctx, c.Path)
	case "libvirt.autostart":
		return e.setAutostart(ctx, e.dom, isTrue(e.to.Libvirt.Autostart))
	case "disks":
		return e.liveDisk(ctx, c)
	case "disks.size_gib":
		return e.grow(ctx, c)
	case "disks.keep_on_destroy", "disks.provisioning":
		e.noteDisk(c)
	case "disks.iops_limit", "disks.throughput_mib":
		return e.limitDisk(ctx, c)
	case "networks":
		return e.liveNIC(ctx, c)
	case "networks.network", "networks.connected":
		return e.liveNetwork(ctx, c.Key)
	case "networks.bandwidth_mbps":
		return e.limitNIC(ctx, c)
	case "console.password_wo_version":
		return e.changePassword(ctx)
	case "cdrom.iso":
		return e.liveCDROM(ctx, e.to.CDROM.ISO)
	case "tags", "settings", "placement.storage", "memory.reservation_mib", "disks.storage", "disks.format", "disks.policy":
		// The mark keeps it, or there is nothing to do: the value was not known before.
	default:
		if isSeedPath(p) {
			e.seed = true
			return nil
		}
		return backends.Errorf(backends.Precondition, "", "", "%s cannot be changed while the VM runs", c.Path).
			At(c.Path).Advise("Stop the VM first.")
	}
	return nil
}

// plugVCPUs raises the number of processors. To take some away is not tried: libvirt
// gives up waiting for the guest, and QEMU crashes at the next plugging.
func (e *edit) plugVCPUs(ctx context.Context) error {
	want := e.to.CPU.VCPUs()
	have := e.from.CPU.VCPUs()
	if want < have {
		return backends.Errorf(backends.Precondition, "", "", "processors cannot be taken from a running guest safely").
			At("cpu.cores").Advise("Stop the VM first.")
	}
	err := e.again(ctx, func(l *rpc.Libvirt) error {
		return l.DomainSetVcpusFlags(e.dom, uint32(want), uint32(both))
	})
	return at(err, "cpu.cores")
}

// grow makes a disk larger: through QEMU where a guest has it open, else in the pool. It
// refuses to make one smaller, which libvirt would do without a word.
func (e *edit) grow(ctx context.Context, c backends.Change) error {
	want := uint64(deref(e.to.Disks[c.Key].SizeGiB)) * gib
	path := backends.Path("disks").Key(c.Key).Attr("size_gib")
	i := findDisk(e.d.xml, e.d.mark, c.Key)
	if i < 0 {
		return backends.Errorf(backends.Precondition, "", "", "the VM has no disk %q any more", c.Key).At(path).
			Advise("Plan again, so that it is made anew.")
	}
	device := &e.d.xml.Devices.Disks[i]
	if e.up {
		target := targetOf(device)
		have, err := query(ctx, e.Backend, func(l *rpc.Libvirt) (uint64, error) {
			_, capacity, _, err := l.DomainGetBlockInfo(e.dom, target, 0)
			return capacity, err
		})
		if err != nil {
			return at(err, path)
		}
		if want <= have {
			return noShrink(path, c.Key, have, want)
		}
		err = e.again(ctx, func(l *rpc.Libvirt) error {
			return l.DomainBlockResize(e.dom, target, want, rpc.DomainBlockResizeBytes)
		})
		return at(err, path)
	}
	ref := e.refOf(i, c.Key)
	v, err := e.findVolume(ctx, ref, pathOf(device))
	if err != nil {
		return at(err, path)
	}
	if have := uint64(v.CapacityBytes); want <= have {
		return noShrink(path, c.Key, have, want)
	}
	return at(e.store.Resize(ctx, v.Ref, int64(want)), path)
}

// noShrink is nil where a disk has the size already.
func noShrink(path backends.Path, key string, have, want uint64) error {
	if want/gib == have/gib {
		return nil
	}
	return invalid(path, "the disk %q has %d GiB and cannot shrink to %d GiB: that would cut off data", key, have/gib, want/gib)
}

func (e *edit) refOf(i int, key string) storage.Ref {
	ref, _ := e.d.volumeOf(i, key, nil)
	return ref
}

func (e *edit) liveDisk(ctx context.Context, c backends.Change) error {
	path := backends.Path("disks").Key(c.Key)
	if c.Action == backends.Remove {
		i := findDisk(e.d.xml, e.d.mark, c.Key)
		if i >= 0 {
			if err := e.unplugDisk(ctx, targetOf(&e.d.xml.Devices.Disks[i]), path); err != nil {
				return err
			}
		}
		e.d.mark.retire(c.Key)
		if err := e.refresh(ctx); err != nil {
			return err
		}
		return e.saveMark(ctx, e.dom, e.d, true)
	}
	if i := findDisk(e.d.xml, e.d.mark, c.Key); i >= 0 {
		if done, err := e.hasDisk(ctx, i, c.Key); done || err != nil {
			return at(err, path)
		}
		if err := e.unplugDisk(ctx, targetOf(&e.d.xml.Devices.Disks[i]), path); err != nil {
			return err
		}
		if err := e.refresh(ctx); err != nil {
			return err
		}
	}
	device, err := e.newDisk(ctx, c.Key)
	if err != nil {
		return err
	}
	if isTrue(device.spec.IOThread) {
		if err := e.ensureIOThread(ctx); err != nil {
			return at(err, path.Attr("iothread"))
		}
	}
	if err := e.plug(ctx, ptr(device.device())); err != nil {
		return at(err, path)
	}
	if err := e.refresh(ctx); err != nil {
		return err
	}
	if c.Key != rootKey {
		return nil
	}
	setBootOrder(e.d.xml, e.d.mark) // at the next start
	return e.define(ctx, e.d)
}

// ensureIOThread gives the VM the thread that a new disk wants.
func (e *edit) ensureIOThread(ctx context.Context) error {
	if e.d.xml.IOThreads > 0 {
		return nil
	}
	return e.once(ctx, func(l *rpc.Libvirt) error { return l.DomainAddIothread(e.dom, 1, both) })
}

func (e *edit) liveNIC(ctx context.Context, c backends.Change) error {
	path := backends.Path("networks").Key(c.Key)
	e.seed = true
	if c.Action == backends.Remove {
		if i := findNIC(e.d.xml, e.d.mark, c.Key); i >= 0 {
			if err := e.unplugNIC(ctx, macOf(&e.d.xml.Devices.Interfaces[i]), path); err != nil {
				return err
			}
		}
		e.d.mark.dropNIC(c.Key)
		return e.refresh(ctx)
	}
	if findNIC(e.d.xml, e.d.mark, c.Key) >= 0 { // by an earlier try
		return nil
	}
	nic, err := e.newNIC(ctx, c.Key)
	if err != nil {
		return err
	}
	if err := e.saveMark(ctx, e.dom, e.d, true); err != nil {
		return err
	}
	if err := e.plug(ctx, ptr(nic.device())); err != nil {
		return at(err, path)
	}
	return e.refresh(ctx)
}

// liveNetwork connects an interface to another network, or pulls its plug.
func (e *edit) liveNetwork(ctx context.Context, key string) error {
	path, want := backends.Path("networks").Key(key), e.to.Networks[key]
	if err := e.checkNetwork(ctx, key, want); err != nil {
		return err
	}
	mac := ""
	if i := findNIC(e.d.xml, e.d.mark, key); i >= 0 {
		mac = macOf(&e.d.xml.Devices.Interfaces[i])
	}
	live, err := e.readDomain(ctx, e.dom, rpc.DomainXMLSecure)
	if err != nil {
		return err
	}
	for i := range live.xml.Devices.Interfaces {
		nic := live.xml.Devices.Interfaces[i]
		if macOf(&nic) != mac {
			continue
		}
		network := e.networkFor(want)
		// The running interface says what libvirt made of its network; the
		// definition says what was asked.
		if own := findNIC(e.d.xml, e.d.mark, key); networkOf(&e.d.xml.Devices.Interfaces[own]) != network {
			setNICNetwork(&nic, network)
		} else {
			nic.Source, nic.VirtualPort = e.d.xml.Devices.Interfaces[own].Source, e.d.xml.Devices.Interfaces[own].VirtualPort
		}
		setNICOptions(&nic, want)
		text, err := deviceXML(&nic)
		if err != nil {
			return err
		}
		err = e.again(ctx, func(l *rpc.Libvirt) error {
			return l.DomainUpdateDeviceFlags(e.dom, text, rpc.DomainDeviceModifyLive|rpc.DomainDeviceModifyConfig)
		})
		if backends.CodeOf(err) == backends.Unsupported || backends.CodeOf(err) == backends.Invalid {
			err = e.replug(ctx, nic, mac, path)
		}
		if err != nil {
			return at(err, path.Attr("network"))
		}
		return e.refresh(ctx)
	}
	return backends.Errorf(backends.Precondition, "", "", "the running VM has no network interface %q", key).At(path)
}

// replug pulls an interface and plugs it in again where QEMU cannot change it in place.
func (e *edit) replug(ctx context.Context, nic libvirtxml.DomainInterface, mac string, path backends.Path) error {
	if err := e.unplugNIC(ctx, mac, path); err != nil {
		return err
	}
	nic.Alias, nic.Target, nic.Address, nic.Boot = nil, nil, nil, nil
	return e.plug(ctx, &nic)
}

// plug attaches a device to the running VM and to the definition.
func (e *edit) plug(ctx context.Context, device element) error {
	text, err := deviceXML(device)
	if err != nil {
		return err
	}
	return e.once(ctx, func(l *rpc.Libvirt) error { return l.DomainAttachDeviceFlags(e.dom, text, uint32(both)) })
}

// element is a device as libvirtxml has it. Only pointers to them know how to write
// themselves in full.
type element interface{ Marshal() (string, error) }

func deviceXML(device element) (string, error) {
	text, err := device.Marshal()
	if err != nil {
		return "", fmt.Errorf("write the device's definition: %w", err)
	}
	return text, nil
}
