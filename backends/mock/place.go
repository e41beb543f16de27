package mock

import (
	"context"
	"slices"
	"strings"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// place chooses the host that a machine lives on, or checks the one that it
// names, and checks where else it is put.
func (b *Backend) place(w *world, m *machine) error {
	p := &m.Spec.Placement
	if err := findPlace(p); err != nil {
		return err
	}
	if p.Host == nil {
		host, err := w.freeHost(m)
		if err != nil {
			return err
		}
		m.Host = host
	} else {
		if err := w.checkHost(m, *p.Host); err != nil {
			return err
		}
		m.Host = *p.Host
	}
	if b.catalogue.Supports(backends.FeatureHostPlacement) {
		p.Host = new(m.Host)
		if b.catalogue.Lacks["placement.cluster"] == "" {
			p.Cluster = or(p.Cluster, cluster)
		}
	}
	return nil
}

// CheckPlacement looks up what a placement names.
func (b *Backend) CheckPlacement(ctx context.Context, at backends.PlacementSpec) error {
	const op = "find a place for the VM"
	if err := b.read(ctx, "CheckPlacement", op, ""); err != nil {
		return err
	}
	err := findPlace(&at)
	if err == nil && at.Host != nil && !slices.ContainsFunc(hosts, func(h backends.Host) bool { return h.Name == *at.Host }) {
		err = refusal(backends.NotFound, "placement.host", "there is no host %q", *at.Host)
	}
	return backends.Wrap(err, op, "")
}

// findPlace checks that everything but the host is there.
func findPlace(p *backends.PlacementSpec) error {
	for _, where := range []struct {
		path  backends.Path
		value *string
		all   []string
	}{
		{"placement.resource_pool", p.ResourcePool, resourcePools},
		{"placement.pool", p.Pool, resourcePools},
		{"placement.folder", p.Folder, folders},
		{"placement.cluster", p.Cluster, []string{cluster}},
	} {
		if where.value != nil && !slices.Contains(where.all, *where.value) {
			return refusal(backends.NotFound, where.path, "there is no %q; there are %s", *where.value, strings.Join(where.all, ", "))
		}
	}
	if p.Storage != nil {
		if _, err := findStorage(*p.Storage, "placement.storage"); err != nil {
			return err
		}
	}
	return nil
}

// freeHost returns a host with room: the one that the machine is on, or the
// first from a place that its name decides, so that VMs spread.
func (w *world) freeHost(m *machine) (string, error) {
	first := w.pick(len(hosts), "host", m.Spec.Name)
	candidates := []string{m.Host}
	for i := range hosts {
		candidates = append(candidates, hosts[(first+i)%len(hosts)].Name)
	}
	var last error
	for _, name := range candidates {
		if name == "" {
			continue
		}
		err := w.checkHost(m, name)
		if err == nil {
			return name, nil
		}
		if backends.CodeOf(err) == backends.Exhausted {
			last = err
		}
	}
	return "", last
}

// checkHost checks that a host is there, works and has room for a machine.
func (w *world) checkHost(m *machine, name string) error {
	i := slices.IndexFunc(hosts, func(h backends.Host) bool { return h.Name == name })
	if i < 0 {
		return refusal(backends.NotFound, "placement.host", "there is no host %q", name)
	}
	h := hosts[i]
	if !h.Online {
		return refusal(backends.Precondition, "placement.host", "host %q is offline", name)
	}
	memory, mhz := value(m.Spec.Memory.ReservationMiB), value(m.Spec.CPU.ReservationMHz)
	for id, other := range w.Machines {
		if id != m.ID && other.Host == name {
			memory += value(other.Spec.Memory.ReservationMiB)
			mhz += value(other.Spec.CPU.ReservationMHz)
		}
	}
	switch {
	case *m.Spec.Memory.SizeMiB > h.MemoryMiB:
		return refusal(backends.Exhausted, "memory.size_mib", "host %q has %d MiB", name, h.MemoryMiB)
	case m.Spec.CPU.VCPUs() > h.CPUs:
		return refusal(backends.Exhausted, "cpu.cores", "host %q has %d CPUs, the VM wants %d", name, h.CPUs, m.Spec.CPU.VCPUs())
	case memory > h.MemoryMiB:
		return refusal(backends.Exhausted, "memory.reservation_mib", "host %q has %d MiB, and %d MiB would be reserved", name, h.MemoryMiB, memory)
	case mhz > h.CPUs*mhzPerCPU:
		return refusal(backends.Exhausted, "cpu.reservation_mhz", "host %q has %d MHz, and %d MHz would be reserved", name, h.CPUs*mhzPerCPU, mhz)
	}
	return nil
}

func findStorage(name string, path backends.Path) (backends.Storage, error) {
	names := make([]string, 0, len(storages))
	for _, s := range storages {
		if s.Name == name {
			return s, nil
		}
		names = append(names, s.Name)
	}
	return backends.Storage{}, refusal(backends.NotFound, path, "there is no storage %q; there are %s", name, strings.Join(names, ", "))
}

// spent is what a disk takes of its storage: all of it where it is thick, else
// a twentieth, but at least what its image holds.
func spent(provisioning string, bytes, content int64) int64 {
	if provisioning != "thin" {
		return bytes
	}
	return min(bytes, max(bytes/20, content))
}

// spent is what a disk takes of its storage.
func (d disk) spent(provisioning string) int64 {
	if d.linked() {
		return layer(d.Bytes)
	}
	return spent(provisioning, d.Bytes, d.Content)
}

// used adds up what each storage holds, without one VM.
func (w *world) used(except backends.ID) map[string]int64 {
	used := map[string]int64{}
	for id, m := range w.Machines {
		if id == except {
			continue
		}
		m.spend(used)
	}
	for _, v := range w.Volumes {
		d := disk{Bytes: v.Bytes, Content: v.Content, origin: v.origin}
		used[value(v.Disk.Storage)] += d.spent(value(v.Disk.Provisioning))
	}
	for _, im := range w.Images {
		used[im.Storage] += max(0, im.Allocated)
	}
	for _, b := range w.Bases {
		used[b.Storage] += layer(b.Bytes)
	}
	return used
}

// room checks that every storage has room for a machine as it would be.
func (w *world) room(m *machine) error {
	used := w.used(m.ID)
	m.spend(used)
	for _, st := range storages {
		if used[st.Name] > st.CapacityBytes {
			return noSpace(st, "", used[st.Name])
		}
	}
	return nil
}

// spend adds what a VM's own disks and its snapshots take.
func (m *machine) spend(used map[string]int64) {
	for key, d := range m.Disks {
		if d.Owned {
			spec := m.Spec.Disks[key]
			used[value(spec.Storage)] += d.spent(value(spec.Provisioning))
		}
	}
	for i := range m.Snapshots {
		m.Snapshots[i].spend(used)
	}
}

// checkStorages checks that a machine's disks are where storages are, with room.
func (w *world) checkStorages(m *machine) error {
	used := w.used(m.ID)
	for i := range m.Snapshots {
		m.Snapshots[i].spend(used)
	}
	for _, key := range sortedKeys(m.Disks) {
		d, spec, p := m.Disks[key], m.Spec.Disks[key], backends.Path("disks").Key(key)
		st, err := findStorage(*spec.Storage, p.Attr("storage"))
		if err != nil {
			return err
		}
		if err := checkPolicy(spec.Policy, st.Name, p.Attr("policy")); err != nil {
			return err
		}
		if !d.Owned {
			continue
		}
		used[st.Name] += d.spent(*spec.Provisioning)
		if used[st.Name] > st.CapacityBytes {
			return noSpace(st, p.Attr("size_gib"), used[st.Name])
		}
	}
	return nil
}

func noSpace(st backends.Storage, path backends.Path, wanted int64) error {
	e := refusal(backends.Exhausted, path, "storage %q has %d GiB, and %d MiB more are wanted",
		st.Name, st.CapacityBytes/gib, (wanted-st.CapacityBytes+mib-1)/mib)
	e.Remedy = "Delete what is not needed, or name another storage."
	return e
}
