package proxmox

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/proxmox/pve"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/proxmox/vmconf"
)

// user is a VM that names a volume.
type user struct {
	vmid     int64
	node     string
	name     string
	slot     string
	snapshot string // that names it, "" where the VM itself does
	idle     bool   // it is an unused disk of the VM's, and goes with it
	mark     *mark
}

func (u user) object() string {
	if u.snapshot != "" {
		return fmt.Sprintf("snapshot %q of %s", u.snapshot, backends.VMObject(u.name))
	}
	return backends.VMObject(u.name)
}

// holds reports whether it is a VM that is there for a moment only, to grow a volume that no VM has.
func (u user) holds() bool { return u.mark != nil && u.mark.Image == holderKind }

// users finds the VMs that have a volume in a drive, by a read of all configurations that could; nodes are those to ask, nil is all. Where nodes do
// not answer it returns those that it found beside an error, which is Transient.
func (b *Backend) users(ctx context.Context, volume string, nodes []string) ([]user, error) {
	all, err := b.mentions(ctx, volume, nodes, false)
	return slices.DeleteFunc(all, func(u user) bool { return u.idle }), err
}

// mentions is users with those VMs to which the volume is an unused disk, and, where past, those of which only a snapshot has it.
func (b *Backend) mentions(ctx context.Context, volume string, nodes []string, past bool) ([]user, error) {
	where, err := b.estate.all(ctx)
	if err != nil {
		return nil, err
	}
	var users []user
	var away error // of a node that does not answer
	var mu sync.Mutex
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(parallel)
	for vmid, row := range where {
		node := string(row.Node)
		if row.Type != "qemu" || nodes != nil && !slices.Contains(nodes, node) {
			continue
		}
		g.Go(func() error {
			m, err := b.configured(ctx, resident{VMID: row.VMID, node: node}, "")
			if backends.CodeOf(err) == backends.NotFound {
				return nil // it is gone, or moved, meanwhile: where it moved with the volume, the volume is not here either
			}
			if backends.CodeOf(err) == backends.Transient {
				mu.Lock()
				away = err
				mu.Unlock()
				return nil
			}
			if err != nil && !errors.Is(err, errMark) {
				return err
			}
			u := user{vmid: vmid, node: node, name: nameOf(m.Config["name"], vmid), mark: m.Mark}
			named := m.mentions(volume, &u)
			if !named && past && m.Config["parent"] != "" {
				if named, err = b.inSnapshot(ctx, m, volume, &u); err != nil {
					return err
				}
			}
			if named {
				mu.Lock()
				users = append(users, u)
				mu.Unlock()
			}
			return nil
		})
	}
	if err = g.Wait(); err == nil {
		err = away
	}
	slices.SortFunc(users, func(x, y user) int { return cmp.Compare(x.vmid, y.vmid) })
	return users, err
}

// mentions reports whether the VM names a volume, and fills in how.
func (m *machine) mentions(volume string, u *user) bool {
	for _, c := range []vmconf.Config{m.Config, m.current} {
		if u.slot = slotOf(c, volume); u.slot != "" {
			return true
		}
	}
	u.slot = unusedWith(m.Config, volume)
	u.idle = u.slot != ""
	return u.idle && !slices.Contains(m.marked().Kept, volume) // what is kept does not go with the VM
}

// slotOf is the key of the drive that has a volume, also that of firmware variables or of a TPM, or "".
func slotOf(c vmconf.Config, volume string) string {
	for _, slot := range append(c.Drives(), efiSlot, tpmSlot) {
		if c.Drive(slot).Volume() == volume {
			return slot
		}
	}
	return ""
}

// inSnapshot reports whether a snapshot of a VM names a volume, and fills in which.
func (b *Backend) inSnapshot(ctx context.Context, m *machine, volume string, u *user) (bool, error) {
	l, err := b.snapshots(ctx, m)
	if err != nil {
		return false, err
	}
	for _, r := range l.rows {
		var then pve.Values
		err := b.conn.Get(ctx, m.snapshotPath(string(r.Name), "config"), nil, &then)
		if backends.CodeOf(err) == backends.NotFound {
			continue
		}
		if err != nil {
			return false, err
		}
		if u.slot = slotOf(vmconf.Config(then), volume); u.slot != "" {
			u.snapshot = string(r.Name)
			return true, nil
		}
	}
	return false, nil
}

// names are those of VMs and snapshots, for errors.
func names(users []user) string {
	var list []string
	for _, u := range users {
		list = append(list, u.object())
	}
	return strings.Join(list, ", ")
}
