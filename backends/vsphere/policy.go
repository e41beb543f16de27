package vsphere

import (
	"context"
	"sync"

	"github.com/vmware/govmomi/pbm"
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

// policyFor is a policy as a specification takes it, for a disk on a datastore that has to be able to obey it. Its errors
// blame no attribute.
func (b *Backend) policyFor(ctx context.Context, name string, on inventory.Object) ([]types.BaseVirtualMachineProfileSpec, error) {
	id, err := b.policyID(ctx, name)
	if err != nil {
		return nil, err
	}
	client, err := b.conn.PBM(ctx)
	if err != nil {
		return nil, err
	}
	hub := pbmtypes.PbmPlacementHub{HubType: on.Ref.Type, HubId: on.Ref.Value}
	var result pbm.PlacementCompatibilityResult
	result, err = client.CheckRequirements(ctx, []pbmtypes.PbmPlacementHub{hub}, nil, []pbmtypes.BasePbmPlacementRequirement{
		&pbmtypes.PbmPlacementCapabilityProfileRequirement{ProfileId: pbmtypes.PbmProfileId{UniqueId: id}},
	})
	if err != nil {
		return nil, fault.Wrap(err, "check the storage policy", "")
	}
	if len(result.CompatibleDatastores()) == 0 {
		return nil, backends.Errorf(backends.Invalid, "", "", "datastore %q does not meet the storage policy %q", on.Name, name).
			Advise("Choose a datastore that does as the disk's storage.")
	}
	return []types.BaseVirtualMachineProfileSpec{&types.VirtualMachineDefinedProfileSpec{ProfileId: id}}, nil
}

// policyOf is the policy that a disk has now, as far as that was read.
func (m *machine) policyOf(device int32, asked string) string {
	if name, ok := m.policies[device]; ok {
		return name
	}
	return asked
}
