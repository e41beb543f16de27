package libvirt

import (
	"context"
	"fmt"
	"time"

	rpc "github.com/digitalocean/go-libvirt"
	"libvirt.org/go/libvirtxml"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/catalogues"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/libvirt/storage"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/cloudinit"
)

// CreateVM makes a VM and leaves it stopped.
//
// Everything that can be checked is checked before anything is made. Then the
// domain comes first, without disks: from there on its mark names whatever is made, so
// that nothing is forgotten whenever this ends.
func (b *Backend) CreateVM(ctx context.Context, spec *backends.VMSpec) (backends.ID, error) {
	id, err := b.createVM(ctx, spec)
	return id, backends.Wrap(err, "create", backends.VMObject(spec.Name))
}

// guestHost is the host, if VMs can be made on it.
func (b *Backend) guestHost(ctx context.Context) (*hostFacts, error) {
	h, err := b.host(ctx)
	if err == nil && h.arch != "x86_64" {
		err = backends.Errorf(backends.Unsupported, "", "", "the host %q runs %s guests, and this version makes x86_64 VMs only", h.hostname, h.arch)
	}
	return h, err
}

func (b *Backend) createVM(ctx context.Context, spec *backends.VMSpec) (backends.ID, error) {
	if spec.Template != "" {
		return b.createFromTemplate(ctx, spec)
	}
	h, err := b.guestHost(ctx)
	if err != nil {
		return "", err
	}
	if err := validateDomainType(spec, h); err != nil {
		return "", err // says more than the catalogue
	}
	if err := refuse(h.narrow(catalogues.Libvirt()), &backends.VMSpec{}, spec, backends.Requirements(spec)); err != nil {
		return "", err
	}
	if err := validate(spec, h); err != nil {
		return "", err
	}
	unlock, err := b.locks.lock(ctx, "name "+spec.Name)
	if err != nil {
		return "", err
	}
	defer unlock()
	c := &creation{Backend: b, spec: spec, host: h, uuid: newUUID()}
	if done, err := c.adopt(ctx); done || err != nil {
		return c.id, err
	}
	if err := c.plan(ctx); err != nil {
		return c.id, err
	}
	return c.run(ctx)
}

// creation is one VM in the making.
type creation struct {
	*Backend
	spec *backends.VMSpec
	host *hostFacts
	uuid string
	id   backends.ID // once the domain exists

	volumes []newVolume // in the order of their names in the guest
	cdrom   *storage.Volume
	pools   map[string]backends.Storage
	macs    map[string]string
	mark    *mark
	image   *imageMark // where it is to be a template
	// next gives the content of the disks of one that comes from a package.
	next func(context.Context) (string, *backends.Content, error)

	// Of clones:
	origin  *origin
	asked   *backends.VMSpec  // spec is this with what the source has
	changes []backends.Change // from the source to spec
}

// adopt looks for a VM of the name. One that an earlier try of the same creation left
// half-made is emptied and made again; one that is complete is the result.
func (c *creation) adopt(ctx context.Context) (done bool, err error) {
	dom, err := query(ctx, c.Backend, func(l *rpc.Libvirt) (rpc.Domain, error) { return l.DomainLookupByName(c.spec.Name) })
	if backends.CodeOf(err) == backends.NotFound {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	d, err := c.readDomain(ctx, dom, xmlFlags)
	if backends.CodeOf(err) == backends.NotFound {
		return false, nil // gone meanwhile
	}
	if err != nil {
		return false, err // not known whose it is
	}
	id := backends.ID(formatUUID(dom.UUID))
	if d.mark == nil || c.spec.CreateToken == "" || d.mark.Token != c.spec.CreateToken {
		return false, nameTaken(c.spec.Name, id)
	}
	c.id, c.uuid = id, string(id)
	if !d.mark.Partial {
		return true, nil
	}
	return false, c.deleteOwned(ctx, d.mark, nil)
}

func nameTaken(name string, id backends.ID) error {
	return backends.Errorf(backends.Conflict, "", "", "there is already a VM %q, with the id %s", name, id).At("name").
		Advise("Choose another name, or bring the existing VM under management with: terraform import ADDRESS %s", id)
}

// plan checks what the VM needs of the host, and makes nothing.
func (c *creation) plan(ctx context.Context) (err error) {
	if c.origin != nil {
		return c.planClone(ctx)
	}
	if c.pools, err = c.poolsByName(ctx); err != nil {
		return err
	}
	for _, key := range diskOrder(c.spec.Disks) {
		v, err := c.planVolume(ctx, c.spec, key, c.pools)
		if err != nil {
			return err
		}
		c.volumes = append(c.volumes, v)
	}
	for _, key := range nicOrder(c.spec.Networks) {
		if err := c.checkNetwork(ctx, key, c.spec.Networks[key]); err != nil {
			return err
		}
	}
	if c.spec.CDROM != nil && c.spec.CDROM.ISO != "" {
		v, err := c.findISO(ctx, c.spec.CDROM.ISO)
		if err != nil {
			return err
		}
		c.cdrom = &v
	}
	if wantsSeed(c.spec) {
		if err := checkSeedPool(c.pools, c.seedPool(c.spec)); err != nil {
			return err
		}
	}
	return nil
}

// seedPool is where a VM's seed goes: with its other disks.
func (b *Backend) seedPool(spec *backends.VMSpec) string {
	if root, ok := spec.Disks[rootKey]; ok && root.Volume == nil {
		return b.poolFor(spec, root)
	}
	return b.poolFor(spec, backends.Disk{})
}

func checkSeedPool(pools map[string]backends.Storage, name string) error {
	pool, ok := pools[name]
	if !ok {
		return backends.Errorf(backends.NotFound, "", "", "the storage pool %q for the cloud-init seed does not exist", name).At("placement.storage")
	}
	if !pool.Active {
		return backends.Errorf(backends.Precondition, "", "", "the storage pool %q for the cloud-init seed is not active", name).
			At("placement.storage").Advise("Start it with: virsh pool-start %s", name)
	}
	return nil
}

// findISO finds a medium for the CD-ROM drive.
func (b *Backend) findISO(ctx context.Context, id string) (storage.Volume, error) {
	ref, err := storage.ParseRef(id)
	v := storage.Volume{}
	if err == nil {
		v, err = b.store.Get(ctx, ref)
	} else {
		err = noSuchID
	}
	if isVolumeGone(err) || backends.CodeOf(err) == backends.NotFound {
		return v, backends.Errorf(backends.NotFound, "", "", "there is no image %q", id).At("cdrom.iso")
	}
	return v, at(err, "cdrom.iso")
}

// run makes the VM. From the first definition on, the id is returned next to any error.
func (c *creation) run(ctx context.Context) (backends.ID, error) {
	uuid, _ := parseUUID(c.uuid)
	macs, release, err := c.takeMACs(ctx, c.spec.Name, uuid, c.spec.Networks)
	if err != nil {
		return c.id, err
	}
	defer release()
	c.macs = macs
	b := c.blueprint()
	if c.origin != nil {
		b = c.cloneBlueprint()
	}
	if c.image != nil {
		b.mark.Template, b.mark.Image, b.mark.Fingerprint = true, c.image.kind, c.image.fingerprint
	}
	c.mark = b.mark
	if err := c.defineFirst(ctx, b); err != nil {
		return c.id, err
	}
	defer c.Backend.macs.forget(uuid)
	if err := c.makeDisks(ctx, b); err != nil {
		return c.id, err
	}
	if err := c.makeSeed(ctx, b); err != nil {
		return c.id, err
	}
	c.forgetOrigin(b)
	if err := c.defineAs(ctx, b, false); err != nil {
		return c.id, err
	}
	if c.spec.Libvirt != nil && isTrue(c.spec.Libvirt.Autostart) {
		if err := c.setAutostart(ctx, rpc.Domain{Name: c.spec.Name, UUID: uuid}, true); err != nil {
			return c.id, err
		}
	}
	backends.Report(ctx, backends.Progress{Op: "create", Object: backends.VMObject(c.spec.Name), Percent: 100})
	return c.id, nil
}

// firstDefinition bounds the wait for a domain to come into being.
const firstDefinition = 10 * time.Second

// defineFirst brings the domain into being. Whoever interrupts it waits for libvirt's answer,
// which takes milliseconds: without it nobody would know whether there is a VM. Where
// there is no answer the id is given out all the same, for the deletion of what may be there.
func (c *creation) defineFirst(ctx context.Context, b *blueprint) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	defining, cancel := context.WithTimeout(context.WithoutCancel(ctx), firstDefinition)
	defer cancel()
	err := c.defineAs(defining, b, true)
	switch backends.CodeOf(err) {
	case "", backends.Timeout, backends.Canceled, backends.Transient:
		c.id = backends.ID(c.uuid)
	default: // libvirt said no
	}
	if err == nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// blueprint lays the VM out: names of devices, addresses, and the mark that names everything.
func (c *creation) blueprint() *blueprint {
	spec := c.spec
	m := newMark(spec)
	b := &blueprint{uuid: c.uuid, spec: spec, host: c.host, mark: m}
	taken := map[string]bool{}
	for _, v := range c.volumes {
		device := diskDevice{key: v.key, target: freeTarget(busOf(v.spec), taken), serial: serialOf(v.key), spec: v.spec}
		b.disks = append(b.disks, device)
		m.setDisk(v.entry(device.target))
	}
	if spec.CDROM != nil {
		b.cdrom = &driveDevice{target: freeTarget(driveBus, taken), bus: driveBus}
		m.CDROM = &driveMark{Device: b.cdrom.target}
	}
	if wantsSeed(spec) {
		b.seed = &driveDevice{target: freeTarget(driveBus, taken), bus: driveBus}
		pool := c.seedPool(spec)
		m.Seed = &seedMark{Device: b.seed.target, Pool: pool, Volume: volumeName(spec.Name, "seed", "iso", c.pools[pool].Kind)}
	}
	for _, key := range nicOrder(spec.Networks) {
		nic := spec.Networks[key]
		b.nics = append(b.nics, nicDevice{key: key, mac: c.macs[key], network: c.networkFor(nic), spec: nic})
		m.setNIC(nicMark{Key: key, MAC: c.macs[key], Order: nic.Order})
	}
	return b
}

// defineAs writes the definition: first without disks, whose volumes do not exist yet.
func (c *creation) defineAs(ctx context.Context, b *blueprint, partial bool) error {
	plan := *b
	plan.mark = b.mark.clone()
	plan.mark.Partial = partial
	if partial {
		plan.disks, plan.cdrom, plan.seed = nil, nil, nil
	}
	x, err := c.build(ctx, &plan)
	if err != nil {
		return err
	}
	if fw := observeFirmware(x); fw.uefi {
		setFirmware(x, c.host.withNVRAM(fw, c.uuid))
	}
	err = c.define(ctx, &domain{xml: x, mark: plan.mark})
	if backends.CodeOf(err) == backends.Conflict {
		// Somebody else was faster.
		if dom, lookErr := query(ctx, c.Backend, func(l *rpc.Libvirt) (rpc.Domain, error) { return l.DomainLookupByName(c.spec.Name) }); lookErr == nil {
			return nameTaken(c.spec.Name, backends.ID(formatUUID(dom.UUID)))
		}
	}
	return err
}

func (c *creation) build(ctx context.Context, b *blueprint) (*libvirtxml.Domain, error) {
	if c.origin != nil {
		return c.buildClone(ctx, b)
	}
	return buildDomain(b)
}

// withNVRAM says where a VM's firmware variables go. Those with enrolled keys have a
// file of their own, because libvirt fills a file only when it makes it.
func (h *hostFacts) withNVRAM(f firmware, uuid string) firmware {
	if !f.uefi || !h.systemDaemon {
		return f
	}
	f.nvram = nvramFolder + uuid + choose(f.secureBoot, "-secure", "") + "_VARS.fd"
	return f
}

func (c *creation) makeDisks(ctx context.Context, b *blueprint) error {
	if c.origin != nil {
		if err := c.useFrozen(ctx, b.mark); err != nil {
			return err
		}
	}
	if c.next != nil {
		return c.receiveDisks(ctx, b)
	}
	for i, v := range c.volumes {
		backends.Report(ctx, backends.Progress{
			Op: fmt.Sprintf("make disk %q", v.key), Object: backends.VMObject(c.spec.Name), Percent: 90 * i / len(c.volumes),
		})
		s, err := c.makeVolume(ctx, v)
		if err != nil {
			return err
		}
		b.disks[i].source = s
	}
	if c.cdrom != nil && b.cdrom != nil {
		s, err := c.sourceOf(ctx, *c.cdrom, c.pools[c.cdrom.Pool].Kind)
		if err != nil {
			return err
		}
		b.cdrom.source = s
		b.mark.CDROM.ISO, b.mark.CDROM.Path = c.spec.CDROM.ISO, c.cdrom.Path
	}
	return nil
}

func (c *creation) makeSeed(ctx context.Context, b *blueprint) error {
	if b.seed == nil {
		return nil
	}
	var nics []cloudinit.NIC
	for _, n := range b.nics {
		nics = append(nics, cloudinit.NIC{Key: n.key, MAC: n.mac})
	}
	iso, err := b.mark.renderSeed(c.spec, c.uuid, nics)
	if err != nil {
		return err
	}
	v, err := c.store.WriteSmall(ctx, b.mark.Seed.ref(), iso)
	if err != nil {
		return err
	}
	b.seed.source, err = c.sourceOf(ctx, v, c.pools[v.Pool].Kind)
	return err
}

func (b *Backend) setAutostart(ctx context.Context, dom rpc.Domain, on bool) error {
	return b.again(ctx, func(l *rpc.Libvirt) error {
		value := int32(0)
		if on {
			value = 1
		}
		return l.DomainSetAutostart(dom, value)
	})
}
