package libvirt

import (
	"context"
	"fmt"
	"slices"

	rpc "github.com/digitalocean/go-libvirt"
	"libvirt.org/go/libvirtxml"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/libvirt/storage"
)

// storedSnapshot is a snapshot as libvirt keeps it: what the VM was, and what its disks were
// attached by.
type storedSnapshot struct {
	name    string
	current bool
	xml     *libvirtxml.DomainSnapshot
}

func (s snapshotMark) ref() storage.Ref { return storage.Ref{Pool: s.Pool, Name: s.Volume} }

func (m *mark) snapshot(name string) *snapshotMark {
	if m == nil {
		return nil
	}
	for i := range m.Snapshots {
		if m.Snapshots[i].Name == name {
			return &m.Snapshots[i]
		}
	}
	return nil
}

func (m *mark) dropSnapshot(name string) {
	m.Snapshots = slices.DeleteFunc(m.Snapshots, func(s snapshotMark) bool { return s.Name == name })
}

// readSnapshots reads all of a VM's snapshots, parents before children.
func (b *Backend) readSnapshots(ctx context.Context, dom rpc.Domain) ([]storedSnapshot, error) {
	return query(ctx, b, func(l *rpc.Libvirt) ([]storedSnapshot, error) {
		list, _, err := l.DomainListAllSnapshots(dom, 1, uint32(rpc.DomainSnapshotListTopological))
		if err != nil || len(list) == 0 {
			return nil, err
		}
		current, err := l.DomainSnapshotCurrent(dom, 0)
		if err != nil && !answered(err, rpc.ErrNoDomainSnapshot) {
			return nil, err
		}
		all := make([]storedSnapshot, 0, len(list))
		for _, s := range list {
			text, err := l.DomainSnapshotGetXMLDesc(s, uint32(rpc.DomainSnapshotXMLSecure))
			if answered(err, rpc.ErrNoDomainSnapshot) {
				continue // gone since it was listed
			}
			if err != nil {
				return nil, err
			}
			x, err := parseXML[libvirtxml.DomainSnapshot]("snapshot", text)
			if err != nil {
				return nil, err
			}
			all = append(all, storedSnapshot{name: s.Name, current: s.Name == current.Name, xml: x})
		}
		return all, nil
	})
}

// definitions are the domains that a snapshot keeps: as it ran, and as it was going to
// be at its next start.
func (s *storedSnapshot) definitions() []*libvirtxml.Domain {
	var all []*libvirtxml.Domain
	if s.xml.Domain != nil {
		all = append(all, s.xml.Domain)
	}
	if s.xml.InactiveDomain != nil {
		all = append(all, &s.xml.InactiveDomain.Domain)
	}
	return all
}

// next is a copy of the definition that the VM's next start would have used.
func (s *storedSnapshot) next() (*domain, error) {
	all := s.definitions()
	if len(all) == 0 {
		return nil, backends.Errorf(backends.Internal, "", "", "libvirt does not know what the VM was")
	}
	x := *all[len(all)-1]
	x.XMLName.Local = "domain"
	text, err := x.Marshal()
	if err != nil {
		return nil, fmt.Errorf("read the snapshot: %w", err)
	}
	return parseDomain(text)
}

// holds reports whether the snapshot's disks are what lies at a path.
func (s *storedSnapshot) holds(path string) bool {
	for _, x := range s.definitions() {
		for i := 0; x.Devices != nil && i < len(x.Devices.Disks); i++ {
			if pathOf(&x.Devices.Disks[i]) == path {
				return true
			}
		}
	}
	return false
}

// move says where the content of a disk is now.
func (s *storedSnapshot) move(path string, to source) {
	for _, x := range s.definitions() {
		for i := 0; x.Devices != nil && i < len(x.Devices.Disks); i++ {
			if disk := &x.Devices.Disks[i]; pathOf(disk) == path {
				setSource(disk, to)
			}
		}
	}
}

// redefineSnapshot writes what libvirt keeps of a snapshot.
func (b *Backend) redefineSnapshot(ctx context.Context, dom rpc.Domain, s *storedSnapshot) error {
	text, err := s.xml.Marshal()
	if err != nil {
		return fmt.Errorf("write the snapshot: %w", err)
	}
	flags := rpc.DomainSnapshotCreateRedefine
	if s.current {
		flags |= rpc.DomainSnapshotCreateCurrent
	}
	// The same twice is the same as once.
	err = b.again(ctx, func(l *rpc.Libvirt) error {
		_, err := l.DomainSnapshotCreateXML(dom, text, uint32(flags))
		return err
	})
	return backends.Wrap(err, fmt.Sprintf("write what libvirt keeps of snapshot %q", s.name), "")
}
