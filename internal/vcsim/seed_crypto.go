package vcsim

import (
	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/types"
)

// keyProvider makes the key provider that virtual TPMs need.
func (e *estate) keyProvider() error {
	if e.server.options.NoKeyProvider {
		e.seed.KeyProvider = ""

		return nil
	}

	ctx := e.server.Context()
	id := types.KeyProviderId{Id: e.seed.KeyProvider}

	manager, ok := ctx.Map.Get(*e.client.ServiceContent.CryptoManager).(*simulator.CryptoManagerKmip)
	if !ok {
		return nil
	}

	manager.RegisterKmsCluster(ctx, &types.RegisterKmsCluster{
		This:           manager.Self,
		ClusterId:      id,
		ManagementType: string(types.KmipClusterInfoKmsManagementTypeNativeProvider),
	})
	manager.MarkDefault(ctx, &types.MarkDefault{This: manager.Self, ClusterId: id})

	return nil
}
