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
	spec.Name, spec.CreateToken = hostnameFor(a.spec.Name), importToken
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
	vmid, err := a.allocate(ctx, "", nil, func(ctx context.Context, vmid int64) (err error) {
		p, err = makePlan(request{
			World: place.world, VMID: vmid, Node: place.node, Want: spec, Import: from[rootKey].volume, ImportBytes: from[rootKey].bytes,
			UUID: guid, MAC: newMAC, SeedVolume: a.seedVolume(place.world, vmid),
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
			a.undo(ctx, id)
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
	return a.put(ctx, node, vmid, map[string]any{"description": text})
}

// undo removes an image that could not be completed, if it is there and of this import.
func (a *arrival) undo(ctx context.Context, id backends.ID) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
	defer cancel()
	a.estate.changed()
	m, err := a.machine(ctx, id)
	if err != nil || m.Mark == nil || m.Mark.Token != importToken || m.Mark.Name != "" && (!m.Mark.Partial || m.Mark.Name != a.spec.Name) {
		return
	}
	_ = a.deleteVM(ctx, m, backends.DeleteOptions{}) // why it could not be completed is what is told
}
