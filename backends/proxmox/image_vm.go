package proxmox

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/proxmox/vmconf"
)

// imageKind is the kind of image that a VM is, "" for none. Templates that were made elsewhere can serve as images, too.
func (m *machine) imageKind() string {
	switch k := m.marked(); {
	case k.Image == holderKind:
		return ""
	case k.Image != "":
		return k.Image
	case m.hardware.Template:
		return "template"
	}
	return ""
}

// imageName is the name of the image that the VM is.
func (m *machine) imageName() string {
	if name := m.marked().Name; name != "" {
		return name
	}
	return nameOf(m.Config["name"], m.hardware.VMID)
}

// image is what the VM is as an image.
func (m *machine) image() backends.Image {
	img := backends.Image{
		ID: string(m.id()), Name: m.imageName(), Kind: m.imageKind(), Allocated: -1, Fingerprint: m.marked().Fingerprint,
	}
	if root := m.rootDisk(); root.Volume() != "" {
		img.Path, img.Storage, img.Format, img.SizeBytes = root.Volume(), root.Storage(), root.Format(), root.Bytes()
	}
	return img
}

// rootDisk is the disk "root", else the first one.
func (m *machine) rootDisk() vmconf.Drive {
	slots := m.diskSlots()
	if slot, ok := slots[rootKey]; ok {
		return m.Config.Drive(slot)
	}
	for _, key := range diskOrder(slots) {
		return m.Config.Drive(slots[key])
	}
	return vmconf.Drive{}
}

// imageVM reads the image that a VM is.
func (b *Backend) imageVM(ctx context.Context, id backends.ID) (*machine, error) {
	m, err := b.machine(ctx, id)
	switch {
	case err != nil:
		return nil, err
	case m.imageKind() == "":
		return nil, backends.Errorf(backends.NotFound, "", "", "the VM %q is no image: it is no template", id)
	}
	return m, nil
}

// imageVMs reads all VMs that are complete images.
func (b *Backend) imageVMs(ctx context.Context) ([]*machine, error) {
	where, err := b.estate.all(ctx)
	if err != nil {
		return nil, err
	}
	there, failed := b.estate.residents(ctx, nodesOf(where))
	for _, err := range failed {
		if backends.CodeOf(err) != backends.Transient {
			return nil, err
		}
	}
	var all []*machine
	var mu sync.Mutex
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(parallel)
	for vmid, r := range there {
		if !bool(r.Template) {
			continue
		}
		g.Go(func() error {
			m, err := b.configured(ctx, r, string(where[vmid].Pool))
			if backends.CodeOf(err) == backends.NotFound { // gone, or at another node meanwhile
				if m, err = b.machine(ctx, idOf(vmid)); backends.CodeOf(err) == backends.NotFound {
					return nil
				}
			}
			if errors.Is(err, errMark) { // a template, of which nothing is known
				err = nil
			}
			if err == nil && m.imageKind() != "" && !m.marked().Partial {
				mu.Lock()
				all = append(all, m)
				mu.Unlock()
			}
			return err
		})
	}
	return all, g.Wait()
}

// template makes a template VM.
func (a *arrival) template(ctx context.Context) (backends.Image, error) {
	all, err := a.imageVMs(ctx)
	if err != nil {
		return backends.Image{}, err
	}
	for _, m := range all {
		if m.imageName() != a.spec.Name {
			continue
		}
		if img := m.image(); a.has(img) {
			img.Cached = true
			return img, nil
		}
		return backends.Image{}, backends.Errorf(backends.Conflict, "", "", "the cluster has an image %q with other content: the template %s", a.spec.Name, m.id()).At("name").
			Advise("Choose another name, delete that image, or bring it under management with: terraform import ADDRESS %s", m.id())
	}
	if err := a.clear(ctx); err != nil {
		return backends.Image{}, err
	}
	id, cached, err := a.produce(ctx, all)
	if err != nil {
		return backends.Image{}, err
	}
	img, err := a.getImage(ctx, string(id))
	img.Cached = cached
	return img, err
}

// has reports whether an image is what is asked for already.
func (a *arrival) has(img backends.Image) bool {
	return a.spec.Fingerprint != "" && img.Fingerprint == a.spec.Fingerprint && img.Kind == a.spec.Kind &&
		(a.spec.Format == nil || *a.spec.Format == img.Format) && (a.spec.Storage == nil || *a.spec.Storage == img.Storage)
}

func (a *arrival) produce(ctx context.Context, all []*machine) (id backends.ID, cached bool, err error) {
	if a.spec.Kind == "template" {
		id, err := a.fromVM(ctx)
		return id, false, err
	}
	place, err := a.land(ctx, a.spec.Storage, "images", func(f storageFacts) (attr, why string) {
		if a.spec.Format == nil || f.suitsFormat(*a.spec.Format) {
			return "", ""
		}
		return "target_format", "disks there are " + strings.Join(f.formats(), ", ")
	})
	if err != nil {
		return "", false, err
	}
	switch {
	case a.spec.Kind == "ova":
		id, err = a.appliance(ctx, place)
		return id, false, err
	case a.source.VM != "":
		id, err = a.ofDisk(ctx, place)
		return id, false, err
	}
	// The same content under another name is copied by the node.
	for _, m := range all {
		img := m.image()
		if a.has(img) && img.Storage == place.storage && (m.node == place.node || a.everywhere(ctx, place)) {
			place.node = m.node
			id, err = a.compose(ctx, place, a.diskSpec(place, img.Format), map[string]staged{rootKey: {volume: img.Path, format: img.Format, bytes: img.SizeBytes}})
			return id, true, err
		}
	}
	c, err := a.open(ctx)
	if err != nil {
		return "", false, err
	}
	from, err := a.stage(ctx, place, c, a.open)
	if err != nil {
		return "", false, err
	}
	defer a.discard(ctx, place.node, from.volume)
	id, err = a.compose(ctx, place, a.diskSpec(place, c.Format), map[string]staged{rootKey: from})
	return id, false, err
}

func (s storageFacts) suitsFormat(format string) bool { return slices.Contains(s.formats(), format) }

// everywhere reports whether all nodes of the storage have the same.
func (a *arrival) everywhere(ctx context.Context, place landing) bool {
	rows, err := a.storageRows(ctx, place.node)
	return err == nil && slices.ContainsFunc(rows, func(r storageRow) bool { return string(r.Storage) == place.storage && bool(r.Shared) })
}

// diskSpec is the VM that is the image of a disk: nothing but the disk, in the format that is asked for, or else the one it comes in.
func (a *arrival) diskSpec(place landing, format string) *backends.VMSpec {
	d := backends.Disk{Storage: &place.storage, Format: a.spec.Format}
	if d.Format == nil && place.facts.suitsFormat(format) {
		d.Format = &format
	}
	return &backends.VMSpec{Disks: map[string]backends.Disk{rootKey: d}}
}

// ofDisk makes an image of the disk "root" of a VM, which may run meanwhile.
func (a *arrival) ofDisk(ctx context.Context, place landing) (backends.ID, error) {
	m, err := a.machine(ctx, a.source.VM)
	if err != nil {
		return "", at(err, "vm_id")
	}
	root := m.rootDisk()
	if root.Volume() == "" {
		return "", backends.Errorf(backends.Precondition, "", "", "%s has no disk", m.object()).At("vm_id")
	}
	if place.node != m.node { // the node of the VM has to write it
		w, err := a.worldOf(ctx, m.node, &backends.VMSpec{})
		if err != nil {
			return "", err
		}
		facts, ok := w.Storages[place.storage]
		if !ok && a.spec.Storage != nil {
			return "", backends.Errorf(backends.Precondition, "", "", "the VM is at the node %q, which does not have the storage %q", m.node, place.storage).At("storage")
		}
		if !ok {
			return "", backends.Errorf(backends.Precondition, "", "", "the VM is at the node %q, which has no storage %q", m.node, place.storage).At("storage").
				Advise("Name a storage of that node.")
		}
		place.node, place.facts, place.world = m.node, facts, w
	}
	return a.compose(ctx, place, a.diskSpec(place, root.Format()), map[string]staged{rootKey: {volume: root.Volume(), format: root.Format(), bytes: root.Bytes()}})
}
