package proxmox

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/proxmox/fault"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/proxmox/vmconf"
)

// ListVMs asks the cluster where VMs are and each of their nodes what it has. Whether a VM carries the mark costs a
// call for each that is in the result.
func (b *Backend) ListVMs(ctx context.Context, filter backends.VMFilter) ([]backends.VMSummary, error) {
	list, err := b.listVMs(ctx, filter)
	return list, fault.Wrap(err, "list VMs", "")
}

func (b *Backend) listVMs(ctx context.Context, filter backends.VMFilter) ([]backends.VMSummary, error) {
	all, err := b.census(ctx)
	if err != nil {
		return nil, err
	}
	list := []backends.VMSummary{}
	for _, r := range all {
		s := backends.VMSummary{
			ID: idOf(int64(r.VMID)), Name: r.name(), Host: r.node, Power: r.power(),
			Tags: vmconf.ParseTags(string(r.Tags)), Template: bool(r.Template),
		}
		switch {
		case filter.Names != nil && !slices.Contains(filter.Names, s.Name),
			filter.Power != "" && s.Power != filter.Power,
			filter.Host != "" && s.Host != filter.Host,
			slices.ContainsFunc(filter.Tags, func(t string) bool { return !slices.Contains(s.Tags, t) }):
			continue
		}
		list = append(list, s)
	}
	if !filter.Light {
		if err := b.owned(ctx, list); err != nil {
			return nil, err
		}
	}
	slices.SortFunc(list, func(x, y backends.VMSummary) int {
		return cmp.Or(strings.Compare(x.Name, y.Name), strings.Compare(string(x.ID), string(y.ID)))
	})
	return list, nil
}

// census lists all VMs, as their nodes know them. It is complete or an error.
func (b *Backend) census(ctx context.Context) (map[int64]resident, error) {
	where, err := b.estate.all(ctx)
	if err != nil {
		return nil, err
	}
	all, failed := b.estate.residents(ctx, nodesOf(where))
	for node, err := range failed {
		if backends.CodeOf(err) != backends.Transient {
			return nil, err
		}
		// A node that is down runs nothing; what the cluster remembers of its VMs has to do.
		for vmid, r := range where {
			if string(r.Node) == node && r.Type == "qemu" {
				all[vmid] = resident{VMID: r.VMID, Name: r.Name, Status: "unknown", node: node}
			}
		}
	}
	for vmid, r := range where {
		if _, listed := all[vmid]; listed || r.Type != "qemu" {
			continue
		}
		// It went from one node to another between their lists, or it is gone.
		switch s, err := b.look(ctx, idOf(vmid)); backends.CodeOf(err) {
		case "":
			all[vmid] = s.resident
		case backends.NotFound:
		case backends.Transient:
			all[vmid] = resident{VMID: r.VMID, Name: r.Name, Status: "unknown", node: string(r.Node)}
		default:
			return nil, err
		}
	}
	return all, nil
}

func (r resident) name() string { return nameOf(string(r.Name), int64(r.VMID)) }

// power is whether a VM runs. A VM whose memory is on disk is stopped, and locked.
func (r resident) power() backends.PowerState {
	switch {
	case r.Lock == "suspended" && r.Status == "stopped":
		return backends.Suspended
	case r.Status == "stopped":
		return backends.Stopped
	case r.Status != "running":
		return backends.Unknown
	case r.QMP == "prelaunch" && r.Lock == "backup": // it is stopped: QEMU runs for the backup alone
		return backends.Stopped
	case r.QMP == "paused" && r.Lock == "":
		return backends.Paused
	default: // prelaunch, while it migrates; shutdown, while its guest is off and QEMU has not ended
		return backends.Running
	}
}

// nameOf is what Proxmox VE itself calls a VM without a name.
func nameOf(name string, vmid int64) string {
	if name == "" {
		return "VM " + strconv.FormatInt(vmid, 10)
	}
	return name
}
