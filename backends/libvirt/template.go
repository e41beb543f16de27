package libvirt

import (
	"context"

	rpc "github.com/digitalocean/go-libvirt"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// createFromTemplate makes a VM from a whole VM or template: what the specification leaves open is
// inherited, as for a clone.
func (b *Backend) createFromTemplate(ctx context.Context, spec *backends.VMSpec) (backends.ID, error) {
	const path = backends.Path("template")
	if spec.Image != "" {
		return "", invalid("image", "a VM is made from an image or from a template, not from both")
	}
	source, err := b.findTemplate(ctx, spec.Template)
	if err != nil {
		return "", at(err, path)
	}
	asked := *spec
	asked.Template, asked.Linked = "", false
	return b.cloneVM(ctx, &backends.CloneSpec{Source: source, Linked: spec.Linked, Spec: asked},
		cloneAs{path: path, required: backends.Requirements(spec)})
}

// findTemplate finds a VM or template by id or name.
func (b *Backend) findTemplate(ctx context.Context, idOrName string) (backends.ID, error) {
	if _, ok := parseUUID(idOrName); ok {
		dom, err := b.lookup(ctx, backends.ID(idOrName))
		if backends.CodeOf(err) != backends.NotFound {
			return backends.ID(formatUUID(dom.UUID)), err
		}
	}
	dom, err := query(ctx, b, func(l *rpc.Libvirt) (rpc.Domain, error) { return l.DomainLookupByName(idOrName) })
	if backends.CodeOf(err) == backends.NotFound {
		e := backends.Errorf(backends.NotFound, "", "", "there is no template or VM with the id or name %q", idOrName)
		if image, imageErr := b.GetImage(ctx, idOrName); imageErr == nil && image.Kind == "disk" {
			return "", e.Advise("It is the id of an image: set image instead of template.")
		}
		return "", e
	}
	return backends.ID(formatUUID(dom.UUID)), err
}

// mayStart refuses to start a template.
func (b *Backend) mayStart(ctx context.Context, dom rpc.Domain) error {
	d, err := b.readDomain(ctx, dom, rpc.DomainXMLInactive)
	if err != nil || d.mark == nil || !d.mark.Template {
		return err
	}
	return backends.Errorf(backends.Precondition, "", "", "it is a template, which never runs").
		Advise("Make a VM from it: set template to its name or id.")
}

// admitsTemplateChange refuses changes of a template's disks: VMs that were made from it may share their
// content. Everything else of a template can be changed, and holds for the VMs that are made from it
// afterwards.
func (m *mark) admitsTemplateChange(changes []backends.Change) error {
	if m == nil || !m.Template {
		return nil
	}
	for _, c := range changes {
		if autostart, ok := c.To.(bool); ok && autostart && c.Path == "libvirt.autostart" {
			return backends.Errorf(backends.Precondition, "", "", "it is a template, which never runs").At(c.Path)
		}
		if p := c.Path.Generic(); p == "disks" || p == "disks.size_gib" {
			return backends.Errorf(backends.Precondition, "", "", "it is a template, and VMs that were made from it may share the content of its disks").
				At(c.Path).Advise("Make a VM from it, change that, and make a new template of it.")
		}
	}
	return nil
}
