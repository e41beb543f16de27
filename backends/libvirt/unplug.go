package libvirt

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	rpc "github.com/digitalocean/go-libvirt"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// unplugLimit bounds the wait for a guest that has to let a device go.
const unplugLimit = 60 * time.Second

// unplugDisk takes a disk from the running VM, then from the definition.
func (e *edit) unplugDisk(ctx context.Context, target string, path backends.Path) error {
	find := func(d *domain) element {
		if i := findTarget(d.xml, target); i >= 0 {
			return &d.xml.Devices.Disks[i]
		}
		return nil
	}
	return e.unplug(ctx, find, path)
}

// unplugNIC does the same with the interface that has an address.
func (e *edit) unplugNIC(ctx context.Context, mac string, path backends.Path) error {
	find := func(d *domain) element {
		for i := range d.xml.Devices.Interfaces {
			if macOf(&d.xml.Devices.Interfaces[i]) == mac {
				return &d.xml.Devices.Interfaces[i]
			}
		}
		return nil
	}
	return e.unplug(ctx, find, path)
}

// unplug asks the guest to let a device go and waits until it has. Only then it leaves the
// definition, so that both tell the same when the guest refuses.
func (e *edit) unplug(ctx context.Context, find func(*domain) element, path backends.Path) error {
	waiting, cancel := context.WithTimeoutCause(ctx, unplugLimit, errKept)
	defer cancel()
	events, err := e.conn.Events(waiting)
	if err != nil {
		events = nil // then by looking alone
	}
	asked := false
	for pause := 100 * time.Millisecond; ; pause = min(2*pause, 5*time.Second) {
		live, err := e.readDomain(waiting, e.dom, 0)
		if err != nil {
			return e.keptOr(waiting, err, path)
		}
		device := find(live)
		if device == nil {
			break
		}
		// QEMU forgets the request when a guest that has not booted yet does not
		// hear it, so it is made again from time to time.
		if !asked || pause >= 5*time.Second {
			asked = true
			text, err := deviceXML(device)
			if err != nil {
				return err
			}
			err = e.again(waiting, func(l *rpc.Libvirt) error {
				return l.DomainDetachDeviceFlags(e.dom, text, uint32(rpc.DomainAffectLive))
			})
			if err != nil && !isUnderWay(err) && !answered(err, rpc.ErrDeviceMissing) {
				return e.keptOr(waiting, at(err, path), path)
			}
			continue
		}
		if !nextEvent(waiting, &events, e.dom, pause) {
			return e.keptOr(waiting, context.Cause(waiting), path)
		}
	}
	device := find(e.d)
	if device == nil {
		return nil
	}
	text, err := deviceXML(device)
	if err != nil {
		return err
	}
	err = e.again(ctx, func(l *rpc.Libvirt) error {
		return l.DomainDetachDeviceFlags(e.dom, text, uint32(rpc.DomainAffectConfig))
	})
	if answered(err, rpc.ErrDeviceMissing) {
		return nil
	}
	return at(err, path)
}

var errKept = fmt.Errorf("the guest did not let the device go within %s", unplugLimit)

// keptOr explains an error that is the end of the wait for the guest.
func (e *edit) keptOr(waiting context.Context, err error, path backends.Path) error {
	if !errors.Is(context.Cause(waiting), errKept) {
		return err
	}
	return (&backends.Error{Code: backends.Precondition, Err: errKept}).At(path).
		Advise("It may still boot, or use the device. Try again later, or stop the VM first.")
}

// isUnderWay reports whether libvirt refuses a request because an earlier one still runs.
func isUnderWay(err error) bool {
	return answered(err, rpc.ErrOperationInvalid) || answered(err, rpc.ErrOperationFailed) ||
		backends.CodeOf(err) == backends.Timeout || strings.Contains(err.Error(), "already in the process of unplug")
}
