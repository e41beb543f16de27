package libvirt

import (
	"context"
	"slices"
	"time"

	rpc "github.com/digitalocean/go-libvirt"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/catalogues"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/inherit"
)

// CloneVM makes a VM from another one, a template or a snapshot, and leaves it stopped.
//
// The clone's definition is the source's with another identity, so that it has whatever the
// source's maker gave it. Firmware variables and the TPM begin afresh: libvirt has no way to copy
// them. Disks are copied on the host, or begin as layers over the source's content.
//
// As in CreateVM everything is checked first, and then the domain comes first, so that its mark
// names what is made. Content that a VM may write to is frozen for the time of a copy, and for as long
// as linked clones need it.
func (b *Backend) CloneVM(ctx context.Context, spec *backends.CloneSpec) (backends.ID, error) {
	path := backends.Path("source_vm")
	id, err := b.cloneVM(ctx, spec, cloneAs{path: path, required: backends.CloneRequirements(spec)})
	return id, backends.Wrap(err, "create", backends.VMObject(spec.Spec.Name))
}

// cloneAs is what clones differ in beside their specification.
type cloneAs struct {
	path     backends.Path // the attribute that names the source
	required []backends.Change
	image    *imageMark // the clone becomes a template
}

// imageMark is what a template's mark says of the image that it is.
type imageMark struct {
	kind        string
	fingerprint string
	format      *string // of all disks
}

func (b *Backend) cloneVM(ctx context.Context, spec *backends.CloneSpec, as cloneAs) (backends.ID, error) {
	began := b.now()
	asked := &spec.Spec
	h, err := b.guestHost(ctx)
	if err != nil {
		return "", err
	}
	if err := validateDomainType(asked, h); asked.Libvirt != nil && err != nil {
		return "", err
	}
	if err := refuse(h.narrow(catalogues.Libvirt()), &backends.VMSpec{}, asked, as.required); err != nil {
		return "", err
	}
	if err := validateName(asked, h); err != nil {
		return "", err
	}
	unlock, err := b.locks.lock(ctx, "name "+asked.Name)
	if err != nil {
		return "", err
	}
	defer unlock()
	c := &creation{Backend: b, spec: asked, asked: asked, host: h, uuid: newUUID(), image: as.image}
	if done, err := c.adopt(ctx); done || err != nil {
		return c.id, err
	}
	// The name comes before the VM in the order of locks, and nobody who holds a VM's lock waits for
	// another one: two VMs that are cloned from each other cannot block.
	c.origin, err = b.openOrigin(ctx, spec, as.path, began)
	if err != nil {
		return c.id, err
	}
	defer c.origin.close()
	if err := c.inherit(); err != nil {
		return c.id, err
	}
	if err := c.plan(ctx); err != nil {
		return c.id, err
	}
	if c.origin.template && !c.shares() {
		// Nothing changes a template, and libvirt lets nobody delete volumes that are being copied.
		c.origin.close()
	}
	id, err := c.run(ctx)
	c.origin.tidy(ctx, err != nil)
	return id, err
}

// inherit completes what was asked for with what the source has, and checks what differs from it:
// what the source has, however odd, it has on this host.
func (c *creation) inherit() error {
	o := c.origin
	o.unlockScreens(c.asked.Console)
	c.spec = inherit.Clone(&o.spec, c.asked)
	if o.seed != "" && c.spec.CloudInit == nil {
		c.spec.CloudInit = &backends.CloudInit{}
	}
	if o.userData != nil && (c.asked.CloudInit == nil || c.asked.CloudInit.UserData == nil && c.asked.CloudInit.UserDataVersion == nil) {
		ci := *c.spec.CloudInit
		ci.UserData = o.userData
		c.spec.CloudInit = &ci
	}
	c.changes = backends.Diff(&o.spec, c.spec)
	subject := touched(c.spec, c.changes)
	for _, check := range validators {
		if err := check(subject, c.host); err != nil {
			return err
		}
	}
	if slices.ContainsFunc(c.changes, func(c backends.Change) bool { return c.Path == "libvirt.machine" }) {
		return validateMachine(c.spec, c.host)
	}
	return nil
}

// unlockScreens takes from what the source is what setIdentity takes from its definition, so that it is a
// change where the clone asks for the same. Without the password that guards them, the screens of the
// clone do not listen where the source's do.
func (o *origin) unlockScreens(asked *backends.ConsoleSpec) {
	guarded := o.spec.Console != nil && o.spec.Console.PasswordVersion != nil
	for _, g := range o.d.xml.Devices.Graphics {
		guarded = guarded || g.VNC != nil && g.VNC.Passwd != "" || g.Spice != nil && g.Spice.Passwd != ""
	}
	o.exposed = guarded && (asked == nil || deref(asked.Password) == "" || asked.PasswordVersion == nil)
	o.spec.Console = inherit.Console(o.spec.Console, o.exposed)
}

// tidyLimit bounds the removal of what was frozen for a copy.
const tidyLimit = 2 * time.Minute

// tidyOrigin removes from a VM what was frozen there and nobody needs any more. That it cannot be
// removed now is told and no error: whoever tidies next finds it.
func (b *Backend) tidyOrigin(ctx context.Context, id backends.ID) {
	limit := tidyLimit
	if ctx.Err() != nil {
		limit = keepLimit // somebody waits for the end
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), limit)
	defer cancel()
	unlock, err := b.locks.lock(ctx, lockName(id))
	if err == nil {
		defer unlock()
		var dom rpc.Domain
		if dom, err = b.lookup(ctx, id); err == nil {
			err = b.tidy(ctx, dom)
		}
	}
	reportUntidy(ctx, id, err)
}

// reportUntidy tells that the source of a clone keeps a frozen layer for now.
func reportUntidy(ctx context.Context, id backends.ID, err error) {
	if err == nil || backends.CodeOf(err) == backends.NotFound {
		return
	}
	backends.Warn(ctx, backends.Warning{
		Summary: backends.VMObject(string(id)) + " keeps for now what was frozen for clones",
		Detail:  "It is removed with the next clone that is deleted. What kept it: " + err.Error(),
	})
}
