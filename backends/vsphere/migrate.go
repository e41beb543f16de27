package vsphere

import (
	"context"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// Migrate moves a VM: to a host, a cluster or a resource pool, live where it runs, with its own
// files and disks to a datastore, and into a folder. All but a move between folders alone is one task.
func (b *Backend) Migrate(ctx context.Context, id backends.ID, to backends.PlacementSpec) error {
	const op = "migrate"
	catalogue := b.catalogue()
	if err := catalogue.Require(backends.FeatureMigration, op, backends.VMObject(string(id))); err != nil {
		return err
	}
	m, err := b.machine(ctx, id, op)
	if err != nil {
		return err
	}
	if m.Config == nil {
		return backends.Errorf(backends.Precondition, op, m.object(), "the VM's configuration cannot be read: it is being made, or its files cannot be reached")
	}
	from, desired := &backends.VMSpec{Placement: m.observePlacement()}, &backends.VMSpec{Placement: to}
	if err := backends.Vet(catalogue, from, desired, backends.Diff(from, desired), op, m.object()); err != nil {
		return err
	}
	mv := &relocation{Backend: b, m: m, to: to, disks: map[string]diskMove{}}
	if to.Storage != nil {
		mv.home = to.Storage
		for key := range m.diskDevices() {
			if m.mark == nil || m.mark.Disks[key].Volume == "" {
				mv.disks[key] = diskMove{storage: to.Storage, path: "placement.storage"}
			}
		}
	}
	return backends.Wrap(mv.carryOut(ctx), op, m.object())
}

// relocate makes those changes that are of the place of a VM or of its disks. m is as it is now.
func (b *Backend) relocate(ctx context.Context, m *machine, r backends.Reconfiguration, changes []backends.Change) error {
	mv := &relocation{Backend: b, m: m, disks: map[string]diskMove{}}
	want := r.Desired.Placement
	for _, c := range changes {
		d, disk := mv.disks[c.Key], r.Desired.Disks[c.Key]
		d.path = backends.Path("disks").Key(c.Key).Attr("storage")
		switch c.Path.Generic() {
		case "placement.host":
			mv.to.Host = want.Host
		case "placement.cluster":
			mv.to.Cluster = want.Cluster
		case "placement.resource_pool":
			mv.to.ResourcePool = want.ResourcePool
		case "placement.folder":
			mv.to.Folder = want.Folder
		case "disks.storage":
			d.storage = disk.Storage
			mv.disks[c.Key] = d
		case "disks.provisioning":
			d.provisioning = disk.Provisioning
			mv.disks[c.Key] = d
		case "disks.policy":
			d.policy = disk.Policy
			mv.disks[c.Key] = d
		}
	}
	return mv.carryOut(ctx)
}
