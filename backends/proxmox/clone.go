package proxmox

import (
	"context"
	"errors"
	"net/url"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/proxmox/fault"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/proxmox/pve"
)

// CloneVM makes a VM of another, a template or a snapshot in one task of Proxmox VE, which makes copies of all disks, firmware variables and TPM
// state, new MACs and a new UUID. Then it becomes what is asked for: a disk that is left out goes after it was copied.
//
// Linked clones are made of templates, for only what never changes can be shared on every storage.
func (b *Backend) CloneVM(ctx context.Context, spec *backends.CloneSpec) (backends.ID, error) {
	const op = "create"
	object := backends.VMObject(spec.Spec.Name)
	if err := backends.Vet(b.catalogue(), &backends.VMSpec{}, &spec.Spec, backends.CloneRequirements(spec), op, object); err != nil {
		return "", err
	}
	if spec.Spec.Image != "" || spec.Spec.Template != "" {
		return "", backends.Errorf(backends.Invalid, op, object, "a clone is made from its source, not from an image or template").At("image")
	}
	release, ok := b.making.name(spec.Spec.Name)
	if !ok {
		return "", backends.Errorf(backends.Conflict, op, object, "another VM %q is being made", spec.Spec.Name).At("name")
	}
	defer release()
	if id, err := b.claim(ctx, spec.Spec.Name, spec.Spec.CreateToken); id != "" || err != nil {
		return id, fault.Wrap(err, op, object)
	}
	id, err := b.clone(ctx, &spec.Spec, cloneAs{source: spec.Source, snapshot: spec.Snapshot, linked: spec.Linked, path: "source_vm"})
	return id, fault.Wrap(err, op, object)
}

// deploy makes the VM that spec describes from a template, or from an image that is one. The name is reserved.
func (b *Backend) deploy(ctx context.Context, spec *backends.VMSpec, from origin) (backends.ID, error) {
	path := from.path
	if path == "" {
		path = "template"
	}
	return b.clone(ctx, spec, cloneAs{source: from.vm, linked: spec.Linked, path: path})
}

// clone makes a VM from another one. All that can be refused is refused before: the changes to the clone are planned as if its source
// were it.
func (b *Backend) clone(ctx context.Context, spec *backends.VMSpec, as cloneAs) (backends.ID, error) {
	src, err := b.source(ctx, as)
	if err != nil {
		return "", err
	}
	c := &cloning{Backend: b, src: src, as: as, asked: spec, want: src.inherit(spec, as)}
	if spec.Placement.Pool == nil && b.cfg.Pool != "" && src.now.Mark == nil {
		c.want.Placement.Pool = &b.cfg.Pool // where a stranger is says nothing of where its clones go
	}
	if err := c.check(ctx); err != nil {
		return "", err
	}
	vmid, err := b.allocate(ctx, spec.CreateToken, askedID(spec), c.copy)
	if err != nil {
		err = b.nameHolder(ctx, as.source, err)
		return b.whatIsLeft(ctx, vmid, spec.CreateToken, c.left, markedWith(spec.CreateToken, c.want.Name)), err
	}
	b.making.sure(spec.CreateToken)
	return idOf(vmid), c.finish(ctx, idOf(vmid))
}

// cloning is the making of one clone.
type cloning struct {
	*Backend
	src         *source
	as          cloneAs
	asked, want *backends.VMSpec

	node    string // where the clone shall be
	direct  bool   // Proxmox VE puts it there itself
	storage string // of all volumes, "" where each stays on its own
	world   world  // of node
	left    trace  // of a copy that failed
}

// check finds the place of the clone, and refuses what cannot be made.
func (c *cloning) check(ctx context.Context) error {
	if err := c.src.canClone(c.as); err != nil {
		return err
	}
	if c.as.linked {
		if err := c.canLink(ctx); err != nil {
			return err
		}
	}
	if err := c.findPlace(ctx); err != nil {
		return err
	}
	if c.as.linked && c.node != c.src.now.node && !c.direct {
		return backends.Errorf(backends.Precondition, "", "", "%s is at the node %q on storage that the node %q does not see, so nothing can be shared with it", c.src.object, c.src.now.node, c.node).
			At("placement.host").Advise("Place the clone at the template's node, or leave linked out.")
	}
	if err := c.checkPool(ctx, c.asked.Placement.Pool); err != nil {
		return err
	}
	if err := c.checkNetworks(ctx, c.node, c.want.Networks); err != nil {
		return err
	}
	if err := c.checkMACs(ctx, 0, c.asked.Networks); err != nil {
		return err
	}
	var err error
	if c.world, err = c.worldOf(ctx, c.node, c.want); err != nil {
		return err
	}
	vmid := c.src.now.hardware.VMID
	hw := *c.src.then.hardware
	hw.Node, hw.Template, hw.Mark = c.node, false, c.src.then.Mark.forClone(vmid, c.asked.CreateToken)
	p, err := c.plan(&hw)
	if err != nil {
		return err
	}
	if c.as.linked && len(p.Move) > 0 {
		return backends.Errorf(backends.Invalid, "", "", "the disk shares the content of the template's, so it stays where and as that is").At(p.Move[0].Path).
			Advise("Leave this out, or make a full clone by leaving linked out.")
	}
	_, err = c.notes(vmid)
	c.chooseStorage()
	return err
}

// plan says what makes the clone what is wanted.
func (c *cloning) plan(hw *hardware) (*plan, error) {
	return makePlan(request{
		World: c.world, VMID: hw.VMID, Node: hw.Node, Have: hw, Want: c.want, Clone: true,
		MAC: newMAC, SeedVolume: c.seedVolume(c.world, hw.VMID, hw.Config.UUID()),
	})
}

// canLink refuses to share what is no template's, or what lies on a storage that cannot share.
func (c *cloning) canLink(ctx context.Context) error {
	m := c.src.now
	if !m.hardware.Template {
		return backends.Errorf(backends.Precondition, "", "", "%s is no template, and Proxmox VE shares only the disks of templates, which never change", c.src.object).At("linked").
			Advise("Make a template of it first (virtrigaud_image with kind = \"template\"), or leave linked out, which makes a full clone.")
	}
	var answer struct {
		Has pve.Bool `json:"hasFeature"`
	}
	path := pve.Path("nodes", m.node, "qemu", m.hardware.VMID, "feature")
	if err := c.conn.Get(ctx, path, url.Values{"feature": {"clone"}}, &answer); err != nil || bool(answer.Has) {
		return err
	}
	return backends.Errorf(backends.Precondition, "", "", "the storage of a disk of %s has no linked clones", c.src.object).At("linked").
		Advise("Leave linked out, which makes a full clone, or have the template on a storage of files, LVM-thin, ZFS or RBD.")
}

// notes are the clone's description, with a mark that says that it is not whole.
func (c *cloning) notes(vmid int64) (string, error) {
	k := c.src.then.Mark.forClone(vmid, c.asked.CreateToken)
	k.Partial = true
	if c.as.linked {
		k.Origin = c.src.now.hardware.VMID
	}
	return k.describe(value(c.want.Description))
}

// copy has Proxmox VE clone the source.
func (c *cloning) copy(ctx context.Context, vmid int64) error {
	defer c.estate.changed()
	m := c.src.now
	notes, err := c.notes(vmid)
	if err != nil {
		return err
	}
	form := map[string]any{"newid": vmid, "name": c.want.Name, "description": notes, "full": !c.as.linked}
	for key, text := range map[string]string{"snapname": c.as.snapshot, "storage": c.storage, "pool": value(c.want.Placement.Pool)} {
		if text != "" {
			form[key] = text
		}
	}
	if c.node != m.node && c.direct {
		form["target"] = c.node
	}
	c.left = nothing
	return pve.WhileLocked(ctx, func() error {
		if err := ctx.Err(); err != nil {
			return err
		}
		o, err := c.conn.Task(ctx, "clone", backends.VMObject(c.want.Name), "POST", pve.Path("nodes", m.node, "qemu", m.hardware.VMID, "clone"), form)
		c.left = traceOf(o, err)
		if lost(err) && ctx.Err() == nil && c.appears(ctx, idOf(vmid), markedWith(c.asked.CreateToken, c.want.Name)) {
			return nil
		}
		return err
	})
}

// finish makes the clone what is wanted, and says at the end that it is whole.
func (c *cloning) finish(ctx context.Context, id backends.ID) error {
	defer c.estate.changed()
	m, err := c.machine(ctx, id)
	if err != nil {
		return err
	}
	if m.node != c.node {
		if m, err = c.bring(ctx, m); err != nil {
			return err
		}
	}
	m, p, err := c.shape(ctx, m)
	if err != nil {
		return blame(err, p)
	}
	k := p.Mark
	k.Partial = c.as.partial
	c.noteBases(m, k)
	text, err := k.describe(value(p.Spec.Description))
	if err != nil {
		return err
	}
	return insist(ctx, func() error { return c.put(ctx, m.node, m.hardware.VMID, map[string]any{"description": text}) })
}

// shape makes the copy what is wanted. It is not given up, and with it the copy, for a lock, a broken connection, or because somebody else
// changes it too.
func (c *cloning) shape(ctx context.Context, m *machine) (*machine, *plan, error) {
	for try := 1; ; try++ {
		p, err := c.plan(m.hardware)
		if err != nil {
			return m, nil, err
		}
		err = pve.WhileLocked(ctx, func() error { return c.carryOut(ctx, m, p, backends.Cold) })
		if again := errors.Is(err, fault.ErrDigest) || backends.CodeOf(err) == backends.Transient; !again || try == reconfigureTries || ctx.Err() != nil {
			return m, p, err
		}
		c.estate.changed()
		now, readErr := c.machine(ctx, m.id())
		if readErr != nil {
			return m, p, err
		}
		m = now
	}
}

// bring takes a clone to its node, without media that are not there: those are put in again afterwards.
func (c *cloning) bring(ctx context.Context, m *machine) (*machine, error) {
	media, err := c.localMedia(ctx, m)
	if err != nil {
		return nil, err
	}
	form := map[string]any{}
	for _, slot := range media {
		form[slot] = emptyDrive + ",media=cdrom"
	}
	if len(form) > 0 {
		if err := c.put(ctx, m.node, m.hardware.VMID, form); err != nil {
			return nil, err
		}
		if m, err = c.machine(ctx, m.id()); err != nil {
			return nil, err
		}
	}
	if err := c.moveNode(ctx, m, c.node, ""); err != nil {
		return nil, err
	}
	return c.machine(ctx, m.id())
}

// noteBases remembers with what the disks of a linked clone share content, where the names of their volumes do not tell.
func (c *cloning) noteBases(m *machine, k *mark) {
	if !c.as.linked {
		return
	}
	for key, d := range k.Disks {
		if from := c.src.then.Config.Drive(d.Slot).Volume(); from != "" && m.Config[d.Slot] != "" {
			d.Volume, d.Base = m.Config.Drive(d.Slot).Volume(), from
			k.Disks[key] = d
		}
	}
}
