package mock

import (
	"context"
	"net/netip"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/cloudinit"
)

// CloneVM makes a VM from another VM, a template or a snapshot.
func (b *Backend) CloneVM(ctx context.Context, spec *backends.CloneSpec) (backends.ID, error) {
	c := call{
		method: "CloneVM", op: "clone", object: backends.VMObject(spec.Spec.Name),
		key: "name/" + spec.Spec.Name, names: []string{spec.Spec.Name},
	}
	if err := b.catalogue.Require(backends.FeatureClone, c.op, c.object); err != nil {
		return "", err
	}
	if err := backends.Vet(b.catalogue, &backends.VMSpec{}, &spec.Spec, backends.CloneRequirements(spec), c.op, c.object); err != nil {
		return "", err
	}
	if spec.Spec.Image != "" || spec.Spec.Template != "" {
		return "", backends.Errorf(backends.Invalid, c.op, c.object, "a clone is made from its source, not from an image or template").At("image")
	}
	return b.bear(ctx, c, &spec.Spec, func(w *world, m *machine, want *backends.VMSpec) (*making, error) {
		src, err := w.cloneSource(spec)
		if err != nil {
			return nil, err
		}
		return w.inherit(m, src, want, spec.Linked)
	})
}

// source is what a VM is made from: a VM or template as it is, or a snapshot.
type source struct {
	id     backends.ID
	object string
	spec   backends.VMSpec
	disks  map[string]disk
	guest  string
}

func (m *machine) source() (*source, error) {
	if m.Partial {
		return nil, backends.Errorf(backends.Precondition, "", "", "the creation of VM %q did not end", m.Spec.Name).
			Advise("Delete that VM and create it again.")
	}
	return &source{id: m.ID, object: m.object(), spec: m.Spec, disks: m.Disks, guest: m.Guest}, nil
}

// cloneSource finds what a clone is made from.
func (w *world) cloneSource(spec *backends.CloneSpec) (*source, error) {
	m := w.Machines[spec.Source]
	if m == nil {
		return nil, refusal(backends.NotFound, "source_vm", "there is no VM or template with the id %q", spec.Source)
	}
	src, err := m.source()
	if err != nil || spec.Snapshot == "" {
		return src, err
	}
	s := m.snapshot(spec.Snapshot)
	if s == nil {
		return nil, refusal(backends.NotFound, "source_snapshot", "VM %q has no snapshot with the id %q", m.Spec.Name, spec.Snapshot)
	}
	src.object += " at its snapshot \"" + s.Name + "\""
	src.spec, src.disks = clone(s.Spec), s.Disks
	for _, key := range sortedKeys(src.spec.Disks) {
		if _, own := s.Disks[key]; own {
			continue
		}
		// It is attached by Volume, so no part of the snapshot.
		if d, asked := spec.Spec.Disks[key]; spec.Spec.Disks == nil || asked && d.Volume == nil {
			return nil, backends.Errorf(backends.Precondition, "", "", "the snapshot does not hold the disk %q, which %s attaches by volume", key, m.object()).
				At(backends.Path("disks").Key(key)).Advise("Leave the disk out by naming the others in disks.")
		}
		delete(src.spec.Disks, key)
	}
	return src, nil
}

// making is what a new VM's disks are made from, by key, and the bases that
// were put into the world for it.
type making struct {
	disks map[string]disk
	bases []string
}

func (mk *making) contents() map[string]disk {
	if mk == nil {
		return nil
	}
	return mk.disks
}

// undo takes back what a creation that failed put into the world.
func (mk *making) undo(w *world) {
	if mk == nil {
		return
	}
	for _, id := range mk.bases {
		delete(w.Bases, id)
	}
}

// inherit gives want what it leaves nil of a source, except for what belongs to
// one VM only.
func (w *world) inherit(m *machine, src *source, want *backends.VMSpec, linked bool) (*making, error) {
	from := heritage(src.spec)
	if c := src.spec.Console; c != nil && c.PasswordVersion != nil && !guarded(want.Console) && !isLoopback(value(c.Address)) {
		from.Console.Address = nil // nobody would be asked for a password there
	}
	for key, d := range from.Disks {
		if linked {
			d.Provisioning = nil // what is shared is thin
		}
		if want.Placement.Storage != nil {
			d.Storage = nil
		}
		from.Disks[key] = d
	}
	for key, d := range want.Disks {
		have, ok := from.Disks[key]
		if !ok || d.Volume != nil {
			continue
		}
		if d.SizeGiB != nil && *d.SizeGiB < value(have.SizeGiB) {
			return nil, refusal(backends.Invalid, backends.Path("disks").Key(key).Attr("size_gib"),
				"%d GiB is too small: the disk of %s has %d GiB", *d.SizeGiB, src.object, *have.SizeGiB)
		}
		want.Disks[key] = overlay(have, d)
	}
	for key, n := range want.Networks {
		want.Networks[key] = overlay(from.Networks[key], n)
	}
	if from.CloudInit != nil && want.CloudInit != nil {
		if want.CloudInit.UserData != nil {
			from.CloudInit.UserDataVersion = nil
		}
		*want.CloudInit = overlay(*from.CloudInit, *want.CloudInit)
	}
	if from.Console != nil && want.Console != nil {
		*want.Console = overlay(*from.Console, *want.Console)
	}
	if from.Libvirt != nil && want.Libvirt != nil {
		*want.Libvirt = overlay(*from.Libvirt, *want.Libvirt)
	}
	if from.VSphere != nil && want.VSphere != nil {
		*want.VSphere = overlay(*from.VSphere, *want.VSphere)
	}
	if from.Proxmox != nil && want.Proxmox != nil {
		*want.Proxmox = overlay(*from.Proxmox, *want.Proxmox)
	}
	if from.HighAvailability != nil && want.HighAvailability != nil {
		*want.HighAvailability = overlay(*from.HighAvailability, *want.HighAvailability)
	}
	*want = overlay(from, *want)
	m.Guest = src.guest

	mk := &making{disks: map[string]disk{}}
	for _, key := range sortedKeys(want.Disks) {
		d, ok := src.disks[key]
		if !ok || want.Disks[key].Volume != nil {
			continue
		}
		of := disk{Bytes: d.Bytes, Content: d.Content, origin: origin{Data: d.Data}}
		if linked {
			id, added := w.freeze(src, key)
			of.Base, of.Content = id, 0
			if added {
				mk.bases = append(mk.bases, id)
			}
		} else if d.linked() {
			of.Content = w.content(d)
		}
		mk.disks[key] = of
	}
	return mk, nil
}

// guarded reports whether a new console gets a password.
func guarded(c *backends.ConsoleSpec) bool {
	return c != nil && value(c.Password) != "" && c.PasswordVersion != nil
}

// isLoopback reports whether an address is one that only the host itself reaches.
func isLoopback(address string) bool {
	ip, err := netip.ParseAddr(address)
	return err == nil && ip.IsLoopback()
}

// content is what a full copy of a disk that shares its content holds.
func (w *world) content(d disk) int64 {
	total := d.Content
	if im := w.Images[d.Image]; im != nil {
		total += max(0, im.Allocated)
	}
	if b := w.Bases[d.Base]; b != nil {
		total += w.content(disk{Content: b.Content, origin: b.origin})
	}
	return min(total, d.Bytes)
}

// heritage is what of a spec another VM can have too.
func heritage(s backends.VMSpec) backends.VMSpec {
	s = clone(s)
	for key, d := range s.Disks {
		d.Volume, d.KeepOnDestroy = nil, nil
		s.Disks[key] = d
	}
	for key, n := range s.Networks {
		n.MAC, n.IPv4, n.IPv6 = nil, nil, nil
		s.Networks[key] = n
	}
	if s.CloudInit != nil {
		s.CloudInit.Hostname, s.CloudInit.InstanceID, s.CloudInit.NetworkConfig = nil, nil, nil
		if meta := s.CloudInit.MetaData; meta != nil {
			// What cannot be read was no obstacle to the source, and is none here.
			if rest, err := cloudinit.WithoutIdentity(*meta); err == nil {
				s.CloudInit.MetaData = some(rest)
			}
		}
	}
	if s.Console != nil {
		s.Console.Port, s.Console.Password, s.Console.PasswordVersion = nil, nil, nil
	}
	s.Name, s.Customization, s.Settings = "", nil, nil
	s.Placement.Host, s.Placement.Cluster = nil, nil
	return s
}
