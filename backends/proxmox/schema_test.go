package proxmox

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/backendtest/randspec"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/proxmox/vmconf"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/pvesim/apischema"
)

// taken fails where Proxmox VE's schema refuses parameters.
func taken(t interface {
	Helper()
	Errorf(string, ...any)
}, set vmconf.Config, method, path string, vmid int,
) {
	t.Helper()
	for _, version := range []int{8, 9} {
		endpoint, vars, known := apischema.Load(version).Find(method, path)
		if !known || endpoint == nil {
			t.Errorf("version %d has no %s %s", version, method, path)
			return
		}
		in := map[string]any{}
		for key, text := range vars {
			in[key] = text
		}
		for key, text := range set {
			in[key] = text
		}
		if vmid > 0 {
			in["vmid"] = vmid
		}
		if _, errs := endpoint.Verify(in); len(errs) > 0 {
			t.Errorf("version %d refuses %v: %v", version, set, errs)
		}
	}
}

// TestSchemaTakes: what plans send is what Proxmox VE's schema takes, for VMs made and changed at random.
func TestSchemaTakes(t *testing.T) {
	w := testWorld()
	rapid.Check(t, func(rt *rapid.T) {
		spec := randspec.Spec(rt, "from", "one", testInventory)
		legal(spec, w)
		r := newRequest(spec)
		macs := byte(0)
		r.MAC = func() string { macs++; return "bc:24:11:00:00:0" + string('0'+macs) }
		p, err := makePlan(r)
		if err != nil {
			rt.Fatalf("create: %v", err)
		}
		taken(rt, p.Set, "POST", "/nodes/pve1/qemu", 100)
	})
	for name, edit := range askFor {
		t.Run(name, func(t *testing.T) {
			spec := plain()
			edit(spec)
			p := must(t, newRequest(spec))
			taken(t, p.Set, "POST", "/nodes/pve1/qemu", 100)

			_, config := made(t, nil)
			r := newRequest(spec)
			r.Have = read(t, 100, config)
			if spec.Disks["data"].Provisioning != nil {
				return // decided when it is made
			}
			taken(t, must(t, r).Set, "PUT", "/nodes/pve1/qemu/100/config", 0)
		})
	}
}
