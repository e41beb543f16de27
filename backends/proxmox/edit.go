package proxmox

import (
	"maps"
	"slices"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/inherit"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/proxmox/vmconf"
)

// edit turns what a VM is into what it shall be. Each aspect compares from with to and writes what differs into next, the
// configuration that the VM gets, so that a creation is an edit of nothing and a change that holds already is none.
type edit struct {
	request
	from, to *backends.VMSpec
	asked    *backends.VMSpec // to without what is left alone
	seen     *observation     // of request.Have
	cfg      vmconf.Config    // that there is
	next     vmconf.Config
	mark     *mark
	plan     *plan
}

// makePlan says how a VM becomes what is desired, or refuses what cannot be had: Invalid, Precondition or NotFound
// with a Path. It changes nothing.
func makePlan(r request) (*plan, error) {
	e := &edit{request: r, from: &backends.VMSpec{}, to: r.Want, asked: r.Want, cfg: vmconf.Config{}, seen: &observation{}}
	if r.Have != nil {
		e.cfg, e.seen = r.Have.Config, r.Have.observe(r.World, true)
		e.from = &e.seen.Spec
		e.to = inherit.Merge(e.from, r.Want)
		e.mark = r.Have.Mark.clone(r.Have.VMID)
	} else {
		e.mark = (&mark{VM: r.VMID, Token: r.Want.CreateToken, Cloned: r.Clone}).clone(r.VMID)
	}
	e.next = e.cfg.Clone()
	e.plan = &plan{Blame: map[string]backends.Path{}, Mark: e.mark, Slots: maps.Clone(e.seen.Slots), NICs: maps.Clone(e.seen.NICs)}
	if e.plan.Slots == nil {
		e.plan.Slots, e.plan.NICs = map[string]string{}, map[string]string{}
	}
	for _, aspect := range []func() error{
		e.general, e.machine, e.options, e.cpu, e.memory, e.console, e.devices, e.hostDevices, // no drives
		e.disks, e.firmware, e.nics, e.cdrom, e.seed, e.boot, e.placement, e.checkOptions, e.describe,
	} {
		if err := aspect(); err != nil {
			return nil, err
		}
	}
	e.finish()
	return e.plan, nil
}

// creating: there is no VM yet.
func (e *edit) creating() bool { return e.Have == nil }

// set writes a value for the attribute at path; "" takes the key away.
func (e *edit) set(key, text string, path backends.Path) {
	if text == "" {
		delete(e.next, key)
	} else {
		e.next[key] = text
	}
	e.plan.Blame[key] = path
}

// finish makes the parameters of what next has and cfg does not. Drives that go are detached by aspects.
func (e *edit) finish() {
	p := e.plan
	gone := map[string]bool{}
	for _, d := range p.Detach {
		gone[d.Slot] = true
	}
	p.Set = vmconf.Config{}
	for key, text := range e.next {
		if had, ok := e.cfg[key]; !ok || had != text || gone[key] {
			p.Set[key] = text
		}
	}
	for _, key := range slices.Sorted(maps.Keys(e.cfg)) {
		if _, stays := e.next[key]; !stays && !gone[key] {
			p.Delete = append(p.Delete, key)
		}
	}
	p.Spec = *e.to
}

// describe writes the description with the mark at its end.
func (e *edit) describe() error {
	e.mark.Version = markVersion
	text, err := e.mark.describe(value(e.to.Description))
	if err != nil {
		return err
	}
	e.set("description", text, "description")
	return nil
}
