package proxmox

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/proxmox/fault"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/proxmox/pve"
)

// CreateVM makes a VM and leaves it stopped. Everything that can be checked is checked before; Proxmox VE then makes the VM with its disks in one
// task. The mark is in it from the beginning, so that nothing is forgotten whenever this ends.
func (b *Backend) CreateVM(ctx context.Context, spec *backends.VMSpec) (backends.ID, error) {
	id, err := b.createVM(ctx, spec)
	return id, fault.Wrap(err, "create", backends.VMObject(spec.Name))
}

func (b *Backend) createVM(ctx context.Context, spec *backends.VMSpec) (backends.ID, error) {
	if err := backends.Vet(b.catalogue(), &backends.VMSpec{}, spec, backends.Requirements(spec), "create", backends.VMObject(spec.Name)); err != nil {
		return "", err
	}
	switch {
	case spec.Image != "" && spec.Template != "":
		return "", backends.Errorf(backends.Invalid, "", "", "a VM is made from an image or from a template, not from both").At("template")
	case spec.Image == "" && spec.Template == "" && spec.Linked:
		return "", backends.Errorf(backends.Invalid, "", "", "linked asks to share the content of an image or a template, and there is none").At("linked")
	}
	from, err := b.originOf(ctx, spec)
	if err != nil {
		return "", err
	}
	release, ok := b.making.name(spec.Name)
	if !ok {
		return "", backends.Errorf(backends.Conflict, "", "", "another VM %q is being made", spec.Name).At("name")
	}
	defer release()
	if id, err := b.claim(ctx, spec.Name, spec.CreateToken); id != "" || err != nil {
		return id, err
	}
	if from.vm != "" {
		return b.deploy(ctx, spec, from)
	}
	return b.make(ctx, spec, from)
}

// origin is what a new VM is made from.
type origin struct {
	vm     backends.ID // a template, or an image that is one; "" for none
	path   backends.Path
	volume string   // that the disk "root" is made from
	bytes  int64    // of it, as a guest sees them; 0 is not known
	nodes  []string // that have the volume; nil is any
}

func (o origin) at(node string) bool { return o.nodes == nil || slices.Contains(o.nodes, node) }

// claim looks for VMs of the name anywhere in the cluster: Proxmox VE would allow another one. One that an earlier try of the same creation made is
// the result; one that it left half-made is removed. Anything else is a Conflict.
func (b *Backend) claim(ctx context.Context, name, token string) (backends.ID, error) {
	if id, err := b.settle(ctx, token); id != "" || err != nil {
		return id, err
	}
	all, err := b.census(ctx)
	if err != nil {
		return "", err
	}
	var others []string
	for _, vmid := range sortedKeys(all) {
		if all[vmid].name() != name {
			continue
		}
		m, err := b.own(ctx, vmid, token)
		switch {
		case backends.CodeOf(err) == backends.NotFound:
			continue
		case err != nil:
			return "", err
		case m == nil:
			others = append(others, fmt.Sprintf("with the id %d at the node %q", vmid, all[vmid].node))
			continue
		case m.beingMade():
			return "", stillMaking(vmid)
		case !m.Mark.Partial:
			return m.id(), nil
		}
		if err := b.DeleteVM(ctx, m.id(), backends.DeleteOptions{}); err != nil && backends.CodeOf(err) != backends.NotFound {
			return "", err
		}
	}
	if len(others) == 0 {
		return "", nil
	}
	return "", backends.Errorf(backends.Conflict, "", "", "the cluster has a VM %q already, %s", name, strings.Join(others, ", and another ")).At("name").
		Advise("Choose another name, or bring the existing VM under management with: terraform import ADDRESS VMID")
}

// own reads a VM where a creation with the token made it, nil where another did. A VM whose mark cannot be read is another's.
func (b *Backend) own(ctx context.Context, vmid int64, token string) (*machine, error) {
	if token == "" {
		return nil, nil
	}
	m, err := b.machine(ctx, idOf(vmid))
	switch {
	case errors.Is(err, errMark):
		return nil, nil
	case err != nil:
		return nil, err
	case m.Mark == nil || m.Mark.Token != token:
		return nil, nil
	}
	return m, nil
}

// make has Proxmox VE create the VM, and finishes what it cannot do in one call.
func (b *Backend) make(ctx context.Context, spec *backends.VMSpec, from origin) (backends.ID, error) {
	node, err := b.place(ctx, spec.Placement, from.at, orElse(spec.Memory.SizeMiB, usualMiB)<<20)
	if err != nil {
		return "", err
	}
	if !from.at(node) {
		return "", backends.Errorf(backends.Precondition, "", "", "the node %q does not have the image %q, which is at %q", node, spec.Image, from.nodes).At("image").
			Advise("Place the VM there, or import the image to a storage that the node has.")
	}
	if err := b.checkPool(ctx, spec.Placement.Pool); err != nil {
		return "", err
	}
	if err := b.checkNetworks(ctx, node, spec.Networks); err != nil {
		return "", err
	}
	if err := b.checkMACs(ctx, 0, spec.Networks); err != nil {
		return "", err
	}
	w, err := b.worldOf(ctx, node, spec)
	if err != nil {
		return "", err
	}
	if spec.Placement.Pool == nil && b.cfg.Pool != "" {
		c := *spec
		c.Placement.Pool = &b.cfg.Pool
		spec = &c
	}
	var p *plan
	var left trace
	guid := uuid.NewString()
	vmid, err := b.allocate(ctx, spec.CreateToken, askedID(spec), func(ctx context.Context, vmid int64) error {
		left = nothing
		p, err = makePlan(request{
			World: w, VMID: vmid, Node: node, Want: spec, Import: from.volume, ImportBytes: from.bytes,
			UUID: guid, MAC: newMAC, SeedVolume: b.seedVolume(w, vmid, guid),
		})
		if err != nil {
			return err
		}
		if err := b.admitVolumes(ctx, node, vmid, nil, p); err != nil {
			return err
		}
		left, err = b.post(ctx, node, vmid, guid, p)
		return err
	})
	id := idOf(vmid)
	if err != nil {
		return b.whatIsLeft(ctx, vmid, spec.CreateToken, left, madeWith(guid)), blame(err, p)
	}
	b.making.sure(spec.CreateToken)
	return id, blame(b.complete(ctx, node, vmid, p), p)
}

// usualMiB is the memory that Proxmox VE gives a VM that does not say.
const usualMiB = 512

func askedID(spec *backends.VMSpec) *int64 {
	if spec.Proxmox == nil {
		return nil
	}
	return spec.Proxmox.VMID
}

// post creates the VM. The drive of a seed comes later: a seed has no place before the VMID is reserved.
func (b *Backend) post(ctx context.Context, node string, vmid int64, guid string, p *plan) (trace, error) {
	defer b.estate.changed()
	form := map[string]any{"vmid": vmid}
	for key, text := range p.Set {
		form[key] = text
	}
	if p.unfinished() {
		m := *p.Mark
		m.Partial = true
		text, err := m.describe(value(p.Spec.Description))
		if err != nil {
			return nothing, err
		}
		form["description"] = text
	}
	if p.Seed != nil {
		delete(form, p.Seed.Slot)
	}
	if p.Pool != nil && *p.Pool != "" {
		form["pool"] = *p.Pool
	}
	if err := ctx.Err(); err != nil {
		return nothing, err
	}
	o, err := b.conn.Task(ctx, "create", backends.VMObject(p.Spec.Name), "POST", pve.Path("nodes", node, "qemu"), form)
	left := traceOf(o, err)
	if lost(err) && ctx.Err() == nil {
		// The answer was lost: the VM is being made, or is not.
		if b.appears(ctx, idOf(vmid), madeWith(guid)) {
			return nothing, nil
		}
	}
	var r *fault.Refusal
	if p.Pool != nil && errors.As(err, &r) && strings.Contains(r.Error(), "pool '"+*p.Pool+"' does not exist") {
		return left, backends.Errorf(backends.NotFound, "", "", "the cluster has no pool %q, or the account may not see it", *p.Pool).At("placement.pool")
	}
	return left, err
}

// unfinished reports whether there is more to do after the VM was made.
func (p *plan) unfinished() bool { return p.Seed != nil || len(p.Resize) > 0 }

// complete does what cannot be part of the creation, and then takes the note away that something is missing.
func (b *Backend) complete(ctx context.Context, node string, vmid int64, p *plan) error {
	if !p.unfinished() {
		return nil
	}
	defer b.estate.changed()
	for _, r := range p.Resize {
		if err := insist(ctx, func() error { return b.resize(ctx, node, vmid, r) }); err != nil {
			return err
		}
	}
	form := map[string]any{"description": p.Set["description"]}
	if p.Seed != nil {
		if err := b.uploadSeed(ctx, node, p.Seed); err != nil {
			return err
		}
		form[p.Seed.Slot] = p.Set[p.Seed.Slot]
	}
	err := insist(ctx, func() error { return b.put(ctx, node, vmid, form) })
	if err != nil && p.Seed != nil {
		b.discardSeed(ctx, node, vmid, p.Seed)
	}
	return err
}

// blame names the attribute that asks for the parameter that was refused.
func blame(err error, p *plan) error {
	if err == nil || p == nil {
		return err
	}
	return fault.Blame(err, func(param string) backends.Path {
		if param == "pool" {
			return "placement.pool"
		}
		return p.Blame[param]
	})
}
