package vcsim

import (
	"time"

	"github.com/vmware/govmomi/pbm"
	"github.com/vmware/govmomi/pbm/methods"
	pbmtypes "github.com/vmware/govmomi/pbm/types"
	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// policies is the storage policy service. govmomi's keeps its profiles in a
// variable of the package that each server changes, calls every datastore
// compatible and forgets which disk has which policy.
type policies struct {
	registry *simulator.Registry
}

// References to the service's objects.
var (
	profileManager  = types.ManagedObjectReference{Type: "PbmProfileProfileManager", Value: "ProfileManager"}
	placementSolver = types.ManagedObjectReference{Type: "PbmPlacementSolver", Value: "placementSolver"}
	complianceGuard = types.ManagedObjectReference{Type: "PbmComplianceManager", Value: "complianceManager"}
)

func newPolicies(s *Server) *policies {
	r := simulator.NewRegistry()
	r.Namespace, r.Path, r.Cookie = pbm.Namespace, pbm.Path, simulator.SOAPCookie

	profiles := []pbmtypes.PbmCapabilityProfile{
		profile("aa6d5a82-1c88-45da-85d3-3d74b91a5bad", "Default Storage Policy", true),
		profile("f4e5bade-15a2-4805-bf8e-52318c4ce443", s.Seed.Policy, false),
	}

	r.Put(&policyService{ManagedObjectReference: pbm.ServiceInstance})
	r.Put(&policyProfiles{ManagedObjectReference: profileManager, server: s, profiles: profiles})
	r.Put(&policyPlacement{ManagedObjectReference: placementSolver, server: s, gold: profiles[1].ProfileId.UniqueId})

	if !s.options.Lax {
		r.Handler = s.policyHandler
	}

	return &policies{registry: r}
}

// policyHandler refuses those who may not see policies.
func (s *Server) policyHandler(_ *simulator.Context, m *simulator.Method) (mo.Reference, types.BaseMethodFault) {
	const privilege = "StorageProfile.View"

	if m.Name == "PbmRetrieveServiceContent" || !s.denied(privilege, types.ManagedObjectReference{}) {
		return nil, nil //nolint:nilnil // Nobody else answers.
	}

	root := s.service.Context.Map.Get(types.ManagedObjectReference{Type: "ServiceInstance", Value: "ServiceInstance"}).Reference()
	f := &types.NoPermission{Object: &root, PrivilegeId: privilege}
	f.FaultCause = because("Permission to perform this operation was denied.")

	return nil, f
}

// profile returns a policy whose rule is a tag.
func profile(id, name string, standard bool) pbmtypes.PbmCapabilityProfile {
	return pbmtypes.PbmCapabilityProfile{
		PbmProfile: pbmtypes.PbmProfile{
			ProfileId:       pbmtypes.PbmProfileId{UniqueId: id},
			Name:            name,
			CreationTime:    time.Unix(1700000000, 0).UTC(),
			CreatedBy:       "Administrator",
			LastUpdatedTime: time.Unix(1700000000, 0).UTC(),
			LastUpdatedBy:   "Administrator",
		},
		ProfileCategory: string(pbmtypes.PbmProfileCategoryEnumREQUIREMENT),
		ResourceType:    pbmtypes.PbmProfileResourceType{ResourceType: string(pbmtypes.PbmProfileResourceTypeEnumSTORAGE)},
		Constraints:     &pbmtypes.PbmCapabilitySubProfileConstraints{},
		IsDefault:       standard,
	}
}

type policyService struct{ types.ManagedObjectReference }

// PbmRetrieveServiceContent tells where the service's objects are.
func (s *policyService) PbmRetrieveServiceContent(*pbmtypes.PbmRetrieveServiceContent) soap.HasFault {
	return &methods.PbmRetrieveServiceContentBody{Res: &pbmtypes.PbmRetrieveServiceContentResponse{
		Returnval: pbmtypes.PbmServiceInstanceContent{
			AboutInfo:                 pbmtypes.PbmAboutInfo{Name: "PBM", Version: "2.0", InstanceUuid: "df09f335-be97-4f33-8c27-315faaaad6fc"},
			SessionManager:            types.ManagedObjectReference{Type: "PbmSessionManager", Value: "SessionManager"},
			CapabilityMetadataManager: types.ManagedObjectReference{Type: "PbmCapabilityMetadataManager", Value: "CapabilityMetadataManager"},
			ProfileManager:            profileManager,
			ComplianceManager:         complianceGuard,
			PlacementSolver:           placementSolver,
		},
	}}
}

type policyProfiles struct {
	types.ManagedObjectReference

	server   *Server
	profiles []pbmtypes.PbmCapabilityProfile
}

// PbmQueryProfile returns the ids of the policies.
func (m *policyProfiles) PbmQueryProfile(q *pbmtypes.PbmQueryProfile) soap.HasFault {
	body := &methods.PbmQueryProfileBody{Res: &pbmtypes.PbmQueryProfileResponse{}}

	for _, p := range m.profiles {
		if p.ResourceType == q.ResourceType && (q.ProfileCategory == "" || q.ProfileCategory == p.ProfileCategory) {
			body.Res.Returnval = append(body.Res.Returnval, p.ProfileId)
		}
	}

	return body
}

// PbmRetrieveContent returns policies by id.
func (m *policyProfiles) PbmRetrieveContent(q *pbmtypes.PbmRetrieveContent) soap.HasFault {
	body := &methods.PbmRetrieveContentBody{Res: &pbmtypes.PbmRetrieveContentResponse{}}

	for _, id := range q.ProfileIds {
		found := false

		for _, p := range m.profiles {
			if p.ProfileId == id {
				body.Res.Returnval = append(body.Res.Returnval, &p)
				found = true
			}
		}

		if !found {
			return &methods.PbmRetrieveContentBody{Fault_: simulator.Fault("", &types.InvalidArgument{InvalidProperty: "profileIds"})}
		}
	}

	return body
}

// PbmQueryAssociatedProfile returns the policies of a machine or of a disk.
func (m *policyProfiles) PbmQueryAssociatedProfile(_ *simulator.Context, q *pbmtypes.PbmQueryAssociatedProfile) soap.HasFault {
	return &methods.PbmQueryAssociatedProfileBody{Res: &pbmtypes.PbmQueryAssociatedProfileResponse{
		Returnval: m.server.associated(q.Entity),
	}}
}

// PbmQueryAssociatedProfiles returns the policies of several machines or disks.
func (m *policyProfiles) PbmQueryAssociatedProfiles(_ *simulator.Context, q *pbmtypes.PbmQueryAssociatedProfiles) soap.HasFault {
	body := &methods.PbmQueryAssociatedProfilesBody{Res: &pbmtypes.PbmQueryAssociatedProfilesResponse{}}

	for _, e := range q.Entities {
		body.Res.Returnval = append(body.Res.Returnval, pbmtypes.PbmQueryProfileResult{
			Object: e, ProfileId: m.server.associated(e),
		})
	}

	return body
}

type policyPlacement struct {
	types.ManagedObjectReference

	server *Server
	gold   string
}

// PbmCheckRequirements says which datastores fulfil a policy.
func (m *policyPlacement) PbmCheckRequirements(ctx *simulator.Context, q *pbmtypes.PbmCheckRequirements) soap.HasFault {
	gold := false

	for _, r := range q.PlacementSubjectRequirement {
		if p, ok := r.(*pbmtypes.PbmPlacementCapabilityProfileRequirement); ok && p.ProfileId.UniqueId == m.gold {
			gold = true
		}
	}

	return &methods.PbmCheckRequirementsBody{Res: &pbmtypes.PbmCheckRequirementsResponse{
		Returnval: m.results(ctx, q.HubsToSearch, gold),
	}}
}

// PbmCheckCompatibility says which datastores fulfil a policy.
func (m *policyPlacement) PbmCheckCompatibility(ctx *simulator.Context, q *pbmtypes.PbmCheckCompatibility) soap.HasFault {
	return &methods.PbmCheckCompatibilityBody{Res: &pbmtypes.PbmCheckCompatibilityResponse{
		Returnval: m.results(ctx, q.HubsToSearch, q.Profile.UniqueId == m.gold),
	}}
}

func (m *policyPlacement) results(ctx *simulator.Context, hubs []pbmtypes.PbmPlacementHub, gold bool) []pbmtypes.PbmPlacementCompatibilityResult {
	if len(hubs) == 0 {
		for _, ds := range ctx.For(vim25.Path).Map.AllReference("Datastore") {
			hubs = append(hubs, pbmtypes.PbmPlacementHub{HubType: "Datastore", HubId: ds.Reference().Value})
		}
	}

	var results []pbmtypes.PbmPlacementCompatibilityResult

	for _, hub := range hubs {
		r := pbmtypes.PbmPlacementCompatibilityResult{Hub: hub}
		name := m.server.roster.name(types.ManagedObjectReference{Type: hub.HubType, Value: hub.HubId})

		if gold && name != m.server.Seed.PolicyDatastore {
			r.Error = []types.LocalizedMethodFault{{
				Fault:            &types.SystemErrorFault{Reason: "incompatible"},
				LocalizedMessage: "Datastore '" + name + "' does not satisfy the storage policy.",
			}}
		}

		results = append(results, r)
	}

	return results
}
