package vsphere

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/vmware/govmomi/vim25/types"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/inherit"
)

// cloneAs is what clones differ in beside their specification.
type cloneAs struct {
	source   backends.ID
	snapshot string // of source, "" for its present state
	linked   bool
	path     backends.Path // the attribute that names the source
	// content is set where only the content of the disk "root" is taken over, as from the image of a disk.
	content bool
}

// source is what a clone is made from: a VM or template as it is, or a snapshot of it.
type source struct {
	now      *machine
	then     *machine // what is cloned: now, or its hardware when the snapshot was taken
	snapshot *types.ManagedObjectReference
	spec     backends.VMSpec // what then was observed as
	disks    map[string]*types.VirtualDisk
	object   string
}

// source reads the source of a clone.
func (b *Backend) source(ctx context.Context, as cloneAs) (*source, error) {
	now, err := b.machine(ctx, as.source, "")
	if backends.CodeOf(err) == backends.NotFound {
		return nil, backends.Errorf(backends.NotFound, "", "", "there is no VM or template with the id %q", as.source).At(as.path)
	}
	if err != nil {
		return nil, blame(err, as.path)
	}
	if err := now.whole(); err != nil {
		return nil, blame(backends.Wrap(err, "", now.object()), as.path)
	}
	tags, err := b.readTags(ctx, []*machine{now})
	if err != nil {
		return nil, err
	}
	now.tags = tags[now.id()]
	s := &source{now: now, then: now, object: now.object()}
	if as.snapshot != "" {
		if err := s.at(ctx, b, as.snapshot); err != nil {
			return nil, err
		}
	}
	vm, err := s.then.observe(backends.AspectConfig | backends.AspectSeed)
	if err != nil {
		return nil, err
	}
	s.spec, s.disks = vm.Config, s.then.diskDevices()
	s.spec.Placement = asked(now.mark)
	if m := s.then.mark; m != nil && m.Seed != nil && s.spec.CloudInit == nil {
		s.spec.CloudInit = &backends.CloudInit{}
	}
	return s, nil
}

// at turns to a snapshot of the source.
func (s *source) at(ctx context.Context, b *Backend, id string) error {
	const path = backends.Path("source_snapshot")
	snap, err := s.now.findSnapshot(id)
	if err != nil {
		return backends.Errorf(backends.NotFound, "", "", "%s has no snapshot with the id %q", s.now.object(), id).At(path)
	}
	if s.then, err = b.machineAt(ctx, s.now, snap); err != nil {
		return blame(err, path)
	}
	s.snapshot = &snap.Snapshot
	s.object += ` at its snapshot "` + plain(snap.Name) + `"`
	return nil
}

// asked is the placement that was asked for when a VM was made here. Where a stranger is, templates among them, says nothing of
// where the VMs made from it go.
func asked(k *mark) backends.PlacementSpec {
	if k == nil {
		return backends.PlacementSpec{}
	}
	p := k.Placement
	return backends.PlacementSpec{Cluster: some(p.Cluster), ResourcePool: some(p.ResourcePool), Folder: some(p.Folder), Storage: some(p.Storage)}
}

// some is text, or nil for "".
func some(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}

// inherit completes what was asked for with what the source has, and refuses what cannot be made of it.
func (s *source) inherit(spec *backends.VMSpec, as cloneAs) (*backends.VMSpec, error) {
	from := s.spec
	if as.content {
		from = backends.VMSpec{Disks: map[string]backends.Disk{rootKey: s.spec.Disks[rootKey]}}
	}
	if as.linked {
		from.Disks = maps.Clone(from.Disks)
		for key, d := range from.Disks {
			d.Provisioning = nil // what lies above shared content takes space as it is written
			from.Disks[key] = d
		}
	}
	want := inherit.Clone(&from, spec)
	if as.content {
		want.Disks = withRoot(want.Disks, from.Disks[rootKey])
	}
	for _, key := range slices.Sorted(maps.Keys(want.Disks)) {
		if err := s.canMake(key, spec, want.Disks[key], as); err != nil {
			return nil, err
		}
	}
	return want, nil
}

// withRoot has the disk that receives an image among those that are named.
func withRoot(disks map[string]backends.Disk, root backends.Disk) map[string]backends.Disk {
	out := maps.Clone(disks)
	if out == nil {
		out = map[string]backends.Disk{}
	}
	if _, ok := out[rootKey]; !ok {
		out[rootKey] = root
	}
	return out
}

// canMake refuses a disk that cannot be made from the source's of the same key.
func (s *source) canMake(key string, spec *backends.VMSpec, want backends.Disk, as cloneAs) error {
	have, ok := s.spec.Disks[key]
	if !ok || want.Volume != nil {
		return nil
	}
	path := backends.Path("disks").Key(key)
	if s.snapshot != nil && have.Volume != nil {
		return backends.Errorf(backends.Precondition, "", "", "the snapshot does not hold the disk %q, which %s attaches by volume", key, s.now.object()).
			At(path).Advise("Leave the disk out by naming the others in disks.")
	}
	size, least := value(want.SizeGiB), value(have.SizeGiB)
	switch {
	case size < least:
		return backends.Errorf(backends.Invalid, "", "", "%d GiB is too small: the disk of %s has %d GiB", size, s.object, least).
			At(path.Attr("size_gib"))
	case !as.linked || have.Volume != nil:
		return nil
	case spec.Disks[key].SizeGiB != nil && size*gib > diskBytes(s.disks[key]):
		return backends.Errorf(backends.Invalid, "", "", "the disk would have %d GiB and share the content of one of %s: vSphere does not grow what shares its content", size, sizeInWords(diskBytes(s.disks[key]))).
			At(path.Attr("size_gib")).Advise("Leave size_gib out, or make a full clone by leaving linked out.")
	}
	if how := value(spec.Disks[key].Provisioning); how != "" && how != "thin" {
		return backends.Errorf(backends.Invalid, "", "", "a disk that shares its content takes space as it is written, so it cannot be %q", how).
			At(path.Attr("provisioning")).Advise("Leave provisioning out, or make a full clone by leaving linked out.")
	}
	return nil
}

// sizeInWords is a disk's size in GiB where it has whole ones.
func sizeInWords(bytes int64) string {
	if bytes%gib == 0 {
		return fmt.Sprintf("%d GiB", bytes/gib)
	}
	return fmt.Sprintf("%d bytes", bytes)
}

// devices are the device keys of the source's disks that disks of the clone are made from, by key.
func (s *source) devices(want *backends.VMSpec) map[string]int32 {
	keys := map[string]int32{}
	for key, d := range want.Disks {
		if device, ok := s.disks[key]; ok && d.Volume == nil {
			keys[key] = device.Key
		}
	}
	return keys
}
