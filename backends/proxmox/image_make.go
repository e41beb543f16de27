package proxmox

import (
	"context"
	"maps"

	"github.com/google/uuid"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/proxmox/pve"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/proxmox/vmconf"
)

// compose makes a VM whose disks have the content of files or of other VMs' disks, and a template of it. Where it fails nothing is left.
func (a *arrival) compose(ctx context.Context, place landing, spec *backends.VMSpec, from map[string]staged) (backends.ID, error) {
	defer a.estate.changed()
	spec.Name, spec.CreateToken = hostnameFor(a.spec.Name), a.token
	release, ok := a.making.name(spec.Name)
	if !ok {
		return "", backends.Errorf(backends.Conflict, "", "", "a VM %q is being made", spec.Name).At("name")
	}
	defer release()
	if spec.Placement.Pool == nil && a.cfg.Pool != "" {
		spec.Placement.Pool = &a.cfg.Pool
	}
	guid := uuid.NewString()
	var p *plan
	vmid, err := a.allocate(ctx, a.token, nil, func(ctx context.Context, vmid int64) (err error) {
		p, err = makePlan(request{
			World: place.world, VMID: vmid, Node: place.node, Want: spec, Import: from[rootKey].volume, ImportBytes: from[rootKey].bytes,
			UUID: guid, MAC: newMAC, SeedVolume: a.seedVolume(place.world, vmid, guid),
		})
		if err != nil {
			return err
		}
		a.importRest(p, spec, from)
		return a.launch(ctx, place.node, vmid, p)
	})
	id := idOf(vmid)
	if err == nil {
		err = a.finish(ctx, place.node, vmid, p, from)
	}
	if err != nil {
		if p != nil {
			err = a.undo(ctx, id, err)
		}
		return "", blame(err, p)
	}
	return id, nil
}

// importRest gives the disks beside root their content: a plan knows one image.
func (a *arrival) importRest(p *plan, spec *backends.VMSpec, from map[string]staged) {
	for key, s := range from {
		if key == rootKey {
			continue
		}
		slot := p.Slots[key]
		d := vmconf.ParseDrive(p.Set[slot])
		p.Set[slot] = d.WithVolume(d.Storage()+":0").Put("import-from", s.volume).String()
		if size := value(spec.Disks[key].SizeGiB) * vmconf.GiB; size > s.bytes {
			p.Resize = append(p.Resize, resize{Slot: slot, Bytes: size})
		}
	}
}

// launch creates the VM, with a note that it is not complete.
func (a *arrival) launch(ctx context.Context, node string, vmid int64, p *plan) error {
	defer a.estate.changed()
	p.Mark.Image, p.Mark.Name, p.Mark.Fingerprint, p.Mark.Partial = a.spec.Kind, a.spec.Name, a.spec.Fingerprint, true
	text, err := p.Mark.describe(value(p.Spec.Description))
	if err != nil {
		return err
	}
	form := map[string]any{"vmid": vmid}
	maps.Copy(form, anyMap(p.Set))
	form["description"] = text
	if p.Pool != nil && *p.Pool != "" {
		form["pool"] = *p.Pool
	}
	_, err = a.conn.Task(ctx, "import", a.object(), "POST", pve.Path("nodes", node, "qemu"), form)
	if lost(err) && ctx.Err() == nil && a.appears(ctx, idOf(vmid), markedWith(a.token, "")) {
		return nil
	}
	return err
}

func anyMap(c vmconf.Config) map[string]any {
	form := make(map[string]any, len(c))
	for key, text := range c {
		form[key] = text
	}
	return form
}

// finish grows disks, makes a template of the VM, and takes the note away that it is not complete.
func (a *arrival) finish(ctx context.Context, node string, vmid int64, p *plan, from map[string]staged) error {
	for _, r := range p.Resize {
		if err := a.resize(ctx, node, vmid, r); err != nil {
			return err
		}
	}
	m, err := a.configured(ctx, resident{VMID: pve.Int(vmid), node: node}, "")
	if err != nil {
		return err
	}
	for key, s := range from { // what came of it is held against what was asked for
		if got := m.Config.Drive(p.Slots[key]).Bytes(); got < s.bytes {
			return backends.Errorf(backends.Transient, "", "", "the disk %q has %d bytes, and its source %d", key, got, s.bytes)
		}
	}
	return a.seal(ctx, node, vmid, p.Mark, value(p.Spec.Description))
}

// seal makes a template of a VM that is a complete image.
func (a *arrival) seal(ctx context.Context, node string, vmid int64, m *mark, description string) error {
	if _, err := a.conn.Task(ctx, "make a template", a.object(), "POST", pve.Path("nodes", node, "qemu", vmid, "template"), nil); err != nil {
		return err
	}
	c := *m
	c.Partial = false
	text, err := c.describe(description)
	if err != nil {
		return err
	}
	return insist(ctx, func() error { return a.put(ctx, node, vmid, map[string]any{"description": text}) })
}

// fromVM makes an image of a whole VM: a clone of it that is a template.
func (a *arrival) fromVM(ctx context.Context) (backends.ID, error) {
	spec := &backends.CloneSpec{Source: a.source.VM, Spec: backends.VMSpec{
		Name: hostnameFor(a.spec.Name), CreateToken: a.token, Placement: backends.PlacementSpec{Storage: a.spec.Storage},
	}}
	if err := backends.Vet(a.catalogue(), &backends.VMSpec{}, &spec.Spec, backends.CloneRequirements(spec), "create", a.object()); err != nil {
		return "", err
	}
	release, ok := a.making.name(spec.Spec.Name)
	if !ok {
		return "", backends.Errorf(backends.Conflict, "", "", "a VM %q is being made", spec.Spec.Name).At("name")
	}
	defer release()
	id, err := a.clone(ctx, &spec.Spec, cloneAs{source: spec.Source, path: "vm_id", partial: true})
	if err == nil {
		err = a.relabel(ctx, id)
	}
	if err != nil {
		return "", a.undo(ctx, id, err)
	}
	return id, nil
}

// relabel makes a clone the image that it is for.
func (a *arrival) relabel(ctx context.Context, id backends.ID) error {
	m, err := a.machine(ctx, id)
	if err != nil {
		return err
	}
	k := m.Mark.clone(m.hardware.VMID)
	k.Image, k.Name, k.Fingerprint = a.spec.Kind, a.spec.Name, a.spec.Fingerprint
	o := m.hardware.observe(world{}, false)
	return a.seal(ctx, m.node, m.hardware.VMID, k, value(o.Spec.Description))
}
