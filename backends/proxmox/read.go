package proxmox

import (
	"context"
	"errors"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/proxmox/fault"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/proxmox/pve"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/proxmox/vmconf"
)

// machine is a VM as it was read: its configuration, what of it waits for the next start, and whether it runs.
type machine struct {
	*hardware
	resident
	pending []string // keys
	current vmconf.Config
	digest  string
}

func (m *machine) id() backends.ID { return idOf(m.hardware.VMID) }

func (m *machine) object() string {
	if name := m.Config["name"]; name != "" {
		return backends.VMObject(name)
	}
	return backends.VMObject(string(m.id()))
}

// GetVMs reads VMs in bulk: where they are, what their nodes run, and of each its configuration.
func (b *Backend) GetVMs(ctx context.Context, ids []backends.ID, aspects backends.Aspects) (map[backends.ID]backends.Result, error) {
	got, err := b.getVMs(ctx, ids, aspects)
	return got, fault.Wrap(err, "read VMs", "")
}

func (b *Backend) getVMs(ctx context.Context, ids []backends.ID, aspects backends.Aspects) (map[backends.ID]backends.Result, error) {
	where, err := b.estate.all(ctx)
	if err != nil {
		return nil, err
	}
	there, failed := b.estate.residents(ctx, nodesOf(only(where, ids)))
	w, err := b.storagesKnown(ctx, aspects)
	if err != nil {
		return nil, err
	}
	results := make(map[backends.ID]backends.Result, len(ids))
	var mu sync.Mutex
	var g errgroup.Group
	g.SetLimit(parallel)
	for _, id := range ids {
		g.Go(func() error {
			vm, err := b.getVM(ctx, id, where, there, failed, w, aspects)
			mu.Lock()
			defer mu.Unlock()
			results[id] = backends.Result{VM: vm, Err: fault.Wrap(err, "read", backends.VMObject(string(id)))}
			return nil
		})
	}
	return results, g.Wait()
}

// only are the entries of ids.
func only(where map[int64]listed, ids []backends.ID) map[int64]listed {
	some := make(map[int64]listed, len(ids))
	for _, id := range ids {
		if vmid, err := vmidOf(id); err == nil {
			if r, ok := where[vmid]; ok {
				some[vmid] = r
			}
		}
	}
	return some
}

func (b *Backend) getVM(ctx context.Context, id backends.ID, where map[int64]listed, there map[int64]resident, failed map[string]error, w world, aspects backends.Aspects) (*backends.VM, error) {
	vmid, err := vmidOf(id)
	if err != nil {
		return nil, err
	}
	row, ok := where[vmid]
	if !ok || row.Type != "qemu" {
		node, err := b.estate.absent(ctx, vmid)
		if err != nil {
			return nil, err
		}
		row = listed{VMID: pve.Int(vmid), Node: pve.Text(node)}
	}
	r, ok := there[vmid]
	if err := failed[string(row.Node)]; err != nil && !ok {
		return nil, err
	}
	if !ok { // it moved between the two listings, or was not listed
		m, err := b.machine(ctx, id)
		if err != nil {
			return nil, err
		}
		return b.observe(ctx, m, w, aspects)
	}
	m, err := b.configured(ctx, r, string(row.Pool))
	if backends.CodeOf(err) == backends.NotFound {
		m, err = b.machine(ctx, id)
	}
	if err != nil {
		return nil, err
	}
	return b.observe(ctx, m, w, aspects)
}

// errMark is why a VM cannot be told what it is: to act without its mark would forget volumes.
var errMark = errors.New("the VM's notes were changed by hand")

// configured reads the configuration of a VM that its node lists. Where its mark cannot be read, the VM is returned without it next to errMark.
func (b *Backend) configured(ctx context.Context, r resident, pool string) (*machine, error) {
	var rows []map[string]any
	vmid := int64(r.VMID)
	if err := b.conn.Get(ctx, pve.Path("nodes", r.node, "qemu", vmid, "pending"), nil, &rows); err != nil {
		return nil, err
	}
	p := vmconf.ParsePending(rows)
	hw, err := newHardware(vmid, r.node, pool, p.Configured)
	m := &machine{hardware: hw, resident: r, pending: p.Keys, current: p.Current, digest: p.Digest}
	if err != nil {
		return m, backends.Errorf(backends.Precondition, "", "", "%w: %w", errMark, err).
			Advise("Restore the comment <!-- virtrigaud ... --> at the end of the VM's notes in Proxmox VE. Without it the VM is managed as one that was made elsewhere: its disks and networks are known by their slots.")
	}
	return m, nil
}

// machine reads one VM that has to be there, for who is going to change it: where it is now, its power and configuration.
func (b *Backend) machine(ctx context.Context, id backends.ID) (m *machine, err error) {
	var pool string
	if all, listErr := b.estate.all(ctx); listErr == nil {
		if vmid, idErr := vmidOf(id); idErr == nil {
			pool = string(all[vmid].Pool)
		}
	}
	s, err := b.look(ctx, id)
	if err != nil {
		return nil, err
	}
	err = b.on(ctx, id, func(node string, vmid int64) error {
		s.node, s.VMID = node, pve.Int(vmid)
		m, err = b.configured(ctx, s.resident, pool)
		return err
	})
	return m, err
}

// waits reports whether changes wait for the next start. The order of boot is for that anyway.
func (m *machine) waits() bool {
	return slices.ContainsFunc(m.pending, func(key string) bool { return key != "boot" })
}

// observe turns a VM that was read into what the seam tells of it.
func (b *Backend) observe(ctx context.Context, m *machine, w world, aspects backends.Aspects) (*backends.VM, error) {
	if limit := m.limit(); aspects&backends.AspectConfig != 0 && limit > 0 && !m.limitAsked(limit) {
		w.MHz, _ = b.mhz(ctx, m.node) // made by hand: what it is in MHz, as far as that can be told
	}
	o := m.hardware.observe(w, aspects&backends.AspectSeed != 0)
	vm := &backends.VM{
		ID: m.id(), UUID: o.UUID, Config: o.Spec, Owned: o.Owned,
		Power: m.power(), Host: m.node, Status: string(m.QMP), Template: m.hardware.Template,
		Disks: o.Disks, Networks: o.Networks, ConsoleType: o.ConsoleType, Pending: m.waits(),
	}
	if vm.Status == "" {
		vm.Status = string(m.Status)
	}
	if m.Lock != "" {
		vm.Status += " (" + string(m.Lock) + ")"
	}
	if aspects&(backends.AspectGuest|backends.AspectGuestDetail) != 0 && o.Agent && vm.Power == backends.Running {
		b.askGuest(ctx, m, vm, aspects&backends.AspectGuestDetail != 0)
	}
	return vm, nil
}
