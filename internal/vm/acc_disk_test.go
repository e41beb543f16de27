package vm_test

import (
	"fmt"
	"regexp"
	"testing"

	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/knownvalue"
	"github.com/hashicorp/terraform-plugin-testing/plancheck"
	"github.com/hashicorp/terraform-plugin-testing/statecheck"
	"github.com/hashicorp/terraform-plugin-testing/terraform"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/acctest"
)

func TestAccVM_disks(t *testing.T) {
	m := acctest.NewMock(t)
	step := func(disks string, action plancheck.ResourceActionType, checks ...plancheck.PlanCheck) resource.TestStep {
		return resource.TestStep{Config: m.Config(web("disks = {" + disks + "}")), ConfigPlanChecks: expect(action, checks...)}
	}
	// Other disks stay known, whatever happens to one.
	rootKnown := []plancheck.PlanCheck{
		plancheck.ExpectKnownValue(address, at("disks", "root", "device"), knownvalue.NotNull()),
		plancheck.ExpectKnownValue(address, at("disks", "root", "path"), knownvalue.NotNull()),
		plancheck.ExpectKnownValue(address, at("disks", "root", "size_gib"), knownvalue.Int64Exact(10)),
	}
	root := "root = { size_gib = 10 }\n"
	reordered := step("data = { size_gib = 7 }\n"+root, plancheck.ResourceActionNoop)
	reordered.ConfigPlanChecks.PreApply = append(reordered.ConfigPlanChecks.PreApply, plancheck.ExpectEmptyPlan())
	acctest.Run(t, resource.TestCase{Steps: []resource.TestStep{
		step(root, plancheck.ResourceActionCreate),
		step(root+"data = { size_gib = 5 }", plancheck.ResourceActionUpdate, append(rootKnown,
			plancheck.ExpectUnknownValue(address, at("disks", "data", "device")))...),
		step(root+"data = { size_gib = 7 }", plancheck.ResourceActionUpdate,
			plancheck.ExpectKnownValue(address, at("disks", "root", "size_gib"), knownvalue.Int64Exact(10)),
			plancheck.ExpectKnownValue(address, at("status"), knownvalue.StringExact("running"))),
		reordered,
		{
			Config:      m.Config(web("disks = { " + root + "data = { size_gib = 6 }\n}")),
			ExpectError: regexp.MustCompile(`(?s)cannot be changed in place.*disks\["data"\]\.size_gib.*cannot\s+shrink`),
		},
		// A key that changes its name is another disk: nothing is matched by position.
		step(root+"logs = { size_gib = 7 }", plancheck.ResourceActionUpdate),
		step(root, plancheck.ResourceActionUpdate),
	}})
}

func TestAccVM_diskRemovedElsewhere(t *testing.T) {
	m := acctest.NewMock(t)
	config := m.Config(web("disks = {\nroot = { size_gib = 10 }\ndata = { size_gib = 5 }\n}"))
	acctest.Run(t, resource.TestCase{Steps: []resource.TestStep{
		{Config: config, ConfigPlanChecks: expect(plancheck.ResourceActionCreate)},
		{
			PreConfig:         func() { m.Change("web", func(s *backends.VMSpec) { delete(s.Disks, "data") }) },
			Config:            config,
			ConfigPlanChecks:  expect(plancheck.ResourceActionUpdate),
			ConfigStateChecks: []statecheck.StateCheck{value(knownvalue.NotNull(), "disks", "data", "device")},
		},
	}})
}

func TestAccVM_diskKept(t *testing.T) {
	m := acctest.NewMock(t)
	free := func() int64 {
		all, err := m.Backend.Storages(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range all {
			if s.Name == "fast" {
				return s.FreeBytes
			}
		}
		t.Fatal("the mock has no storage fast")
		return 0
	}
	before := free()
	acctest.Run(t, resource.TestCase{Steps: []resource.TestStep{
		{
			Config: m.Config(web(`disks = {
root = { size_gib = 10, storage = "fast", provisioning = "thick" }
data = { size_gib = 5, storage = "fast", provisioning = "thick", keep_on_destroy = true }
}`)),
			ConfigPlanChecks: expect(plancheck.ResourceActionCreate),
		},
		{
			Config: m.Config(""),
			Check: func(*terraform.State) error {
				if kept := before - free(); kept != 5<<30 {
					return fmt.Errorf("after the VM is gone %d bytes are in use, want those of the kept disk", kept)
				}
				return nil
			},
		},
	}})
}

func TestAccVM_cdrom(t *testing.T) {
	m := acctest.NewMock(t)
	acctest.Run(t, resource.TestCase{Steps: []resource.TestStep{
		{Config: m.Config(web(`cdrom = { iso = "default/rescue.iso" }`)), ConfigPlanChecks: expect(plancheck.ResourceActionCreate)},
		{Config: m.Config(web(`cdrom = {}`)), ConfigPlanChecks: expect(plancheck.ResourceActionUpdate)},
		{Config: m.Config(web(`cdrom = { iso = "default/rescue.iso" }`)), ConfigPlanChecks: expect(plancheck.ResourceActionUpdate)},
		{ // taken out of the configuration, it is taken out of the drive
			Config:           m.Config(web()),
			ConfigPlanChecks: expect(plancheck.ResourceActionUpdate),
			Check: func(*terraform.State) error {
				if c := m.VM("web").Config.CDROM; c != nil && c.ISO != "" {
					return fmt.Errorf("the drive still holds %q", c.ISO)
				}
				return nil
			},
		},
	}})
}
