package vsphere

import (
	"context"
	"sync"
	"time"

	"github.com/vmware/govmomi/property"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/vsphere/fault"
)

// sharersAge is for how long it is believed that a file is shared. That nobody shares it has to be read.
const sharersAge = 5 * time.Second

// sharers remembers which VMs need which disk files: for each file their names by id.
type sharers struct {
	mu    sync.Mutex
	read  time.Time
	users map[string]map[backends.ID]string
}

// forget has the next look ask vSphere.
func (s *sharers) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.users = nil
}

// gone notes that a VM is deleted.
func (s *sharers) gone(id backends.ID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, users := range s.users {
		delete(users, id)
	}
}

// since calls fn with what was read after the moment; ok is false where that is nothing.
func (s *sharers) since(moment time.Time, fn func(users map[string]map[backends.ID]string)) (ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.users == nil || s.read.Before(moment) {
		return false
	}
	fn(s.users)
	return true
}

// sharingPaths are the properties that tell which files a VM needs: devices have the chains of disks, the layout has also
// what only a snapshot of it needs.
var sharingPaths = []string{"name", "config.hardware.device", "layoutEx.file"}

// sharersSince returns, by file, the names of the other VMs that need disk files of m, among them files that are theirs and not
// m's own, as of the moment or later. It looks at all VMs in one traversal, which serves all who wait for it.
func (b *Backend) sharersSince(ctx context.Context, m *machine, moment time.Time) (map[string][]string, error) {
	files := m.files()
	var found map[string][]string
	pick := func(users map[string]map[backends.ID]string) {
		found = map[string][]string{}
		for file := range files {
			for id, name := range users[file] {
				if id != m.id() {
					found[file] = append(found[file], backends.VMObject(name))
				}
			}
		}
	}
	if b.links.sharers.since(moment, pick) {
		return found, nil
	}
	unlock, err := b.links.lock(ctx, "") // one look serves all who wait for it
	if err != nil {
		return nil, err
	}
	defer unlock()
	if b.links.sharers.since(moment, pick) {
		return found, nil
	}
	if err := b.readSharers(ctx); err != nil {
		return nil, err
	}
	b.links.sharers.since(time.Time{}, pick)
	return found, nil
}

func (b *Backend) readSharers(ctx context.Context) error {
	began := time.Now()
	vms, err := b.collect(ctx, b.allVMs(sharingPaths))
	if err != nil {
		return fault.Wrap(err, "see which VMs share disks", "")
	}
	users := map[string]map[backends.ID]string{}
	for _, vm := range vms {
		m := &machine{VirtualMachine: vm}
		for file := range m.files() {
			if users[file] == nil {
				users[file] = map[backends.ID]string{}
			}
			users[file][m.id()] = plain(m.Name)
		}
	}
	s := &b.links.sharers
	s.mu.Lock()
	defer s.mu.Unlock()
	s.read, s.users = began, users
	return nil
}

// frozenFiles are the files that snapshots keep: of each disk the one that was written to then. Those of disks that
// snapshots leave out are not among them.
func (b *Backend) frozenFiles(ctx context.Context, list []*snapshot) ([]string, error) {
	refs := make([]types.ManagedObjectReference, len(list))
	for i, s := range list {
		refs[i] = s.Snapshot
	}
	if len(refs) == 0 {
		return nil, nil
	}
	var snaps []mo.VirtualMachineSnapshot
	if err := property.DefaultCollector(b.conn.VIM()).Retrieve(ctx, refs, []string{"config.hardware.device"}, &snaps); err != nil {
		return nil, fault.WrapBulk(err, "read snapshots", "")
	}
	var files []string
	for _, s := range snaps {
		for _, d := range s.Config.Hardware.Device {
			if disk, ok := d.(*types.VirtualDisk); ok && !independent(disk) {
				files = append(files, fileOf(disk))
			}
		}
	}
	return files, nil
}
