package vcsim

import (
	"fmt"
	"sync/atomic"

	"github.com/vmware/govmomi/vim25/types"
)

// macs are the MAC addresses that a server gives. The simulator's own are
// made of three characters of the machine's UUID, so that two of fifty machines
// often share one.
type macs struct{ given atomic.Uint32 }

// give gives addresses to the network cards that are added without one.
func (a *macs) give(changes []types.BaseVirtualDeviceConfigSpec) {
	for _, c := range changes {
		change := c.GetVirtualDeviceConfigSpec()

		card, ok := change.Device.(types.BaseVirtualEthernetCard)
		if !ok || change.Operation != types.VirtualDeviceConfigSpecOperationAdd {
			continue
		}

		if nic := card.GetVirtualEthernetCard(); nic.MacAddress == "" {
			n := a.given.Add(1)
			nic.MacAddress = fmt.Sprintf("00:0c:29:%02x:%02x:%02x", n>>16&0xff, n>>8&0xff, n&0xff)
		}
	}
}
