package mock

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }

// maker gives a new VM, and what is wanted of it, what they have from elsewhere.
type maker func(w *world, m *machine, want *backends.VMSpec) (*making, error)

// made is the maker of VMs that come from an image, a template or nothing.
func made(spec *backends.VMSpec) maker {
	return func(w *world, m *machine, want *backends.VMSpec) (*making, error) {
		switch {
		case spec.Template != "" && spec.Image != "":
			return nil, refusal(backends.Invalid, "template", "a VM is made from an image or from a template, not from both")
		case spec.Template != "":
			src, err := w.template(spec.Template)
			if err != nil {
				return nil, err
			}
			return w.inherit(m, src, want, spec.Linked)
		case spec.Image != "":
			return w.imageOf(m, spec.Image, want)
		case spec.Linked:
			return nil, refusal(backends.Invalid, "linked", "without an image or template there is nothing whose content could be shared")
		}
		return nil, nil
	}
}

// build makes the VM that spec asks for, complete and checked against all else
// there is. It changes nothing when it fails.
func (b *Backend) build(w *world, spec *backends.VMSpec, from maker) (*machine, error) {
	m := &machine{Power: backends.Stopped, Owned: true, Token: spec.CreateToken, Guest: osOf("")}
	want := clone(*spec)
	mk, err := from(w, m, &want)
	if err != nil {
		return nil, err
	}
	want.Image, want.Template, want.Linked, want.CreateToken = "", "", false, ""
	if m.ID, err = w.idFor(spec); err != nil {
		mk.undo(w)
		return nil, err
	}
	m.Spec = overlay(b.vmDefaults(&want), want)
	if err := b.complete(w, m, spec, mk.contents()); err != nil {
		mk.undo(w)
		return nil, err
	}
	return m, nil
}

// imageOf finds the image that the disk "root" is made from.
func (w *world) imageOf(m *machine, id string, want *backends.VMSpec) (*making, error) {
	im := w.findImage(id)
	switch {
	case im == nil && w.Machines[backends.ID(id)] != nil:
		return nil, refusal(backends.Invalid, "image", "%q is a VM or template, not the image of a disk", id).
			Advise("Make a VM of it by template = %q.", id)
	case im == nil:
		return nil, refusal(backends.NotFound, "image", "there is no image %q", id)
	case im.Kind != "disk":
		return nil, refusal(backends.Invalid, "image", "image %q is of kind %q, and a disk is made from one of kind \"disk\"", id, im.Kind)
	}
	if want.Disks == nil {
		want.Disks = map[string]backends.Disk{"root": {}}
	}
	root, ok := want.Disks["root"]
	if !ok {
		return nil, refusal(backends.Invalid, `disks["root"]`, "the image needs a disk \"root\" to go to")
	}
	least := gibOf(im.SizeBytes + gib - 1)
	if root.SizeGiB == nil {
		root.SizeGiB = &least
		want.Disks["root"] = root
	}
	if *root.SizeGiB < least {
		return nil, refusal(backends.Invalid, `disks["root"].size_gib`, "%d GiB is too small: image %q needs %d GiB",
			*root.SizeGiB, id, least)
	}
	m.Guest = cmp.Or(im.Guest, osOf(im.Name))
	of := disk{Content: max(0, im.Allocated), origin: origin{Data: im.Data}}
	if want.Linked {
		of.Bytes, of.Content, of.Image = least*gib, 0, im.ID
	}
	return &making{disks: map[string]disk{"root": of}}, nil
}

// gibOf is a size in whole GiB, at least one.
func gibOf(bytes int64) int64 { return max(1, bytes/gib) }

// complete gives a machine's disks and NICs all that they lack, and checks the
// machine against what was asked for and against all else there is. Disks that
// are new to it get a slot and the content that there is for their key.
func (b *Backend) complete(w *world, m *machine, asked *backends.VMSpec, contents map[string]disk) error {
	s := &m.Spec
	if err := b.completeDisks(w, m, contents); err != nil {
		return err
	}
	if err := w.checkSharing(m); err != nil {
		return err
	}
	b.completeNICs(w, m)
	forgetBoot(s, asked)
	b.settle(s)
	if err := validate(s); err != nil {
		return err
	}
	if err := validateMaxima(asked, s); err != nil {
		return err
	}
	if err := b.checkNetworks(w, m); err != nil {
		return err
	}
	if err := b.checkISO(w, s); err != nil {
		return err
	}
	if err := b.place(w, m); err != nil {
		return err
	}
	return w.checkStorages(m)
}

func (b *Backend) completeDisks(w *world, m *machine, contents map[string]disk) error {
	if m.Disks == nil {
		m.Disks = map[string]disk{}
	}
	for _, key := range sortedKeys(m.Spec.Disks) {
		if _, there := m.Disks[key]; there {
			continue
		}
		want, p := m.Spec.Disks[key], backends.Path("disks").Key(key)
		d := disk{Owned: true}
		spec := overlay(b.diskDefaults(m.Spec.Placement, want.Policy), want)
		if want.Volume != nil {
			v := w.Volumes[*want.Volume]
			if v == nil {
				return refusal(backends.NotFound, p.Attr("volume"), "there is no disk %q", *want.Volume)
			}
			spec = overlay(overlay(b.diskDefaults(m.Spec.Placement, nil), v.Disk), want)
			if want.SizeGiB != nil && *want.SizeGiB < gibOf(v.Bytes) {
				return refusal(backends.Invalid, p.Attr("size_gib"), "a disk cannot shrink (it has %d GiB)", gibOf(v.Bytes))
			}
			d = disk{Volume: v.ID, Path: v.Path, Bytes: v.Bytes, Content: v.Content, origin: clone(v.origin)}
		} else {
			of := contents[key]
			d.Bytes, d.Content, d.origin = of.Bytes, of.Content, clone(of.origin)
			if d.linked() && *spec.Provisioning != "thin" {
				return refusal(backends.Invalid, p.Attr("provisioning"), "a disk that shares its content is thin")
			}
			if err := b.keepsSize(d, p, *spec.SizeGiB); err != nil {
				return err
			}
			d.Volume = w.newVolumeID(*spec.Storage, string(m.ID)+"-"+key)
			d.Path = "/mock/" + d.Volume + "." + *spec.Format
		}
		d.Bytes = max(d.Bytes, *spec.SizeGiB*gib)
		device, ok := freeSlot(m, *spec.Bus)
		if !ok {
			return refusal(backends.Invalid, p.Attr("bus"), "the %s bus has no free slot", *spec.Bus)
		}
		d.Device = device
		m.Spec.Disks[key], m.Disks[key] = spec, d
	}
	return nil
}

// freeSlot names the first free place on a bus, as Linux does.
func freeSlot(m *machine, bus string) (string, bool) {
	prefix, ok := map[string]string{"virtio": "vd", "scsi": "sd", "sata": "sd", "ide": "hd", "nvme": "nvme"}[bus]
	if !ok {
		return bus, true // validate says what is wrong with it
	}
	taken := map[string]bool{}
	for _, d := range m.Disks {
		taken[d.Device] = true
	}
	for i := range 26 {
		name := prefix + string(rune('a'+i))
		if bus == "nvme" {
			name = "nvme" + string(rune('a'+i)) + "n1"
		}
		if !taken[name] {
			return name, true
		}
	}
	return "", false
}

func (b *Backend) completeNICs(w *world, m *machine) {
	taken := map[string]bool{}
	for mac := range w.macs(m.ID) {
		taken[mac] = true
	}
	last := int64(-1)
	for _, n := range m.Spec.Networks {
		taken[value(n.MAC)] = true
		if n.Order != nil {
			last = max(last, *n.Order)
		}
	}
	for _, key := range sortedKeys(m.Spec.Networks) {
		n := overlay(b.nicDefaults(last+1), m.Spec.Networks[key])
		last = max(last, *n.Order)
		if n.MAC == nil {
			n.MAC = new(w.newMAC(m.ID, key, taken))
		}
		*n.MAC = strings.ToLower(*n.MAC)
		taken[*n.MAC] = true
		if value(n.VLAN) == 0 { // no tag
			n.VLAN = nil
		}
		m.Spec.Networks[key] = n
	}
}

func (b *Backend) checkNetworks(w *world, m *machine) error {
	others := w.macs(m.ID)
	for _, key := range sortedKeys(m.Spec.Networks) {
		n, p := m.Spec.Networks[key], backends.Path("networks").Key(key)
		if _, err := b.findNetwork(*n.Network); err != nil {
			err.Path = p.Attr("network")
			return err
		}
		if other := others[*n.MAC]; other != nil {
			return refusal(backends.Conflict, p.Attr("mac"), "VM %q has MAC %s", other.Spec.Name, *n.MAC)
		}
	}
	return nil
}

// findNetwork finds what a NIC names: a network, or a device with its kind.
func (b *Backend) findNetwork(name string) (network, *backends.Error) {
	kind, device, qualified := strings.Cut(name, ":")
	for _, n := range networks {
		switch {
		case !b.offers(n):
		case n.Name == name:
			return n, nil
		case qualified && n.Name == device && n.Kind == "bridge" && (kind == "bridge" || kind == "ovs" || kind == "direct"):
			return n, nil
		}
	}
	e := refusal(backends.NotFound, "", "there is no network %q", name)
	e.Remedy = "The networks are " + strings.Join(b.networkNames(), ", ") + "."
	return network{}, e
}

func (b *Backend) checkISO(w *world, s *backends.VMSpec) error {
	if s.CDROM == nil || s.CDROM.ISO == "" {
		return nil
	}
	im := w.findImage(s.CDROM.ISO)
	switch {
	case im == nil:
		return refusal(backends.NotFound, "cdrom.iso", "there is no image %q", s.CDROM.ISO)
	case im.Kind != "iso":
		return refusal(backends.Invalid, "cdrom.iso", "image %q is of kind %q, not \"iso\"", s.CDROM.ISO, im.Kind)
	}
	return nil
}
