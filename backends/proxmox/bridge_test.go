package proxmox_test

import (
	"testing"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/proxmox"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/pvesim"
)

// Trunks take a bridge that is aware of VLANs: on another the VM would not start.
func TestTrunksOfBridges(t *testing.T) {
	c := clusterOf(t, pvesim.Options{Guests: true}, proxmox.Defaults{})
	trunks := func(network string) map[string]backends.NIC {
		return map[string]backends.NIC{"lan": {Network: &network, Options: map[string]string{"trunks": "10;20-25"}}}
	}
	const path = `networks["lan"].options`
	spec := small("web")
	spec.Networks = trunks("vmbr0")
	_, err := c.CreateVM(t.Context(), spec)
	wants(t, err, backends.Precondition, path, `the bridge "vmbr0"`, "not aware of VLANs")
	if left := c.vms(); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
	spec.Networks = trunks("vmbr2")
	id := c.create(spec)
	c.power(id, backends.PowerOn)
	err = c.change(id, backends.Live, func(s *backends.VMSpec) { s.Networks = trunks("vmbr0") })
	wants(t, err, backends.Precondition, path, `the bridge "vmbr0"`)
	if err := c.change(id, backends.Live, func(s *backends.VMSpec) {
		s.Networks["lan"] = backends.NIC{Network: new("vmbr0"), Options: map[string]string{}}
	}); err != nil {
		t.Fatal(err)
	}
	err = c.change(id, backends.Live, func(s *backends.VMSpec) {
		n := s.Networks["lan"]
		n.Options = map[string]string{"trunks": "7"}
		s.Networks["lan"] = n
	})
	wants(t, err, backends.Precondition, path, `the bridge "vmbr0"`)
}

// A change of an interface is not held up by a default for others that there is not.
func TestAddressBesideOtherBridge(t *testing.T) {
	c := clusterOf(t, pvesim.Options{}, proxmox.Defaults{Bridge: "vmbr9"})
	spec := small("web")
	spec.Networks = map[string]backends.NIC{"lan": {Network: new("vmbr0")}}
	id := c.create(spec)
	if err := c.change(id, backends.Cold, func(s *backends.VMSpec) {
		n := s.Networks["lan"]
		n.MAC = new("52:54:00:00:00:01")
		s.Networks["lan"] = n
	}); err != nil {
		t.Fatal(err)
	}
}
