package mock

import (
	"slices"
	"strings"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// policies are the storage policies of every world, with the storages that
// satisfy each; the first is where disks go that name a policy and no storage.
var policies = map[string][]string{
	"gold":   {"fast"},
	"silver": {"datastore1", "fast"},
	"bronze": {"default", "local-lvm", "datastore1", "small"},
}

// storageFor is where a disk goes that names no storage.
func storageFor(placement backends.PlacementSpec, policy *string) string {
	if placement.Storage != nil {
		return *placement.Storage
	}
	if satisfying := policies[value(policy)]; len(satisfying) > 0 {
		return satisfying[0]
	}
	return storages[0].Name
}

// checkPolicy checks that a storage satisfies a policy, where one is asked for.
func checkPolicy(policy *string, storage string, path backends.Path) error {
	if policy == nil {
		return nil
	}
	satisfying, known := policies[*policy]
	switch {
	case !known:
		return refusal(backends.NotFound, path, "there is no storage policy %q; there are %s", *policy, strings.Join(sortedKeys(policies), ", "))
	case !slices.Contains(satisfying, storage):
		return refusal(backends.Invalid, path, "storage %q does not satisfy the policy %q; those that do are %s",
			storage, *policy, strings.Join(satisfying, ", "))
	}
	return nil
}
