package libvirt

import (
	"context"
	"fmt"
	"time"

	rpc "github.com/digitalocean/go-libvirt"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/libvirt/conn"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/diskimage"
)

// importTemplate makes a template, unless the one of the name has the same content. Next to an error
// nothing is left of it.
func (b *Backend) importTemplate(ctx context.Context, spec backends.ImageSpec, create func() (backends.ID, error)) (backends.Image, error) {
	unlock, err := b.locks.lock(ctx, "image "+spec.Name)
	if err != nil {
		return backends.Image{}, err
	}
	defer unlock()
	if img, found, err := b.earlierTemplate(ctx, spec); found || err != nil {
		return img, err
	}
	twin, err := b.twin(ctx, spec)
	if err != nil {
		return backends.Image{}, err
	}
	if twin != "" {
		create = func() (backends.ID, error) { return b.createTemplate(ctx, spec, twin) }
	}
	id, err := create()
	var img backends.Image
	if err == nil {
		img, err = b.getTemplate(ctx, id)
		img.Cached = twin != ""
	}
	if err != nil && id != "" {
		return backends.Image{}, b.undoTemplate(ctx, id, err)
	}
	return img, err
}

// earlierTemplate looks at what has the template's name. What an import left that was cut short is
// removed.
func (b *Backend) earlierTemplate(ctx context.Context, spec backends.ImageSpec) (img backends.Image, found bool, err error) {
	dom, err := query(ctx, b, func(l *rpc.Libvirt) (rpc.Domain, error) { return l.DomainLookupByName(spec.Name) })
	if backends.CodeOf(err) == backends.NotFound {
		return img, false, nil
	}
	if err != nil {
		return img, false, err
	}
	d, err := b.readDomain(ctx, dom, rpc.DomainXMLInactive)
	if err != nil {
		return img, false, err
	}
	id := backends.ID(formatUUID(dom.UUID))
	m := d.mark
	switch {
	case m == nil || !m.Template:
		return img, false, nameTaken(spec.Name, id)
	case m.Partial:
		return img, false, b.DeleteVM(ctx, id, backends.DeleteOptions{})
	case m.Image == spec.Kind && diskimage.SameContent(m.Fingerprint, spec.Fingerprint):
		img, err = b.templateImage(ctx, dom, d)
		img.Cached = true
		return img, true, err
	}
	return img, false, backends.Errorf(backends.Conflict, "", "", "there is already a template %q with other content", spec.Name).
		At("name").Advise("Choose another name, or import the existing image under its id %q.", id)
}

// twin finds a template that has the same content under another name, where it is to be, or "".
func (b *Backend) twin(ctx context.Context, spec backends.ImageSpec) (backends.ID, error) {
	if spec.Fingerprint == "" {
		return "", nil
	}
	all, err := b.listTemplates(ctx, b.poolFor(&backends.VMSpec{}, backends.Disk{Storage: spec.Storage}))
	if err != nil {
		return "", err
	}
	for _, other := range all {
		if other.Kind == spec.Kind && diskimage.SameContent(other.Fingerprint, spec.Fingerprint) {
			return backends.ID(other.ID), nil
		}
	}
	return "", nil
}

// undoLimit bounds the removal of a template that failed half-way.
const undoLimit = 15 * time.Second

// undoTemplate removes what came of a template, also when ctx has ended, and returns the first cause.
func (b *Backend) undoTemplate(ctx context.Context, id backends.ID, cause error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoLimit)
	defer cancel()
	err := b.DeleteVM(ctx, id, backends.DeleteOptions{})
	if err == nil || backends.CodeOf(err) == backends.NotFound {
		return cause
	}
	e := *conn.Classify(cause)
	e.Err = fmt.Errorf("%w; and the VM %s is left behind, because it could not be removed: %w", e.Err, id, err)
	return &e
}

// createTemplate copies a VM into a template of the image's name.
func (b *Backend) createTemplate(ctx context.Context, spec backends.ImageSpec, vm backends.ID) (backends.ID, error) {
	asked := backends.VMSpec{
		Name: spec.Name, Placement: backends.PlacementSpec{Storage: spec.Storage},
		Libvirt: &backends.LibvirtOptions{Autostart: ptr(false)}, // it never runs
	}
	return b.cloneVM(ctx, &backends.CloneSpec{Source: vm, Spec: asked}, cloneAs{
		path: "vm_id", required: backends.Requirements(&asked),
		image: &imageMark{kind: spec.Kind, fingerprint: spec.Fingerprint, format: spec.Format},
	})
}

// getTemplate reads a template that is complete.
func (b *Backend) getTemplate(ctx context.Context, id backends.ID) (backends.Image, error) {
	dom, err := b.lookup(ctx, id)
	if err != nil {
		return backends.Image{}, err
	}
	d, err := b.readDomain(ctx, dom, rpc.DomainXMLInactive)
	if err != nil {
		return backends.Image{}, err
	}
	if d.mark == nil || !d.mark.Template || d.mark.Partial {
		return backends.Image{}, backends.Errorf(backends.NotFound, "", "", "there is no image with this id: the VM %q is no template", dom.Name)
	}
	return b.templateImage(ctx, dom, d)
}

// templateImage describes a template as an image: where and in what format its disk that boots is, and
// how much all of its disks take.
func (b *Backend) templateImage(ctx context.Context, dom rpc.Domain, d *domain) (backends.Image, error) {
	img := backends.Image{
		ID: formatUUID(dom.UUID), Name: dom.Name, Kind: d.mark.Image, Fingerprint: d.mark.Fingerprint,
	}
	if img.Kind == "" {
		img.Kind = "template"
	}
	root := rootDisk(d.xml, d.mark)
	for i, key := range diskKeys(d.xml, d.mark) {
		if key == "" {
			continue
		}
		device := &d.xml.Devices.Disks[i]
		ref, _ := d.volumeOf(i, key, nil)
		v, err := b.findVolume(ctx, ref, pathOf(device))
		if isVolumeGone(err) {
			continue // the VM's own read tells
		}
		if err != nil {
			return img, err
		}
		img.SizeBytes += v.CapacityBytes
		img.Allocated += v.AllocationBytes
		if device == root {
			img.Format, img.Storage, img.Path = v.Format, v.Pool, v.Path
		}
	}
	return img, nil
}

// listTemplates lists the complete templates whose disk that boots is in a pool, or all for "".
func (b *Backend) listTemplates(ctx context.Context, pool string) ([]backends.Image, error) {
	list, err := query(ctx, b, func(l *rpc.Libvirt) ([]rpc.Domain, error) {
		list, _, err := l.ConnectListAllDomains(1, rpc.ConnectListDomainsInactive)
		return list, err
	})
	if err != nil {
		return nil, err
	}
	facts := make([]runtimeFacts, len(list))
	for i, dom := range list {
		facts[i].dom = dom
	}
	domains, errs := b.readDomains(ctx, facts)
	var all []backends.Image
	for i, d := range domains {
		switch {
		case errs[i] != nil && ctx.Err() != nil:
			return nil, errs[i]
		case errs[i] != nil, d.mark == nil, !d.mark.Template, d.mark.Partial:
			continue // gone, unreadable or something else
		}
		img, err := b.templateImage(ctx, list[i], d)
		if err != nil {
			return nil, err
		}
		if pool == "" || img.Storage == pool {
			all = append(all, img)
		}
	}
	return all, nil
}
