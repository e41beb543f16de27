package libvirt

import (
	"context"
	"fmt"
	"slices"
	"strings"

	rpc "github.com/digitalocean/go-libvirt"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/catalogues"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/inherit"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/libvirt/storage"
)

// Reconfigure carries out changes.
//
// A stopped VM's definition is edited and written once, and so is that of a
// running VM whose changes wait for the next start. The live changes of a running
// VM are made one by one, in QEMU and in the definition.
func (b *Backend) Reconfigure(ctx context.Context, id backends.ID, r backends.Reconfiguration) error {
	object := backends.VMObject(string(id))
	unlock, err := b.locks.lock(ctx, lockName(id))
	if err != nil {
		return backends.Wrap(err, "change", object)
	}
	defer unlock()
	dom, err := b.lookup(ctx, id)
	if err != nil {
		return backends.Wrap(err, "change", object)
	}
	return backends.Wrap(b.reconfigure(ctx, dom, r), "change", backends.VMObject(dom.Name))
}

func (b *Backend) reconfigure(ctx context.Context, dom rpc.Domain, r backends.Reconfiguration) error {
	h, err := b.host(ctx)
	if err != nil {
		return err
	}
	d, err := b.readDomain(ctx, dom, xmlFlags)
	if err != nil {
		return err
	}
	state, err := b.state(ctx, dom)
	if err != nil {
		return err
	}
	e := &edit{Backend: b, dom: dom, d: d, host: h, up: isUp(state), mode: r.Mode}
	if err := e.admit(ctx, r.Changes, r.Desired); err != nil {
		return err
	}
	changes := slices.DeleteFunc(slices.Clone(r.Changes), backends.Change.PartOfAddition)
	e.ensureMark()
	defer e.releaseMACs()
	defer b.macs.forget(dom.UUID)
	if e.up && r.Mode == backends.Live {
		err = e.live(ctx, changes)
	} else {
		err = e.cold(ctx, changes)
	}
	if err != nil {
		return err
	}
	return e.sweep(ctx)
}

// edit is one Reconfigure.
type edit struct {
	*Backend
	dom  rpc.Domain
	d    *domain // the persistent definition
	host *hostFacts
	up   bool
	mode backends.ReconfigureMode

	from *backends.VMSpec // as observed
	to   *backends.VMSpec // from with what is desired

	pools map[string]backends.Storage // read when the first disk needs them
	seed  bool                        // the seed must be written anew

	releases []func() // end the reservations of addresses
}

// releaseMACs is for the end of an edit, when the definition has the new addresses.
func (e *edit) releaseMACs() {
	for _, release := range e.releases {
		release()
	}
}

// admit checks that the changes can be made at all, before any of them is.
func (e *edit) admit(ctx context.Context, changes []backends.Change, desired *backends.VMSpec) error {
	pools, err := e.poolPathsFor(ctx, []*reading{{domain: e.d}})
	if err != nil {
		return err
	}
	from := e.d.observeSpec(nil, pools)
	e.seed = e.d.mark != nil && e.d.mark.SeedStale
	if e.seed || touchesSeed(changes) {
		if err := e.readSeed(ctx, e.d, &from); err != nil {
			return err
		}
	}
	e.from, e.to = &from, inherit.Merge(&from, desired)
	if err := e.d.mark.admitsTemplateChange(changes); err != nil {
		return err
	}
	if slices.ContainsFunc(changes, func(c backends.Change) bool { return c.Path == "libvirt.domain_type" }) {
		if err := validateDomainType(e.to, e.host); err != nil {
			return err
		}
	}
	cat := e.host.narrow(catalogues.Libvirt())
	if err := refuse(cat, e.from, e.to, changes); err != nil {
		return err
	}
	if err := e.admitFrozen(ctx, cat, changes); err != nil {
		return err
	}
	if err := e.admitKept(ctx, changes); err != nil {
		return err
	}
	if err := e.admitMemory(changes); err != nil {
		return err
	}
	if err := e.admitPassword(changes); err != nil {
		return err
	}
	if e.up && e.mode == backends.Live {
		for _, c := range changes {
			if im := cat.ImpactOf(e.from, e.to, c); im.Effect != backends.EffectLive {
				return backends.Errorf(backends.Precondition, "", "", "to %s while the VM runs is not possible: %s", c, im.Reason).
					At(c.Path).Advise("Stop the VM first.")
			}
		}
	}
	subject := touched(e.to, changes)
	for _, check := range validators {
		if err := check(subject, e.host); err != nil {
			return err
		}
	}
	if slices.ContainsFunc(changes, func(c backends.Change) bool { return c.Path == "libvirt.machine" }) {
		if err := validateMachine(e.to, e.host); err != nil {
			return err
		}
	}
	if e.up && e.mode == backends.Cold {
		return backends.Errorf(backends.Precondition, "", "", "the VM runs").Advise("Stop the VM first.")
	}
	if !e.up && !onlyNotes(changes) {
		saved, err := e.hasSavedMemory(ctx, e.dom)
		if err != nil {
			return err
		}
		if saved {
			return backends.Errorf(backends.Precondition, "", "", "the VM is suspended: its saved memory only fits the hardware that it had").
				Advise("Resume it, or stop it, which discards the saved memory.")
		}
	}
	return nil
}

// admitFrozen refuses what snapshots are in the way of.
func (e *edit) admitFrozen(ctx context.Context, cat backends.Catalogue, changes []backends.Change) error {
	i := slices.IndexFunc(changes, func(c backends.Change) bool { return cat.FrozenBy(c) != "" })
	if i < 0 {
		return nil
	}
	names, err := e.snapshotNames(ctx, e.dom, 0)
	if err != nil || len(names) == 0 {
		return err
	}
	return backends.Errorf(backends.Precondition, "", "", "to %s is not possible while the VM has snapshots (%s): %s",
		changes[i], strings.Join(names, ", "), cat.FrozenBy(changes[i])).At(changes[i].Path).Advise("Delete the snapshots first.")
}

// touched leaves of a spec what changes are about, for validation: what a VM has already,
// however odd, is no reason to refuse another change of it.
func touched(spec *backends.VMSpec, changes []backends.Change) *backends.VMSpec {
	paths, keys := map[string]bool{}, map[string]bool{}
	for _, c := range changes {
		paths[c.Path.Generic()] = true
		keys[c.Key] = true
	}
	out := *spec
	out.Image, out.Description = "", nil // an image acts at creation only
	if paths["description"] {
		out.Description = spec.Description
	}
	if !paths["name"] {
		out.Name = "unchanged"
	}
	if !paths["tags"] {
		out.Tags = nil
	}
	if !paths["cpu.model"] && !paths["libvirt.domain_type"] {
		out.CPU.Model = nil
	}
	if !paths["cpu.affinity"] {
		out.CPU.Affinity = nil
	}
	if !paths["cpu.shares"] {
		out.CPU.Shares = nil
	}
	if !paths["cpu.limit_mhz"] {
		out.CPU.LimitMHz = nil
	}
	if !hasPrefix(paths, "memory.") {
		out.Memory.LimitMiB, out.Memory.ReservationMiB = nil, nil
	}
	if !hasPrefix(paths, "console.") {
		out.Console = nil
	}
	if !touchesSeed(changes) {
		out.CloudInit, out.DNS, out.Customization = nil, nil, nil
	}
	out.Disks = map[string]backends.Disk{}
	for key, disk := range spec.Disks {
		if !keys[key] {
			continue
		}
		if disk.SizeGiB == nil {
			disk.SizeGiB = ptr(int64(1)) // it is there and has one
		}
		out.Disks[key] = disk
	}
	return &out
}

func hasPrefix(paths map[string]bool, prefix string) bool {
	for p := range paths {
		if strings.HasPrefix(p, prefix) {
			return true
		}
	}
	return false
}

// onlyNotes reports whether changes are about what no hardware depends on.
func onlyNotes(changes []backends.Change) bool {
	return !slices.ContainsFunc(changes, func(c backends.Change) bool { return !c.IsNote() && c.Path != "customization" })
}

func isSeedPath(generic string) bool {
	return generic == "dns" || generic == "networks.ipv4" || generic == "networks.ipv6" ||
		generic == "cloud_init" || generic == "customization" || strings.HasPrefix(generic, "cloud_init.")
}

// touchesSeed reports whether the seed has to be written anew. It lists the NICs, so
// it changes with them.
func touchesSeed(changes []backends.Change) bool {
	return slices.ContainsFunc(changes, func(c backends.Change) bool {
		p := c.Path.Generic()
		return isSeedPath(p) || p == "networks" || p == "networks.mac" || p == "networks.mtu" || p == "networks.order" || p == "name"
	})
}

// ensureMark gives a VM that was made elsewhere a mark, in which its devices have the
// keys under which it was observed. Its volumes stay its own affair.
func (e *edit) ensureMark() {
	if e.d.mark != nil {
		return
	}
	m := &mark{Version: markVersion, Adopted: true}
	for i, key := range diskKeys(e.d.xml, nil) {
		if key == "" {
			continue
		}
		device := &e.d.xml.Devices.Disks[i]
		ref := storage.Ref{Pool: deref(e.from.Disks[key].Storage)}
		if !ref.IsZero() {
			path := pathOf(device)
			ref.Name = path[strings.LastIndexByte(path, '/')+1:]
		}
		m.setDisk(diskMark{Key: key, Device: targetOf(device), Pool: ref.Pool, Volume: ref.Name})
	}
	for i, key := range nicKeys(e.d.xml, nil) {
		m.setNIC(nicMark{Key: key, MAC: macOf(&e.d.xml.Devices.Interfaces[i])})
	}
	if i := e.d.userDrive(); i >= 0 {
		drive := &e.d.xml.Devices.Disks[i]
		m.CDROM = &driveMark{Device: targetOf(drive), ISO: e.from.CDROM.ISO, Path: pathOf(drive)}
	}
	e.d.mark = m
}

// sweep removes the volumes of disks that were removed and that no guest has open any
// more, and those that a failed addition left.
func (e *edit) sweep(ctx context.Context) error {
	return e.Backend.sweep(ctx, e.dom, e.d, e.up)
}

func (b *Backend) sweep(ctx context.Context, dom rpc.Domain, d *domain, up bool) error {
	if d.mark == nil || !slices.ContainsFunc(d.mark.Disks, func(m diskMark) bool { return m.Retired }) {
		return nil
	}
	inUse := map[string]bool{}
	if up {
		live, err := b.readDomain(ctx, dom, 0)
		if err != nil {
			return err
		}
		for i := range live.xml.Devices.Disks {
			inUse[pathOf(&live.xml.Devices.Disks[i])] = true
		}
	}
	for _, entry := range slices.Clone(d.mark.Disks) {
		if !entry.Retired {
			continue
		}
		if entry.Owned && !entry.Keep {
			ref := storage.Ref{Pool: entry.Pool, Name: entry.Volume}
			v, err := b.store.Get(ctx, ref)
			if err == nil && inUse[v.Path] {
				continue
			}
			if err == nil {
				// Linked clones of a template share it as it is.
				vms, loose, err := b.sharers(ctx, dom.UUID, map[storage.Ref]bool{ref: true})
				if err != nil {
					return err
				}
				if len(vms)+len(loose) > 0 {
					continue
				}
			}
			if err := b.deleteVolume(ctx, ref); err != nil {
				return err
			}
		}
		d.mark.dropDisk(entry)
	}
	return b.saveMark(ctx, dom, d, up)
}

// beforeStart tidies up what waited for the VM to be stopped.
func (b *Backend) beforeStart(ctx context.Context, dom rpc.Domain) error {
	d, err := b.readDomain(ctx, dom, xmlFlags)
	if err != nil {
		return err
	}
	if err := b.sweep(ctx, dom, d, false); err != nil {
		return err
	}
	ejected := b.ejectLostSeed(ctx, dom, d)
	merged := d.mark != nil && mergeDIMMs(d.xml)
	if m := d.mark; ejected || merged || m != nil && !m.Adopted && addSpareSlots(d.xml) {
		return b.define(ctx, d)
	}
	return nil
}

// ejectLostSeed takes a seed whose volume somebody deleted out of its drive, and reports
// whether it had to: libvirt would not start the VM. A guest that was set up before does well without; the next change
// of what the seed tells makes it anew.
func (b *Backend) ejectLostSeed(ctx context.Context, dom rpc.Domain, d *domain) bool {
	if d.mark == nil || d.mark.Seed == nil {
		return false
	}
	i := findTarget(d.xml, d.mark.Seed.Device)
	if i < 0 || d.xml.Devices.Disks[i].Source == nil {
		return false
	}
	_, err := b.store.Get(ctx, d.mark.Seed.ref())
	if !isVolumeGone(err) {
		return false // it is there, or libvirt says at the start what is wrong with it
	}
	backends.Warn(ctx, backends.Warning{
		Path:    "cloud_init",
		Summary: backends.VMObject(dom.Name) + " starts without its cloud-init seed",
		Detail:  fmt.Sprintf("The volume %s is gone. A change of cloud_init makes a new one.", d.mark.Seed.ref()),
	})
	d.xml.Devices.Disks[i].Source = nil
	return true
}
