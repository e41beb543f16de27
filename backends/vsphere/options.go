package vsphere

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/vim25/types"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// options sets what exists on vSphere only, except custom attributes, which are no part of a configuration.
func (e *edit) options(context.Context) error {
	from, to := orElse(e.from.VSphere, backends.VSphereOptions{}), orElse(e.to.VSphere, backends.VSphereOptions{})
	if err := e.checkOptions(to); err != nil {
		return err
	}
	if e.m == nil && to.HardwareVersion != nil {
		e.spec.Version = fmt.Sprintf("vmx-%d", *to.HardwareVersion)
	}
	e.extraConfig(from.ExtraConfig, to.ExtraConfig)
	if changed(from.BootDelayMs, to.BootDelayMs) && (from.BootDelayMs != nil || *to.BootDelayMs != 0) {
		e.bootOptions().BootDelay = max(*to.BootDelayMs, noBootDelay)
	}
	if to.BootOrder != nil && !slices.Equal(from.BootOrder, to.BootOrder) {
		e.boot = true
		e.mark.BootOrder = to.BootOrder
	}
	if changed(from.LatencySensitivity, to.LatencySensitivity) {
		e.spec.LatencySensitivity = &types.LatencySensitivity{Level: types.LatencySensitivitySensitivityLevel(*to.LatencySensitivity)}
	}
	return nil
}

func (e *edit) checkOptions(o backends.VSphereOptions) error {
	path := backends.Path("vsphere")
	invalid := func(attr, format string, args ...any) error {
		return backends.Errorf(backends.Invalid, "", "", format, args...).At(path.Attr(attr))
	}
	if v := o.HardwareVersion; v != nil && (*v < oldestVersion || *v > latestVersion) {
		return invalid("hardware_version", "%d is no version of virtual hardware that this provider makes: %d to %d", *v, oldestVersion, latestVersion)
	}
	if l := value(o.LatencySensitivity); !slices.Contains([]string{"", "low", "normal", "medium", "high"}, l) {
		return invalid("latency_sensitivity", `%q is none of "low", "normal", "medium" and "high"`, l)
	}
	if value(o.LatencySensitivity) == "high" && (value(e.to.Memory.ReservationMiB) == 0 || value(e.to.Memory.ReservationMiB) < value(e.to.Memory.SizeMiB)) {
		return invalid("latency_sensitivity", `"high" needs all of the VM's memory reserved`)
	}
	if t := value(o.SCSIType); t != "" && !slices.Contains(scsiTypes, t) {
		return invalid("scsi_controller", "%q is none of %s", t, strings.Join(scsiTypes, ", "))
	}
	if d := value(o.BootDelayMs); d < 0 || d == noBootDelay {
		return invalid("boot_delay_ms", "%d is neither 0 nor 2 or more", d)
	}
	for _, key := range slices.Sorted(maps.Keys(o.ExtraConfig)) {
		switch {
		case key == "" || strings.HasPrefix(key, "virtrigaud."):
			return invalid("extra_config", "the key %q is this provider's own", key)
		case o.ExtraConfig[key] == "":
			return invalid("extra_config", "the key %q has an empty value, for which vSphere removes it: leave the key out", key)
		}
	}
	for _, key := range o.BootOrder {
		_, disk := e.to.Disks[key]
		_, nic := e.to.Networks[key]
		if !disk && !nic && key != "cdrom" {
			return invalid("boot_order", `%q is neither a disk nor a network of the VM, nor "cdrom"`, key)
		}
	}
	return nil
}

// noBootDelay stands for none: the SDK leaves a 0 out of a request, which leaves the delay that there was.
const noBootDelay = 1

// The versions of virtual hardware that vSphere 6.7 to 9 can make or upgrade to.
const (
	oldestVersion = 10
	latestVersion = 22
)

// extraConfig merges pairs: a key that was asked for before, and is no more, is taken away.
func (e *edit) extraConfig(from, to map[string]string) {
	if to == nil {
		return
	}
	for _, key := range slices.Sorted(maps.Keys(to)) {
		if had, ok := from[key]; !ok || had != to[key] {
			e.extra(key, to[key])
		}
	}
	for _, key := range slices.Sorted(maps.Keys(from)) {
		if _, stays := to[key]; !stays {
			e.extra(key, "")
		}
	}
	e.mark.ExtraConfig = slices.Sorted(maps.Keys(to))
}

func (e *edit) swapsControllers() bool {
	o := e.to.VSphere
	return o != nil && o.SCSIType != nil && (e.from.VSphere == nil || changed(e.from.VSphere.SCSIType, o.SCSIType))
}

// bootOrder is the order that is asked for, of the devices of a VM that exists.
func (m *machine) bootOrder(keys []string) []types.BaseVirtualMachineBootOptionsBootableDevice {
	order := []types.BaseVirtualMachineBootOptionsBootableDevice{}
	if len(keys) == 0 {
		keys = m.naturalOrder() // an empty order would be left out of the request
	}
	disks, nics := m.diskDevices(), m.nicDevices()
	for _, key := range keys {
		switch {
		case disks[key] != nil:
			order = append(order, &types.VirtualMachineBootOptionsBootableDiskDevice{DeviceKey: disks[key].Key})
		case nics[key] != nil:
			order = append(order, &types.VirtualMachineBootOptionsBootableEthernetDevice{DeviceKey: nics[key].GetVirtualEthernetCard().Key})
		case key == "cdrom":
			order = append(order, &types.VirtualMachineBootOptionsBootableCdromDevice{})
		}
	}
	return order
}

func (m *machine) observeOptions() *backends.VSphereOptions {
	o := &backends.VSphereOptions{SCSIType: m.observeSCSIType(), ExtraConfig: map[string]string{}, BootDelayMs: new(int64(0)), LatencySensitivity: new("normal")}
	if v := hardwareVersion(m.Config.Version); v > 0 {
		o.HardwareVersion = &v
	}
	o.CustomAttributes = m.observeAttributes()
	if m.mark != nil {
		for _, key := range m.mark.ExtraConfig {
			if text, ok := extraValue(m.Config.ExtraConfig, key); ok {
				o.ExtraConfig[key] = text
			}
		}
	}
	if boot := m.Config.BootOptions; boot != nil {
		o.BootOrder = m.observeBootOrder(boot.BootOrder)
		if boot.BootDelay > noBootDelay {
			o.BootDelayMs = new(boot.BootDelay)
		}
	}
	if l := m.Config.LatencySensitivity; l != nil && l.Level != "" {
		o.LatencySensitivity = new(string(l.Level))
	}
	return o
}

func (m *machine) observeBootOrder(order []types.BaseVirtualMachineBootOptionsBootableDevice) []string {
	keys := map[int32]string{}
	for key, d := range m.diskDevices() {
		keys[d.Key] = key
	}
	for key, c := range m.nicDevices() {
		keys[c.GetVirtualEthernetCard().Key] = key
	}
	names := []string{}
	for _, d := range order {
		switch d := d.(type) {
		case *types.VirtualMachineBootOptionsBootableDiskDevice:
			names = append(names, keys[d.DeviceKey])
		case *types.VirtualMachineBootOptionsBootableEthernetDevice:
			names = append(names, keys[d.DeviceKey])
		case *types.VirtualMachineBootOptionsBootableCdromDevice:
			names = append(names, "cdrom")
		}
	}
	if (m.mark == nil || len(m.mark.BootOrder) == 0) && slices.Equal(names, m.naturalOrder()) {
		return []string{}
	}
	return names
}

// naturalOrder is how firmware tries devices that nobody ordered: disks by slot, then interfaces.
func (m *machine) naturalOrder() []string {
	var keys []string
	disks, nics := m.diskDevices(), m.nicDevices()
	keys = slices.SortedFunc(maps.Keys(disks), func(a, b string) int { return cmp.Compare(disks[a].Key, disks[b].Key) })
	return append(keys, slices.SortedFunc(maps.Keys(nics), func(a, b string) int {
		return cmp.Compare(nics[a].GetVirtualEthernetCard().Key, nics[b].GetVirtualEthernetCard().Key)
	})...)
}

// upgrade raises the virtual hardware to the version that is asked for: a task of its own.
func (b *Backend) upgrade(ctx context.Context, m *machine, version int64) error {
	_, err := b.conn.Await(ctx, "upgrade the virtual hardware", m.object(), func(ctx context.Context) (*object.Task, error) {
		return b.vm(m.id()).UpgradeVM(ctx, fmt.Sprintf("vmx-%d", version))
	})
	return blame(err, "vsphere.hardware_version")
}
