package vm_test

import (
	"fmt"
	"testing"

	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/knownvalue"
	"github.com/hashicorp/terraform-plugin-testing/plancheck"
	"github.com/hashicorp/terraform-plugin-testing/statecheck"
	"github.com/hashicorp/terraform-plugin-testing/terraform"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/acctest"
)

// What a plan leaves as it is, it says.
func TestAccVM_leftAsItIs(t *testing.T) {
	t.Parallel()
	m := acctest.NewMock(t)
	w := workspace(t, m.Config(web(`cloud_init = { hostname = "web" }`, `reboot_triggers = { a = "1" }`)))
	w.Apply()
	plan := func(lines ...string) {
		w.Write("main.tf", m.Config(web(append(lines, `reboot_triggers = { a = "1" }`)...)))
	}
	plan(`cloud_init = { hostname = "shop" }`)
	expectOne(t, w.Diagnostics("plan"), address, "warning", `does not see this.*cloud_init\.hostname.*cloud_init\.instance_id`)
	plan(`cloud_init = { hostname = "shop", instance_id = "2" }`)
	if found := w.Diagnostics("plan"); len(found) > 0 {
		t.Errorf("a new instance is warned of: %v", found)
	}
	plan()
	expectOne(t, w.Diagnostics("plan"), address, "warning", `stays with the VM.*left as it is`)
	w.Apply()
	w.EmptyPlan()
	if c := m.VM("web").Config.CloudInit; c == nil || c.Hostname == nil {
		t.Errorf("the plan said that cloud_init stays; the VM has %+v", c)
	}

	// A VM that does not run is not restarted.
	m.Power("web", backends.PowerOff)
	w.Write("main.tf", m.Config(web(`reboot_triggers = { a = "2" }`)))
	if found := w.Diagnostics("plan"); len(found) > 0 {
		t.Errorf("a restart is announced of a stopped VM: %v", found)
	}
	w.Apply()
	if p := m.VM("web").Power; p != backends.Stopped {
		t.Errorf("the VM is %s", p)
	}

	// A VM that is gone may have left its disks.
	w.Write("main.tf", m.Config(web(`disks = { data = { size_gib = 3 } }`, `reboot_triggers = { a = "2" }`)))
	w.Apply()
	m.Delete("web")
	expectOne(t, w.Diagnostics("plan"), address, "warning", `is gone.*VM "web".*data \(\S+\)`)
}

// A tag is taken away by 0, and one that somebody took away is drift.
func TestAccVM_vlanRemoved(t *testing.T) {
	m := acctest.NewMock(t)
	config := func(vlan string) string {
		return m.Config(web(`networks = { lan = { network = "vmbr0", ` + vlan + ` } }`))
	}
	has := func(want int64) resource.TestCheckFunc {
		return func(*terraform.State) error {
			var got int64
			if tag := m.VM("web").Config.Networks["lan"].VLAN; tag != nil {
				got = *tag
			}
			if got != want {
				return fmt.Errorf("the interface has VLAN %d, want %d", got, want)
			}
			return nil
		}
	}
	shown := func(n int64) []statecheck.StateCheck {
		return []statecheck.StateCheck{value(knownvalue.Int64Exact(n), "networks", "lan", "vlan")}
	}
	acctest.Run(t, resource.TestCase{Steps: []resource.TestStep{
		{Config: config("vlan = 30"), ConfigPlanChecks: expect(plancheck.ResourceActionCreate), Check: has(30)},
		{Config: config(""), ConfigPlanChecks: expect(plancheck.ResourceActionNoop), Check: has(30)},
		{Config: config("vlan = 0"), ConfigPlanChecks: expect(plancheck.ResourceActionUpdate), Check: has(0), ConfigStateChecks: shown(0)},
		{Config: config(""), ConfigPlanChecks: expect(plancheck.ResourceActionNoop), Check: has(0)},
		{Config: config("vlan = 31"), ConfigPlanChecks: expect(plancheck.ResourceActionUpdate), Check: has(31)},
		{
			PreConfig: func() {
				m.Change("web", func(s *backends.VMSpec) {
					n := s.Networks["lan"]
					n.VLAN = new(int64)
					s.Networks = map[string]backends.NIC{"lan": n}
				})
			},
			Config: config("vlan = 31"), ConfigPlanChecks: expect(plancheck.ResourceActionUpdate), Check: has(31),
		},
	}})
}

// A volume and a disk of the VM's own take turns in one slot.
func TestAccVM_volumeExchanged(t *testing.T) {
	m := acctest.NewMock(t)
	volume, err := m.Backend.CreateDisk(t.Context(), backends.DiskSpec{Name: "pgdata", Disk: backends.Disk{SizeGiB: new(int64(7)), Storage: new("fast")}})
	if err != nil {
		t.Fatal(err)
	}
	attached := func(want bool) resource.TestCheckFunc {
		return func(*terraform.State) error {
			v, err := m.Backend.GetDisk(t.Context(), volume.ID)
			if err == nil && (v.AttachedTo != "") != want {
				err = fmt.Errorf("the volume is attached to %q", v.AttachedTo)
			}
			return err
		}
	}
	step := func(data string, action plancheck.ResourceActionType, size int64, isVolume bool) resource.TestStep {
		s := resource.TestStep{
			Config:           m.Config(web("disks = { root = { size_gib = 10 }, data = { " + data + " } }")),
			ConfigPlanChecks: expect(action), Check: attached(isVolume),
			ConfigStateChecks: []statecheck.StateCheck{value(knownvalue.Int64Exact(size), "disks", "data", "size_gib")},
		}
		if !isVolume {
			s.ConfigStateChecks = append(s.ConfigStateChecks, value(knownvalue.Null(), "disks", "data", "volume"))
		}
		return s
	}
	use := fmt.Sprintf("volume = %q", volume.ID)
	acctest.Run(t, resource.TestCase{Steps: []resource.TestStep{
		step(use, plancheck.ResourceActionCreate, 7, true),
		step("", plancheck.ResourceActionNoop, 7, true),
		step("size_gib = 3", plancheck.ResourceActionUpdate, 3, false),
		step(use, plancheck.ResourceActionUpdate, 7, true),
	}})
}
