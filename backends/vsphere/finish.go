package vsphere

import (
	"context"
	"time"

	"github.com/vmware/govmomi/vim25/types"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// lookTime bounds what is looked up after the caller's context ended.
const lookTime = 10 * time.Second

// finish completes a VM that bld made: what needs the addresses of its interfaces, and what is no part of its configuration.
// The mark says that the VM is whole once it is.
func (b *Backend) finish(ctx context.Context, id backends.ID, spec *backends.VMSpec, bld *build) error {
	if !bld.mark.Partial {
		return nil
	}
	m, err := b.machine(ctx, id, "create")
	if err != nil {
		return err
	}
	k := bld.mark.clone()
	k.Partial = false
	k.belongTo(m)
	k.resolve(m)
	m.mark = k
	k.identify(m.diskDevices())
	if b.conn.VCenter() && len(spec.Tags) > 0 {
		if err := b.setTags(ctx, m, spec.Tags); err != nil {
			return blame(err, "tags")
		}
	}
	if spec.VSphere != nil && len(spec.VSphere.CustomAttributes) > 0 {
		if err := b.setAttributes(ctx, m, spec.VSphere.CustomAttributes, nil); err != nil {
			return blame(err, "vsphere.custom_attributes")
		}
	}
	return b.complete(ctx, m, k, spec, types.VirtualMachineConfigSpec{}, bld.boot)
}

// complete sends what could not be said before the VM had its devices: the seed, the boot order, and the mark.
func (b *Backend) complete(ctx context.Context, m *machine, k *mark, spec *backends.VMSpec, change types.VirtualMachineConfigSpec, boot bool) error {
	macs := map[string]string{}
	for key, card := range m.nicDevices() {
		macs[key] = card.GetVirtualEthernetCard().MacAddress
	}
	s, err := b.seed(ctx, m, k, spec, macs)
	if err != nil {
		return err
	}
	change.ExtraConfig = append(change.ExtraConfig, s.extra...)
	change.DeviceChange = append(change.DeviceChange, s.devices...)
	if boot && spec.VSphere != nil {
		options := types.VirtualMachineBootOptions{}
		if m.Config.BootOptions != nil {
			options = *m.Config.BootOptions
		}
		options.BootOrder = m.bootOrder(spec.VSphere.BootOrder)
		change.BootOptions = &options
	}
	option, err := k.option()
	if err == nil {
		change.ExtraConfig = append(change.ExtraConfig, option)
		err = b.reconfigure(ctx, m, "complete the configuration", change)
	}
	if err != nil {
		return s.failed(ctx, err)
	}
	if s.after != nil {
		return s.after(ctx)
	}
	return nil
}
