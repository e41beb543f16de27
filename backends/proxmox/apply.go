package proxmox

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/proxmox/pve"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/proxmox/vmconf"
)

// takenBack is why a running VM did not change.
type takenBack struct {
	keys []string // that were taken back
	err  error
}

func (t *takenBack) Error() string { return t.err.Error() }
func (t *takenBack) Unwrap() error { return t.err }

// apply sends a form, and sees to it that nothing of it waits for the next start unsaid: what a running VM does not take is taken back.
func (b *Backend) apply(ctx context.Context, m *machine, form map[string]any, mode backends.ReconfigureMode) error {
	node, vmid := m.node, m.hardware.VMID
	err := b.put(ctx, node, vmid, form)
	if mode == backends.Deferred && isHotplug(err) {
		return nil // it waits, as it was meant to
	}
	if m.power() == backends.Stopped || mode == backends.Deferred {
		return err
	}
	unheard := unanswered(err)
	if err != nil && !isHotplug(err) && !unheard {
		return err
	}
	if ctx.Err() != nil || unheard { // what came of it is not left to chance
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(context.WithoutCancel(ctx), grace)
		defer cancel()
	}
	after, readErr := b.configured(ctx, m.resident, m.Pool)
	switch {
	case readErr != nil && unheard:
		return err
	case readErr != nil:
		return errors.Join(err, readErr)
	}
	var waits []string
	for _, key := range after.pending {
		if key != "boot" && (asks(form, key) || !unheard && !slices.Contains(m.pending, key)) { // an order of boot is for the next one anyway
			waits = append(waits, key)
		}
	}
	if len(waits) == 0 {
		return err
	}
	if slices.Contains(after.pending, "boot") && asks(form, "boot") {
		waits = append(waits, "boot")
	}
	if revertErr := b.takeBack(ctx, m, waits); revertErr != nil {
		return errors.Join(err, revertErr)
	}
	b.dropNew(ctx, m, form, after, waits)
	if unheard {
		return err // who tries again finds it undone
	}
	if err != nil {
		return refused(err, waits)
	}
	return backends.Errorf(backends.Precondition, "", "", "%w", &takenBack{waits, fmt.Errorf("the running VM does not take %s: Proxmox VE would keep it for the next start, and it was taken back", strings.Join(waits, ", "))}).
		Advise("Stop the VM first, or see to it that its guest and its hotplug setting allow the change.")
}

// unanswered reports whether a write ended without anybody knowing what came of it.
func unanswered(err error) bool {
	code := backends.CodeOf(err)
	return lost(err) || code == backends.Canceled || code == backends.Timeout
}

// asks reports whether a form is about a key.
func asks(form map[string]any, key string) bool {
	gone, _ := form["delete"].(string)
	_, set := form[key]
	return set || slices.Contains(strings.Split(gone, ","), key)
}

// takeBack takes changes back that wait. What waited before, as it was asked for by somebody, waits again.
func (b *Backend) takeBack(ctx context.Context, m *machine, keys []string) error {
	node, vmid := m.node, m.hardware.VMID
	if err := insist(ctx, func() error { return b.put(ctx, node, vmid, map[string]any{"revert": strings.Join(keys, ",")}) }); err != nil {
		return err
	}
	form := map[string]any{}
	var gone []string
	for _, key := range keys {
		text, set := m.Config[key]
		switch {
		case !slices.Contains(m.pending, key):
		case set:
			form[key] = text
		default:
			gone = append(gone, key)
		}
	}
	if len(gone) > 0 {
		form["delete"] = strings.Join(gone, ",")
	}
	if len(form) == 0 {
		return nil
	}
	if err := insist(ctx, func() error { return b.put(ctx, node, vmid, form) }); err != nil && !isHotplug(err) {
		return err
	}
	return nil
}

// refused says of a change that a running VM did not take that nothing is left of it.
func refused(err error, keys []string) error {
	var e *backends.Error
	if !errors.As(err, &e) {
		return err
	}
	c := *e
	c.Err = &takenBack{keys, e.Err}
	c.Remedy = "The change was taken back. Stop the VM first, or see to it that its guest lets go of the device."
	return &c
}

// isHotplug reports whether a request failed because a running VM did not take a change, which then waits all the same.
func isHotplug(err error) bool {
	return err != nil && strings.Contains(err.Error(), "hotplug problem")
}

// dropNew deletes the volumes of new disks that were taken back: what was made for them is at unused keys then. What was there before stays.
func (b *Backend) dropNew(ctx context.Context, m *machine, form map[string]any, after *machine, keys []string) {
	made := map[string]bool{}
	for _, key := range keys {
		asked, _ := form[key].(string)
		volume := after.Config.Drive(key).Volume()
		if asked != "" && isVolume(volume) && vmconf.ParseDrive(asked).Volume() != volume && vmconf.ParseVolume(volume).Owner() == m.hardware.VMID {
			made[volume] = true
		}
	}
	for _, had := range []vmconf.Config{m.Config, m.current} {
		for key := range had {
			delete(made, had.Drive(key).Volume())
		}
	}
	if len(made) == 0 {
		return
	}
	var now pve.Values
	if err := b.conn.Get(ctx, config(m.node, m.hardware.VMID), nil, &now); err != nil {
		return // they go with the VM
	}
	for _, key := range sortedKeys(now) {
		if volume, _, _ := strings.Cut(now[key], ","); strings.HasPrefix(key, "unused") && made[volume] {
			_ = b.put(ctx, m.node, m.hardware.VMID, map[string]any{"delete": key})
		}
	}
}
