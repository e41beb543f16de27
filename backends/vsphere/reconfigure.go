package vsphere

import (
	"context"
	"errors"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/vim25/types"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/inherit"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/vsphere/inventory"
)

// Reconfigure carries out changes: the VM is read once, all changes of its hardware and of its mark go into one
// specification, and what is no part of a configuration (tags, attributes, places) follows. Where somebody else
// changes the VM in between, it begins again with what the VM is then.
func (b *Backend) Reconfigure(ctx context.Context, id backends.ID, r backends.Reconfiguration) error {
	const op = "change"
	pause := backoff.NewExponentialBackOff()
	pause.InitialInterval, pause.MaxInterval = 50*time.Millisecond, time.Second
	for try := 1; ; try++ {
		m, err := b.machine(ctx, id, op)
		if err != nil {
			return err
		}
		err = b.reconfigureOnce(ctx, m, r)
		if try == reconfigureTries || !isStale(err) {
			return backends.Wrap(err, op, m.object())
		}
		timer := time.NewTimer(pause.NextBackOff())
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return backends.Wrap(ctx.Err(), op, m.object())
		}
	}
}

// reconfigureTries is how often changes are tried on a VM that somebody else keeps changing.
const reconfigureTries = 5

// isStale reports whether a specification was made for a VM that is not like that any more.
func isStale(err error) bool {
	var e *backends.Error
	return errors.As(err, &e) && e.Code == backends.Locked
}

func (b *Backend) reconfigureOnce(ctx context.Context, m *machine, r backends.Reconfiguration) error {
	if m.Config == nil {
		return backends.Errorf(backends.Precondition, "", "", "the VM's configuration cannot be read: it is being made, or its files cannot be reached")
	}
	if r.Mode == backends.Deferred {
		return backends.Errorf(backends.Unsupported, "", "", "vSphere keeps no changes for the next start").Advise("Stop the VM first.")
	}
	changes := slices.DeleteFunc(slices.Clone(r.Changes), backends.Change.PartOfAddition)
	e, err := b.editOf(m, r, changes)
	if err != nil {
		return err
	}
	if err := e.admit(ctx, r, changes); err != nil {
		return err
	}
	if len(changes) == 0 {
		return nil
	}
	moved, changes := split(changes, isMove)
	if err := e.carryOut(ctx, changes); err != nil {
		return err
	}
	return e.follow(ctx, r, changes, moved)
}

// editOf is the edit that makes changes of a VM.
func (b *Backend) editOf(m *machine, r backends.Reconfiguration, changes []backends.Change) (*edit, error) {
	vm, err := m.observe(backends.AspectConfig | backends.AspectSeed)
	if err != nil {
		return nil, err
	}
	from := vm.Config
	whole := inherit.Merge(&from, r.Desired)
	e := &edit{
		Backend: b, from: &from, to: pick(&from, whole, changes), m: m, place: m.place(),
		datastores: map[string]inventory.Object{}, disksOf: m.diskDevices(),
	}
	e.forgetTags(r.Desired)
	e.mark = e.ensureMark()
	e.newLayout()
	return e, nil
}

// forgetTags takes the VLANs away that interfaces had on the networks that they leave, where none is asked for.
func (e *edit) forgetTags(desired *backends.VMSpec) {
	for key, n := range e.to.Networks {
		if had, ok := e.from.Networks[key]; ok && changed(had.Network, n.Network) && desired.Networks[key].VLAN == nil {
			n.VLAN = nil
			e.to.Networks[key] = n
		}
	}
}

// ensureMark is the VM's mark; one that was made elsewhere gets one, in which its devices have the keys under which they are observed.
func (e *edit) ensureMark() *mark {
	if e.m.mark != nil {
		k := e.m.mark.clone()
		k.belongTo(e.m)
		for key, d := range e.disksOf {
			if have := e.m.markOf(key, d); have.Volume != "" {
				k.Disks[key] = have // also where somebody else attached it
			}
		}
		return k
	}
	k := &mark{Adopted: true, Disks: map[string]diskMark{}, NICs: map[string]nicMark{}}
	k.belongTo(e.m)
	for key, d := range e.disksOf {
		k.Disks[key] = e.m.markOf(key, d)
	}
	for key, c := range e.m.nicDevices() {
		card := c.GetVirtualEthernetCard()
		k.NICs[key] = nicMark{Device: card.Key, Unit: value(card.UnitNumber)}
	}
	return k
}

// place is where the VM is, as far as new disks and interfaces have to know.
func (m *machine) place() inventory.Place {
	var p inventory.Place
	if m.Runtime.Host != nil {
		if host, ok := m.index.Object(*m.Runtime.Host); ok {
			p.Host = &host
		}
		p.Compute, _ = m.index.Compute(*m.Runtime.Host)
	}
	if m.ResourcePool != nil {
		p.Pool, _ = m.index.Object(*m.ResourcePool)
	}
	if m.Parent != nil {
		p.Folder, _ = m.index.Object(*m.Parent)
	}
	p.Datacenter, _ = m.index.Object(p.Compute.Datacenter)
	if ds, ok := m.homeStore(); ok {
		p.Datastore = &ds
	}
	return p
}

// homeStore is the datastore of the VM's own files: where new disks go that name none.
func (m *machine) homeStore() (inventory.Object, bool) {
	var p object.DatastorePath
	if !p.FromString(m.Config.Files.VmPathName) {
		return inventory.Object{}, false
	}
	for _, ref := range m.Datastore {
		if o, ok := m.index.Object(ref); ok && escaped(o.Name) == p.Datastore {
			return o, true
		}
	}
	return inventory.Object{}, false
}

// carryOut sends what changes the configuration, in one specification.
func (e *edit) carryOut(ctx context.Context, changes []backends.Change) error {
	if err := e.upgradeFirst(ctx); err != nil {
		return err
	}
	if err := e.volumes(ctx); err != nil {
		return err
	}
	if err := e.build(ctx); err != nil {
		return err
	}
	e.note(changes)
	late := e.boot && addsDevices(e.spec.DeviceChange)
	if e.boot && !late {
		e.bootOptions().BootOrder = e.m.bootOrder(e.to.VSphere.BootOrder)
	}
	reseed := touchesSeed(changes) && (datasourceOf(e.to) != "" || e.mark.Seed != nil)
	needsMACs := reseed && addsNICs(e.spec.DeviceChange)
	var s seeding
	if reseed && !needsMACs {
		var err error
		if s, err = e.reseed(ctx); err != nil {
			return err
		}
	}
	if err := e.send(ctx); err != nil {
		return s.failed(ctx, err)
	}
	if s.after != nil {
		if err := s.after(ctx); err != nil {
			return err
		}
	}
	if !late && !needsMACs {
		return nil
	}
	m, err := e.machine(ctx, e.m.id(), "change")
	if err != nil {
		return err
	}
	e.m = m
	k := m.mark.clone()
	to := *e.to
	if !needsMACs {
		to.CloudInit, to.Customization, to.DNS = nil, nil, nil
	}
	return e.complete(ctx, m, k, &to, types.VirtualMachineConfigSpec{}, late)
}

// send reconfigures the VM where anything differs.
func (e *edit) send(ctx context.Context) error {
	noted := e.m.mark != nil && reflect.DeepEqual(e.m.mark, e.mark)
	if noted && reflect.DeepEqual(e.spec, types.VirtualMachineConfigSpec{}) {
		return nil
	}
	e.mark.identify(e.stay) // on this occasion
	if e.m.mark == nil || !reflect.DeepEqual(e.m.mark, e.mark) {
		option, err := e.mark.option()
		if err != nil {
			return err
		}
		e.spec.ExtraConfig = append(e.spec.ExtraConfig, option)
	}
	return explain(e.reconfigure(ctx, e.m, "change", e.spec), e.blames)
}

// reseed puts the seed into the specification.
func (e *edit) reseed(ctx context.Context) (seeding, error) {
	macs := map[string]string{}
	for key, card := range e.m.nicDevices() {
		if want, stays := e.to.Networks[key]; stays {
			macs[key] = orElse(want.MAC, card.GetVirtualEthernetCard().MacAddress)
		}
	}
	s, err := e.seed(ctx, e.m, e.mark, e.to, macs)
	e.spec.ExtraConfig = append(e.spec.ExtraConfig, s.extra...)
	for _, d := range s.devices {
		e.spec.DeviceChange = append(e.spec.DeviceChange, d)
		e.blames = append(e.blames, "cloud_init")
	}
	return s, err
}

// follow makes the changes that are no part of a configuration.
func (e *edit) follow(ctx context.Context, r backends.Reconfiguration, changes, moved []backends.Change) error {
	has := func(path backends.Path) bool {
		return slices.ContainsFunc(changes, func(c backends.Change) bool { return c.Path == path })
	}
	tags, attributes := has("tags"), has("vsphere.custom_attributes")
	if !tags && !attributes && len(moved) == 0 {
		return nil
	}
	if tags {
		if err := e.setTags(ctx, e.m, e.to.Tags); err != nil {
			return err
		}
	}
	if attributes {
		if err := e.setAttributes(ctx, e.m, e.to.VSphere.CustomAttributes, e.before); err != nil {
			return err
		}
	}
	if len(moved) == 0 {
		return nil
	}
	m, err := e.machine(ctx, e.m.id(), "change") // as it is now
	if err != nil {
		return err
	}
	return e.relocate(ctx, m, r, moved)
}

func split(changes []backends.Change, is func(backends.Change) bool) (yes, no []backends.Change) {
	for _, c := range changes {
		if is(c) {
			yes = append(yes, c)
		} else {
			no = append(no, c)
		}
	}
	return yes, no
}

// isMove reports whether a change is one of the place of a VM or of a disk, which takes a task of its own.
func isMove(c backends.Change) bool {
	p := c.Path.Generic()
	switch p {
	case "disks.storage", "disks.provisioning", "disks.policy":
		return true
	}
	return strings.HasPrefix(p, "placement.") && p != "placement.storage"
}

// note keeps in the mark what is no part of the configuration.
func (e *edit) note(changes []backends.Change) {
	for _, c := range changes {
		switch c.Path {
		case "placement.storage":
			e.mark.Placement.Storage = value(e.to.Placement.Storage)
		case "tags":
			e.mark.Tags = e.markTags(e.to.Tags)
		case "vsphere.custom_attributes":
			e.before = e.mark.Attributes
			e.mark.Attributes = slices.Sorted(maps.Keys(e.to.VSphere.CustomAttributes))
		}
	}
}

func addsDevices(changes []types.BaseVirtualDeviceConfigSpec) bool {
	return slices.ContainsFunc(changes, func(c types.BaseVirtualDeviceConfigSpec) bool {
		return c.GetVirtualDeviceConfigSpec().Operation == types.VirtualDeviceConfigSpecOperationAdd
	})
}

func addsNICs(changes []types.BaseVirtualDeviceConfigSpec) bool {
	return slices.ContainsFunc(changes, func(c types.BaseVirtualDeviceConfigSpec) bool {
		s := c.GetVirtualDeviceConfigSpec()
		card, ok := s.Device.(types.BaseVirtualEthernetCard)
		return ok && s.Operation == types.VirtualDeviceConfigSpecOperationAdd && card.GetVirtualEthernetCard().MacAddress == ""
	})
}

// touchesSeed reports whether the guest has to be told anew: also of its name and its interfaces.
func touchesSeed(changes []backends.Change) bool {
	return slices.ContainsFunc(changes, func(c backends.Change) bool {
		p := c.Path.Generic()
		return p == "dns" || p == "customization" || p == "cloud_init" || strings.HasPrefix(p, "cloud_init.") || p == "name" ||
			slices.Contains([]string{"networks", "networks.ipv4", "networks.ipv6", "networks.mac", "networks.order"}, p)
	})
}
