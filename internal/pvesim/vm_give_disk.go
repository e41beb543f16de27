package pvesim

import (
	"fmt"
	"slices"
	"strconv"
)

// diskGift is a disk that one VM gives to another.
type diskGift struct {
	r              *request
	from, to       int
	disk, slot     string
	source, target *machine
	drive          drive
	volume         *volume
}

// giveDisk gives a disk to another VM of the node, as it is: only its name changes.
func giveDisk(r *request) (any, error) {
	g := &diskGift{r: r, from: r.p.num("vmid", 0), to: r.p.num("target-vmid", 0), disk: r.p["disk"], slot: r.p["target-disk"]}
	if g.slot == "" {
		g.slot = g.disk
	}
	if err := r.need(r, vmPath(g.to), "VM.Config.Disk"); err != nil {
		return nil, err
	}
	if g.from == g.to {
		return nil, wrongParam("target-vmid", "must be different than source VMID to reassign disk")
	}
	if err := g.check(); err != nil {
		return nil, err
	}
	if err := r.need(r, "/storage/"+g.drive.storage(), "Datastore.AllocateSpace"); err != nil {
		return nil, err
	}
	id := fmt.Sprintf("%d-%s>%d-%s", g.from, g.disk, g.to, g.slot)
	return r.fork(r.p["node"], "qmmove", id, func(w *worker) error {
		return w.inLock(r.p["node"], g.from, func(*machine) error {
			m := w.machines[g.to]
			if m == nil {
				return die("could not find target VM %d", g.to)
			}
			release, err := w.takeLock(m)
			if err != nil {
				return err
			}
			defer release()
			if err := g.check(); err != nil {
				return err
			}
			return g.run(w)
		})
	}), nil
}

// check refuses what cannot be given away, and finds the machines and the volume.
func (g *diskGift) check() error {
	r := g.r
	g.source, g.target = r.machines[g.from], r.machines[g.to]
	switch {
	case g.source == nil:
		return die("could not find VM %d", g.from)
	case g.target == nil:
		return die("could not find target VM %d", g.to)
	case g.source.node != g.target.node:
		return die("Both VMs need to be on the same node (%s != %s)", g.source.node.name, g.target.node.name)
	case g.target.lxc:
		return missing(g.target.node.name, g.to)
	}
	if err := g.source.checkLock(); err != nil {
		return err
	}
	if err := g.target.checkLock(); err != nil {
		return err
	}
	if g.source.template || g.target.template {
		return die("Can't move disks from or to template VMs")
	}
	if err := g.source.checkModified(r.p["digest"]); err != nil {
		return die("VM %d: %v", g.from, err)
	}
	if err := g.target.checkModified(r.p["target-digest"]); err != nil {
		return die("VM %d: %v", g.to, err)
	}
	value, ok := g.source.config[g.disk]
	if !ok {
		return die("Disk '%s' for VM '%d' does not exist", g.disk, g.from)
	}
	if g.target.config.set(g.slot) {
		return die("Target disk key '%s' is already in use for VM '%d'", g.slot, g.to)
	}
	g.drive = parseDrive(value)
	return g.checkVolume()
}

func (g *diskGift) checkVolume() error {
	switch {
	case g.drive.cdrom() && !g.drive.cloudInit():
		return die("CD drive contents can't be moved to another VM")
	case g.drive.storage() == "":
		return die("Volume '%s' not managed by PVE", g.drive.file)
	case g.source.inUse(g.disk, g.drive.file):
		return die("Can't move disk used by a snapshot to another VM")
	}
	g.volume = g.r.volume(g.source.node.name, g.drive.file)
	switch {
	case g.volume == nil:
		return die("volume '%s' does not exist", g.drive.file)
	case !g.volume.can("rename", ""):
		return die("Storage does not support moving of this disk to another VM")
	case g.source.running && !isUnused(g.disk):
		return die("Cannot move disk to another VM while the source VM is running - detach first")
	}
	return nil
}

// run renames the volume and changes both configurations.
func (g *diskGift) run(w *worker) error {
	w.say("moving disk '%s' from VM '%d' to '%d'", g.disk, g.from, g.to)
	if err := w.reassign(g.volume, g.to); err != nil {
		return err
	}
	g.drive.file = g.volume.volid
	if order := g.source.config.bootOrder(); slices.Contains(order, g.disk) {
		w.say("removing disk '%s' from boot order config", g.disk)
		g.source.config["boot"] = printBootOrder(slices.DeleteFunc(order, func(key string) bool { return key == g.disk }))
	}
	delete(g.source.config, g.disk)
	w.say("removing disk '%s' from VM '%d' config", g.disk, g.from)
	if isUnused(g.slot) {
		g.target.config[g.slot] = g.drive.file
		return nil
	}
	change := *g.r
	change.p = params{"node": g.target.node.name, "vmid": strconv.Itoa(g.to), g.slot: g.drive.String()}
	u, err := newUpdate(&change)
	if err != nil {
		return err
	}
	u.m, u.worker = g.target, w
	if err := u.check(); err != nil {
		return err
	}
	return u.run()
}
