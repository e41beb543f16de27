package vsphere

import (
	"context"
	"fmt"
	"strings"
	"sync"

	pbmtypes "github.com/vmware/govmomi/pbm/types"
	"github.com/vmware/govmomi/vim25/types"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/vsphere/fault"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/vsphere/inventory"
)

// policies remembers the storage policies by name and id, as long as the connection lives: a name that is missing is
// looked up anew.
type policies struct {
	mu    sync.Mutex
	ids   map[string]string
	names map[string]string
}

// policyID is the id of a storage policy, or NotFound.
func (b *Backend) policyID(ctx context.Context, name string) (string, error) {
	b.policies.mu.Lock()
	id, ok := b.policies.ids[name]
	b.policies.mu.Unlock()
	if ok {
		return id, nil
	}
	if err := b.loadPolicies(ctx); err != nil {
		return "", err
	}
	b.policies.mu.Lock()
	defer b.policies.mu.Unlock()
	if id, ok = b.policies.ids[name]; ok {
		return id, nil
	}
	return "", backends.Errorf(backends.NotFound, "", "", "vCenter has no storage policy %q", name)
}

func (b *Backend) loadPolicies(ctx context.Context) error {
	client, err := b.conn.PBM(ctx)
	if err != nil {
		return err
	}
	ids, err := client.QueryProfile(ctx, pbmtypes.PbmProfileResourceType{ResourceType: string(pbmtypes.PbmProfileResourceTypeEnumSTORAGE)}, "")
	if err != nil {
		return fault.Wrap(err, "read the storage policies", "")
	}
	profiles, err := client.RetrieveContent(ctx, ids)
	if err != nil {
		return fault.Wrap(err, "read the storage policies", "")
	}
	byName, byID := map[string]string{}, map[string]string{}
	for _, p := range profiles {
		profile := p.GetPbmProfile()
		byName[profile.Name], byID[profile.ProfileId.UniqueId] = profile.ProfileId.UniqueId, profile.Name
	}
	b.policies.mu.Lock()
	defer b.policies.mu.Unlock()
	b.policies.ids, b.policies.names = byName, byID
	return nil
}

// storeFor is where a disk with a policy goes: to store if that meets the policy, else, where nobody named
// that, to another datastore that does. Its errors blame no attribute.
func (e *edit) storeFor(ctx context.Context, want backends.Disk, store inventory.Object, size int64) (inventory.Object, []types.BaseVirtualMachineProfileSpec, error) {
	index, err := e.inv.Index(ctx)
	if err != nil {
		return store, nil, err
	}
	profile, meet, err := e.policyAmong(ctx, *want.Policy, index.Objects(inventory.Datastore))
	if err != nil {
		return store, nil, err
	}
	var names []string
	for _, o := range meet {
		if o.Ref == store.Ref {
			return store, profile, nil
		}
		names = append(names, o.Name)
	}
	if want.Storage == nil && e.to.Placement.Storage == nil {
		for _, o := range meet {
			if other, err := e.inv.Storage(ctx, e.place, &o.Path, size); err == nil {
				return other, profile, nil
			}
		}
	}
	refused := backends.Errorf(backends.Invalid, "", "", "datastore %q does not meet the storage policy %q", store.Name, *want.Policy)
	if len(names) > 0 {
		refused = refused.Advise("These do: %s.", strings.Join(names, ", "))
	}
	return store, nil, refused
}

// policyFor is a policy as a specification takes it, for a disk on a datastore that has to meet it. Its errors blame no attribute.
func (b *Backend) policyFor(ctx context.Context, name string, on inventory.Object) ([]types.BaseVirtualMachineProfileSpec, error) {
	profile, meet, err := b.policyAmong(ctx, name, []inventory.Object{on})
	if err == nil && len(meet) == 0 {
		err = backends.Errorf(backends.Invalid, "", "", "datastore %q does not meet the storage policy %q", on.Name, name).
			Advise("Choose a datastore that does as the disk's storage.")
	}
	return profile, err
}

// policyAmong is a policy as a specification takes it, and those of stores that meet it. Its errors blame no attribute.
func (b *Backend) policyAmong(ctx context.Context, name string, stores []inventory.Object) ([]types.BaseVirtualMachineProfileSpec, []inventory.Object, error) {
	id, err := b.policyID(ctx, name)
	if err != nil {
		return nil, nil, err
	}
	client, err := b.conn.PBM(ctx)
	if err != nil {
		return nil, nil, err
	}
	hubs, byID := []pbmtypes.PbmPlacementHub{}, map[string]inventory.Object{}
	for _, o := range stores {
		hubs = append(hubs, pbmtypes.PbmPlacementHub{HubType: o.Ref.Type, HubId: o.Ref.Value})
		byID[o.Ref.Value] = o
	}
	result, err := client.CheckRequirements(ctx, hubs, nil, []pbmtypes.BasePbmPlacementRequirement{
		&pbmtypes.PbmPlacementCapabilityProfileRequirement{ProfileId: pbmtypes.PbmProfileId{UniqueId: id}},
	})
	if err != nil {
		return nil, nil, fault.Wrap(err, "check the storage policy", "")
	}
	var meet []inventory.Object
	for _, hub := range result.CompatibleDatastores() {
		meet = append(meet, byID[hub.HubId])
	}
	return []types.BaseVirtualMachineProfileSpec{&types.VirtualMachineDefinedProfileSpec{ProfileId: id}}, meet, nil
}

// policyOf is the policy that a disk has now, as far as that was read.
func (m *machine) policyOf(device int32, asked string) string {
	if name, ok := m.policies[device]; ok {
		return name
	}
	return asked
}

// readPolicies fills in the storage policies that the disks have now: one call for all VMs, and only where a disk was given one
// here. Where the account may not read them, what was asked for is told.
func (b *Backend) readPolicies(ctx context.Context, ms []*machine) error {
	var refs []pbmtypes.PbmServerObjectRef
	owners := map[string]func(name string){}
	for _, m := range ms {
		if m.mark == nil {
			continue
		}
		for _, d := range m.mark.Disks {
			if d.Policy == "" || d.Device == 0 {
				continue
			}
			ref := pbmtypes.PbmServerObjectRef{ObjectType: string(pbmtypes.PbmObjectTypeVirtualDiskId), Key: fmt.Sprintf("%s:%d", m.Self.Value, d.Device)}
			refs = append(refs, ref)
			owners[ref.Key] = func(name string) {
				if m.policies == nil {
					m.policies = map[int32]string{}
				}
				m.policies[d.Device] = name
			}
		}
	}
	if len(refs) == 0 || !b.conn.VCenter() {
		return nil
	}
	err := b.queryPolicies(ctx, refs, owners)
	if code := backends.CodeOf(err); code == backends.Auth || code == backends.Unsupported {
		return nil
	}
	return err
}

func (b *Backend) queryPolicies(ctx context.Context, refs []pbmtypes.PbmServerObjectRef, owners map[string]func(string)) error {
	client, err := b.conn.PBM(ctx)
	if err != nil {
		return err
	}
	answers, err := client.QueryAssociatedProfiles(ctx, refs)
	if err != nil {
		return fault.Wrap(err, "read the storage policies of disks", "")
	}
	for _, a := range answers {
		set, asked := owners[a.Object.Key]
		if !asked || a.Fault != nil {
			continue
		}
		name := ""
		for _, id := range a.ProfileId {
			if name, err = b.policyName(ctx, id.UniqueId); err != nil {
				return err
			}
		}
		set(name)
	}
	return nil
}

// policyName is the name of a storage policy; its id where it has none any more.
func (b *Backend) policyName(ctx context.Context, id string) (string, error) {
	for range 2 {
		b.policies.mu.Lock()
		name, ok := b.policies.names[id]
		b.policies.mu.Unlock()
		if ok {
			return name, nil
		}
		if err := b.loadPolicies(ctx); err != nil {
			return "", err
		}
	}
	return id, nil
}
