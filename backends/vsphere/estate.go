package vsphere

import (
	"context"
	"strings"

	"github.com/google/uuid"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/vsphere/fault"
)

// estatePrefix begins the instance UUIDs of all VMs that are made here ("virt"), so that one traversal that asks for
// nothing else finds them among all that a vCenter has. It is a hint, the mark is what counts.
const estatePrefix = "76697274-"

// newInstanceUUID makes the instance UUID of a VM.
func newInstanceUUID() string { return estatePrefix + uuid.NewString()[len(estatePrefix):] }

// Estate returns the VMs that were made here, by one light traversal.
func (b *Backend) Estate(ctx context.Context) ([]backends.ID, error) {
	vms, err := b.collectPaged(ctx, b.allVMs([]string{"config.instanceUuid"}), lightPage)
	if err != nil {
		return nil, fault.Wrap(err, "list VMs", "")
	}
	var ids []backends.ID
	for _, vm := range vms {
		if vm.Config != nil && strings.HasPrefix(vm.Config.InstanceUuid, estatePrefix) {
			ids = append(ids, backends.ID(vm.Self.Value))
		}
	}
	return ids, nil
}
