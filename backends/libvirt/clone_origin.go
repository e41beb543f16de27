package libvirt

import (
	"context"
	"strings"
	"sync"
	"time"

	rpc "github.com/digitalocean/go-libvirt"
	"libvirt.org/go/libvirtxml"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/libvirt/storage"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/cloudinit"
)

// origin is the source of a clone: a VM, a template, or a snapshot of a VM. Its lock is held until
// close.
type origin struct {
	*Backend
	id       backends.ID
	dom      rpc.Domain
	d        *domain         // the definition, of the snapshot where there is one
	spec     backends.VMSpec // what the definition and the seed say
	up       bool
	template bool
	snapshot string
	linked   bool
	began    time.Time // frozen content must not be older

	seed     string  // the target of the seed's drive, "" for none
	seedBus  string  // of that drive
	userData *string // what the seed holds and the observation does not tell

	exposed bool // its screens have a password, and the clone's have none

	unlock   func()
	unlocked sync.Once
	froze    bool
}

// openOrigin locks and reads the source of a clone.
func (b *Backend) openOrigin(ctx context.Context, spec *backends.CloneSpec, path backends.Path, began time.Time) (*origin, error) {
	unlock, err := b.locks.lock(ctx, lockName(spec.Source))
	if err != nil {
		return nil, err
	}
	o := &origin{Backend: b, snapshot: spec.Snapshot, linked: spec.Linked, began: began, unlock: unlock}
	if err := o.read(ctx, spec.Source, path); err != nil {
		o.close()
		return nil, err
	}
	return o, nil
}

// close gives the source back. It may be called twice.
func (o *origin) close() { o.unlocked.Do(o.unlock) }

func (o *origin) read(ctx context.Context, id backends.ID, path backends.Path) (err error) {
	if o.dom, err = o.lookup(ctx, id); err != nil {
		return at(err, path)
	}
	o.id = backends.ID(formatUUID(o.dom.UUID))
	if o.d, err = o.readDomain(ctx, o.dom, xmlFlags); err != nil {
		return at(err, path)
	}
	if m := o.d.mark; m != nil {
		if m.Partial {
			return backends.Errorf(backends.Precondition, "", "", "the VM %q is still being made, or its creation failed half-way", o.dom.Name).At(path)
		}
		o.template = m.Template
	}
	state, err := o.state(ctx, o.dom)
	if err != nil {
		return err
	}
	if o.up = isUp(state); o.up && o.template && o.snapshot == "" {
		return backends.Errorf(backends.Precondition, "", "", "the template %q runs, which somebody must have started by other means", o.dom.Name).
			At(path).Advise("Stop it: what VMs share must not change.")
	}
	autostart, err := query(ctx, o.Backend, func(l *rpc.Libvirt) (int32, error) { return l.DomainGetAutostart(o.dom) })
	if err != nil {
		return err
	}
	if o.snapshot != "" {
		if o.d, err = o.readSnapshotDefinition(ctx, o.dom, o.snapshot); err != nil {
			return err
		}
	}
	pools, err := o.poolPaths(ctx)
	if err != nil {
		return err
	}
	o.spec = o.d.observeSpec(nil, pools)
	o.spec.Libvirt.Autostart = ptr(autostart != 0)
	if o.d.mark != nil && o.d.mark.Seed != nil {
		return o.readSeed(ctx)
	}
	if o.ours() {
		return nil
	}
	return o.readForeignSeed(ctx, pools)
}

// readSnapshotDefinition reads the definition that a VM had when a snapshot was taken. The volumes in it
// hold the content of that moment. That is so where the snapshot is external; what an internal one
// holds lies inside of volumes that are written to, where libvirt copies it from for nobody.
func (b *Backend) readSnapshotDefinition(ctx context.Context, dom rpc.Domain, name string) (*domain, error) {
	const path = backends.Path("source_snapshot")
	text, err := query(ctx, b, func(l *rpc.Libvirt) (string, error) {
		s, err := l.DomainSnapshotLookupByName(dom, name, 0)
		if err != nil {
			return "", err
		}
		return l.DomainSnapshotGetXMLDesc(s, uint32(rpc.DomainXMLSecure))
	})
	if backends.CodeOf(err) == backends.NotFound {
		return nil, backends.Errorf(backends.NotFound, "", "", "the VM %q has no snapshot %q", dom.Name, name).At(path)
	}
	if err != nil {
		return nil, err
	}
	s, err := parseXML[libvirtxml.DomainSnapshot]("snapshot", text)
	if err != nil {
		return nil, err
	}
	if s.Disks != nil {
		for _, disk := range s.Disks.Disks {
			if disk.Snapshot == "internal" {
				return nil, backends.Errorf(backends.Unsupported, "", "", "the snapshot %q of VM %q lies inside of the VM's own volumes (an internal snapshot), and libvirt cannot copy or share what is in it", name, dom.Name).
					At(path).Advise("Revert the VM to it and clone the VM, or take a snapshot with this provider.")
			}
		}
	}
	definition := snapshotDefinition(text)
	if definition == "" {
		return nil, backends.Errorf(backends.Unsupported, "", "", "libvirt does not know what the VM %q was like when the snapshot %q was taken", dom.Name, name).At(path)
	}
	return parseDomain(definition)
}

// snapshotDefinition cuts the definition out of a snapshot's description: the one for the next start,
// where the VM ran with another. It is "" where there is none.
func snapshotDefinition(text string) string {
	for _, tag := range []string{"inactiveDomain", "domain"} {
		end := strings.LastIndex(text, "</"+tag+">")
		for _, after := range []string{" ", ">"} {
			if start := strings.Index(text, "<"+tag+after); start >= 0 && start < end {
				return "<domain" + text[start+len("<"+tag):end] + "</domain>"
			}
		}
	}
	return ""
}

// readSeed reads what only the source's seed tells, for the clone's own.
func (o *origin) readSeed(ctx context.Context) error {
	iso, err := o.store.ReadSmall(ctx, o.d.mark.Seed.ref())
	if isVolumeGone(err) {
		return nil
	}
	if err != nil {
		return err
	}
	seed, err := cloudinit.ReadISO(iso)
	if err != nil {
		return backends.Errorf(backends.Internal, "", "", "the cloud-init seed %s of VM %q cannot be read: %w", o.d.mark.Seed.ref(), o.dom.Name, err)
	}
	in, err := cloudinit.ParseInputs(seed.Inputs)
	if err != nil {
		return backends.Errorf(backends.Internal, "", "", "the cloud-init seed %s of VM %q cannot be read: %w", o.d.mark.Seed.ref(), o.dom.Name, err)
	}
	in.Apply(&o.spec)
	o.seed, o.seedBus = o.d.mark.Seed.Device, driveBus
	if ci := o.spec.CloudInit; ci != nil && ci.UserDataVersion != nil {
		o.userData = &seed.UserData
	}
	return nil
}

// writable reports whether a VM may write to the source's volumes while a clone needs them: all
// the time where the clone shares them, and while they are copied where the VM runs.
func (o *origin) writable(shared bool) bool {
	return o.snapshot == "" && !o.template && (shared || o.up)
}

// freeze makes content that a VM may write to content that nobody does, by disk key.
func (o *origin) freeze(ctx context.Context, keys []string) (map[string]storage.Volume, error) {
	o.froze = true // also when it fails half-way
	return o.Backend.freeze(ctx, o.dom, o.d, keys, o.began)
}

// tidy removes what was frozen and no clone shares.
func (o *origin) tidy(ctx context.Context, failed bool) {
	if !o.froze || o.linked && !failed {
		return
	}
	limit := tidyLimit
	if ctx.Err() != nil {
		limit = keepLimit // somebody waits for the end
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), limit)
	defer cancel()
	reportUntidy(ctx, o.id, o.Backend.tidy(ctx, o.dom))
}
