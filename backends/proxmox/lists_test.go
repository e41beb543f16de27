package proxmox_test

import (
	"testing"
	"time"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/proxmox"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/pvesim"
)

// A virtual network is listed by its nodes too, which do not know its VLAN: whoever answers last takes nothing from it.
func TestVirtualNetworks(t *testing.T) {
	c := clusterOf(t, pvesim.Options{}, proxmox.Defaults{})
	for _, made := range []struct {
		path string
		form map[string]any
	}{
		{"/cluster/sdn/zones", map[string]any{"zone": "lab", "type": "vlan", "bridge": "vmbr0"}},
		{"/cluster/sdn/vnets", map[string]any{"vnet": "office", "zone": "lab", "tag": 30}},
	} {
		if err := c.hand.Post(t.Context(), made.path, made.form, nil); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := c.hand.Task(t.Context(), "apply", "SDN", "PUT", "/cluster/sdn", nil); err != nil {
		t.Fatal(err)
	}
	if err := c.hand.Post(t.Context(), "/cluster/sdn/vnets", map[string]any{"vnet": "planned", "zone": "lab", "tag": 31}, nil); err != nil {
		t.Fatal(err) // not applied: no VM can use it yet
	}
	for _, late := range []string{"GET /cluster/sdn/vnets", "GET /nodes/{node}/network"} {
		c.sim.Fault(pvesim.Fault{Route: late, Delay: 100 * time.Millisecond, Times: 1})
		list, err := c.Networks(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		found := false
		for _, n := range list {
			switch n.Name {
			case "planned":
				t.Error("a virtual network that is not applied is listed")
			case "office":
				found = true
				if n.Kind != "vnet" || n.VLAN != 30 || !n.Active {
					t.Errorf("with %s late the virtual network is %+v", late, n)
				}
			}
		}
		if !found {
			t.Errorf("with %s late there are the networks %+v", late, list)
		}
	}
}
