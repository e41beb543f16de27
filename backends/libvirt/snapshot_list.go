package libvirt

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	rpc "github.com/digitalocean/go-libvirt"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/libvirt/storage"
)

// ListSnapshots lists a VM's snapshots: ours, and those that other programs made.
func (b *Backend) ListSnapshots(ctx context.Context, id backends.ID) ([]backends.Snapshot, error) {
	const op = "list snapshots"
	object := backends.VMObject(string(id))
	dom, err := b.lookup(ctx, id)
	if err != nil {
		return nil, backends.Wrap(err, op, object)
	}
	list, err := b.listSnapshots(ctx, dom)
	return list, backends.Wrap(err, op, backends.VMObject(dom.Name))
}

func (b *Backend) listSnapshots(ctx context.Context, dom rpc.Domain) ([]backends.Snapshot, error) {
	stored, err := b.readSnapshots(ctx, dom)
	if err != nil || len(stored) == 0 {
		return []backends.Snapshot{}, err
	}
	d, err := b.readDomain(ctx, dom, rpc.DomainXMLInactive)
	if err != nil {
		return nil, err
	}
	list := make([]backends.Snapshot, 0, len(stored))
	for i := range stored {
		s := stored[i].tell(d.mark)
		if entry := d.mark.snapshot(s.ID); entry != nil {
			if s.SizeBytes, err = b.snapshotSize(ctx, d.mark, &stored[i], entry); err != nil {
				return nil, err
			}
		}
		list = append(list, s)
	}
	return list, nil
}

// tell describes a snapshot, without what only its volumes can tell.
func (s *storedSnapshot) tell(m *mark) backends.Snapshot {
	out := backends.Snapshot{
		ID: s.name, Name: s.name, Description: s.xml.Description, Current: s.current,
		SizeBytes: -1, Power: backends.Stopped,
	}
	if s.xml.Parent != nil {
		out.Parent = s.xml.Parent.Name
	}
	if at, err := strconv.ParseInt(s.xml.CreationTime, 10, 64); err == nil {
		out.CreatedAt = time.Unix(at, 0).UTC()
	}
	if memory := s.xml.Memory; memory != nil && (memory.Snapshot == "external" || memory.Snapshot == "internal") {
		out.Memory = true
		switch s.xml.State {
		case "paused", "pmsuspended":
			out.Power = backends.Paused
		default:
			out.Power = backends.Running
		}
	}
	if entry := m.snapshot(s.name); entry != nil {
		out.Name, out.Quiesced = snapshotTitle(s.name), entry.Quiesced
	}
	return out
}

// snapshotSize is what the memory takes, and the layers that the VM went on in.
func (b *Backend) snapshotSize(ctx context.Context, m *mark, s *storedSnapshot, entry *snapshotMark) (int64, error) {
	var refs []storage.Ref
	if entry.Volume != "" {
		refs = append(refs, entry.ref())
	}
	for _, path := range s.layers() {
		for _, l := range m.Layers {
			if isAt(path, l.Volume) {
				refs = append(refs, l.ref())
			}
		}
		for _, d := range m.Disks {
			if isAt(path, d.Volume) {
				refs = append(refs, d.ref())
			}
		}
	}
	total := int64(0)
	for _, ref := range refs {
		v, err := b.store.Get(ctx, ref)
		switch {
		case err == nil:
			total += v.AllocationBytes
		case ctx.Err() != nil:
			return 0, err
		}
	}
	return total, nil
}

// layers are the paths of the volumes in which the domain went on after the snapshot.
func (s *storedSnapshot) layers() []string {
	var paths []string
	if s.xml.Disks == nil {
		return nil
	}
	for _, disk := range s.xml.Disks.Disks {
		if disk.Snapshot == "external" && disk.Source != nil && disk.Source.File != nil {
			paths = append(paths, disk.Source.File.File)
		}
	}
	return paths
}

// findSnapshot finds a snapshot by id, or NotFound.
func findSnapshot(all []storedSnapshot, vm, id string) (*storedSnapshot, error) {
	for i := range all {
		if all[i].name == id {
			return &all[i], nil
		}
	}
	e := backends.Errorf(backends.NotFound, "", "", "VM %q has no snapshot with the id %q", vm, id)
	if len(all) == 0 {
		return nil, e
	}
	names := make([]string, len(all))
	for i, s := range all {
		names[i] = s.name
	}
	slices.Sort(names)
	return nil, e.Advise("It has: %s.", strings.Join(names, ", "))
}
