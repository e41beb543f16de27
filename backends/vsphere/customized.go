package vsphere

import (
	"context"
	"errors"
	"time"

	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/types"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/vsphere/fault"
)

// awaitCustomization waits until the guest that was started has been customized, and tells why where it was not. It is bounded by
// ctx alone: sysprep takes its time.
func (b *Backend) awaitCustomization(ctx context.Context, m *machine, since time.Time) error {
	const op = "customize the guest"
	for pause := firstLook; ; pause = min(2*pause, lastLook) {
		done, err := b.customized(ctx, m, since)
		if err != nil && backends.CodeOf(err) != backends.Transient {
			return blame(backends.Wrap(err, op, m.object()), "customization")
		}
		if done {
			return nil
		}
		backends.Report(ctx, backends.Progress{Op: op, Object: m.object(), Percent: -1, Total: -1})
		select {
		case <-ctx.Done():
			e := &backends.Error{Code: backends.CodeOf(ctx.Err()), Op: op, Object: m.object(), Path: "customization", Err: ctx.Err()}
			return e.Advise("The VM runs. VMware Tools must be installed in the image for a customization: see the guest's console.")
		case <-time.After(pause):
		}
	}
}

// customized reports whether the customization is over, and why it failed.
func (b *Backend) customized(ctx context.Context, m *machine, since time.Time) (bool, error) {
	vms, gone, err := b.retrieve(ctx, []backends.ID{m.id()}, []string{"guest.customizationInfo", "runtime.powerState"})
	switch {
	case err != nil:
		return false, fault.Wrap(err, "", "")
	case gone != "" || len(vms) == 0:
		return false, missing(m.id()).err
	}
	done, err := b.customizationEnd(ctx, m, since, vms[0].Guest)
	if err == nil && !done && vms[0].Runtime.PowerState == types.VirtualMachinePowerStatePoweredOff {
		e := backends.Errorf(backends.Precondition, "", "", "the VM was powered off before its guest had been customized")
		return false, e.Advise("See the guest's console for why, and start the VM again. VMware Tools must be installed in the image for a customization.")
	}
	return done, err
}

// customizationEnd looks for how the customization ended in what the guest tells of it.
func (b *Backend) customizationEnd(ctx context.Context, m *machine, since time.Time, guest *types.GuestInfo) (bool, error) {
	if guest != nil && guest.CustomizationInfo != nil {
		switch info := guest.CustomizationInfo; types.GuestInfoCustomizationStatus(info.CustomizationStatus) {
		case types.GuestInfoCustomizationStatusTOOLSDEPLOYPKG_SUCCEEDED:
			return true, nil
		case types.GuestInfoCustomizationStatusTOOLSDEPLOYPKG_FAILED:
			_, err := b.customizationEvents(ctx, m, since)
			if err == nil {
				err = customizationFailed(info.ErrorMsg)
			}
			return true, err
		default:
			return false, nil
		}
	}
	return b.customizationEvents(ctx, m, since) // a vCenter before 7.0.2 does not keep it with the VM
}

// customizationEvents looks for how the customization ended in the VM's events.
func (b *Backend) customizationEvents(ctx context.Context, m *machine, since time.Time) (done bool, err error) {
	manager := b.conn.VIM().ServiceContent.EventManager
	if manager == nil {
		return true, nil
	}
	res, err := methods.QueryEvents(ctx, b.conn.VIM(), &types.QueryEvents{This: *manager, Filter: types.EventFilterSpec{
		Entity: &types.EventFilterSpecByEntity{Entity: m.Self, Recursion: types.EventFilterSpecRecursionOptionSelf},
	}})
	if err != nil {
		return false, fault.Wrap(err, "", "")
	}
	for _, event := range res.Returnval {
		if event.GetEvent().CreatedTime.Before(since) {
			continue
		}
		switch e := event.(type) {
		case *types.CustomizationSucceeded:
			done = true
		case types.BaseCustomizationFailed:
			text := e.GetCustomizationFailed().FullFormattedMessage
			if reason := e.GetCustomizationFailed().Reason; reason != "" {
				text += " (" + reason + ")"
			}
			return true, customizationFailed(text)
		}
	}
	return done, nil
}

func customizationFailed(text string) error {
	if text == "" {
		text = "the guest's tools report a failure without a reason"
	}
	e := &backends.Error{Code: backends.Precondition, Err: errors.New(text)}
	return e.Advise("The guest keeps a log of it: /var/log/vmware-imc/toolsDeployPkg.log on Linux, C:\\Windows\\Temp\\vmware-imc on Windows.")
}
