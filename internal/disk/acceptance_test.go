package disk_test

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-testing/compare"
	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/knownvalue"
	"github.com/hashicorp/terraform-plugin-testing/plancheck"
	"github.com/hashicorp/terraform-plugin-testing/statecheck"
	"github.com/hashicorp/terraform-plugin-testing/terraform"
	"github.com/hashicorp/terraform-plugin-testing/tfjsonpath"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/acctest"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/tfrun"
)

const header = `
terraform {
  required_providers {
    virtrigaud = { source = "virtrigaud/virtrigaud" }
  }
}

provider "virtrigaud" {
  mock = { state_file = "mock.json" }
}
`

const address = "virtrigaud_disk.data"

func data(lines string) string {
	return "\nresource \"virtrigaud_disk\" \"data\" {\n" + lines + "\n}\n"
}

// vm attaches the disk.
func vm(resource, name string) string {
	return fmt.Sprintf(`
resource "virtrigaud_vm" %q {
  name  = %q
  disks = { root = { size_gib = 1 }, data = { volume = virtrigaud_disk.data.id } }
}
`, resource, name)
}

func value(attribute string, check knownvalue.Check) statecheck.StateCheck {
	return statecheck.ExpectKnownValue(address, tfjsonpath.New(attribute), check)
}

func expect(action plancheck.ResourceActionType, more ...plancheck.PlanCheck) resource.ConfigPlanChecks {
	return resource.ConfigPlanChecks{
		PreApply:             append([]plancheck.PlanCheck{plancheck.ExpectResourceAction(address, action)}, more...),
		PostApplyPostRefresh: []plancheck.PlanCheck{plancheck.ExpectEmptyPlan()},
	}
}

func TestAccDisk(t *testing.T) {
	m := acctest.NewMock(t)
	id := statecheck.CompareValue(compare.ValuesSame())
	acctest.Run(t, resource.TestCase{
		CheckDestroy: gone(t, m, "fast/data"),
		Steps: []resource.TestStep{
			{
				Config:           m.Config(data("name = \"data\"\nsize_gib = 2\nstorage = \"fast\"\nprovisioning = \"thick\"\nformat = \"raw\"")),
				ConfigPlanChecks: expect(plancheck.ResourceActionCreate),
				ConfigStateChecks: []statecheck.StateCheck{
					id.AddStateValue(address, tfjsonpath.New("id")),
					value("id", knownvalue.StringExact("fast/data")),
					value("path", knownvalue.NotNull()),
					value("attached_to", knownvalue.Null()),
					value("protected", knownvalue.Bool(false)),
				},
			},
			// It grows where it is; what is no longer said stays as it is.
			{
				Config: m.Config(data("name = \"data\"\nsize_gib = 5")),
				ConfigPlanChecks: expect(plancheck.ResourceActionUpdate,
					plancheck.ExpectKnownValue(address, tfjsonpath.New("path"), knownvalue.NotNull()),
					plancheck.ExpectKnownValue(address, tfjsonpath.New("storage"), knownvalue.StringExact("fast"))),
				ConfigStateChecks: []statecheck.StateCheck{
					id.AddStateValue(address, tfjsonpath.New("id")),
					value("size_gib", knownvalue.Int64Exact(5)),
					value("provisioning", knownvalue.StringExact("thick")),
				},
			},
			{ResourceName: address, ImportState: true, ImportStateVerify: true},
			{
				Config:      m.Config(data("name = \"data\"\nsize_gib = 4")),
				ExpectError: regexp.MustCompile(`(?s)A disk cannot shrink.*"data" has 5 GiB`),
			},
			// Grown elsewhere: that is said, and nothing is cut off.
			{
				PreConfig: func() {
					if err := m.Backend.ResizeDisk(t.Context(), "fast/data", 6); err != nil {
						t.Fatal(err)
					}
				},
				Config:      m.Config(data("name = \"data\"\nsize_gib = 5")),
				ExpectError: regexp.MustCompile(`(?s)A disk cannot shrink.*"data" has 6 GiB`),
			},
			{
				Config:            m.Config(data("name = \"data\"\nsize_gib = 6\ntimeouts = { update = \"1m\" }")),
				ConfigPlanChecks:  expect(plancheck.ResourceActionUpdate),
				ConfigStateChecks: []statecheck.StateCheck{id.AddStateValue(address, tfjsonpath.New("id"))},
			},
		},
	})
}

// The configuration that made a disk finds nothing to do after an import.
func TestAccDisk_import(t *testing.T) {
	for name, more := range map[string]string{
		"defaults": "",
		"all said": "storage = \"fast\"\nprovisioning = \"eager_zeroed\"\nformat = \"raw\"",
	} {
		t.Run(name, func(t *testing.T) {
			m := acctest.NewMock(t)
			config := m.Config(data("name = \"data\"\nsize_gib = 2\n" + more))
			var id string
			acctest.Run(t, resource.TestCase{Steps: []resource.TestStep{
				{Config: config, Check: resource.TestCheckResourceAttrWith(address, "id", func(v string) error { id = v; return nil })},
				{Config: m.Config("removed {\n  from = " + address + "\n  lifecycle { destroy = false }\n}\n")},
				{
					ResourceName: address, Config: config, ImportState: true, ImportStatePersist: true,
					ImportStateIdFunc: func(*terraform.State) (string, error) { return id, nil },
				},
				{Config: config, ConfigPlanChecks: resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{plancheck.ExpectEmptyPlan()}}},
			}})
		})
	}
}

func TestAccDisk_disappears(t *testing.T) {
	m := acctest.NewMock(t)
	config := m.Config(data("name = \"data\"\nsize_gib = 2"))
	remove := func() {
		if err := m.Backend.DeleteDisk(t.Context(), "default/data"); err != nil {
			t.Fatal(err)
		}
	}
	acctest.Run(t, resource.TestCase{Steps: []resource.TestStep{
		{Config: config},
		{PreConfig: remove, Config: config, ConfigPlanChecks: expect(plancheck.ResourceActionCreate)},
		{PreConfig: remove, Config: config, Destroy: true},
	}})
}

// A disk goes from a VM to its successor in one apply, and outlives both.
func TestAccDisk_successor(t *testing.T) {
	m := acctest.NewMock(t)
	disk := data("name = \"data\"\nsize_gib = 2")
	attached := func(name string) func() string { return func() string { return string(m.VM(name).ID) } }
	acctest.Run(t, resource.TestCase{Steps: []resource.TestStep{
		{Config: m.Config(disk + vm("a", "db-a")), ConfigPlanChecks: expect(plancheck.ResourceActionCreate)},
		{
			// While a running VM has it.
			Config:           m.Config(data("name = \"data\"\nsize_gib = 3") + vm("a", "db-a")),
			ConfigPlanChecks: expect(plancheck.ResourceActionUpdate),
			Check:            hasDisk(m, attached("db-a"), 3),
		},
		{
			Config: m.Config(data("name = \"data\"\nsize_gib = 3") + vm("a", "db-a")),
			Taint:  []string{"virtrigaud_vm.a"}, ConfigPlanChecks: expect(plancheck.ResourceActionNoop),
			Check: hasDisk(m, attached("db-a"), 3),
		},
		{
			Config:           m.Config(data("name = \"data\"\nsize_gib = 3") + vm("b", "db-b")),
			ConfigPlanChecks: expect(plancheck.ResourceActionNoop),
			Check:            hasDisk(m, attached("db-b"), 3),
		},
		{
			Config:           m.Config(data("name = \"data\"\nsize_gib = 3")),
			ConfigPlanChecks: expect(plancheck.ResourceActionNoop),
			Check:            hasDisk(m, func() string { return "" }, 3),
		},
	}})
}

func TestAccDisk_refused(t *testing.T) {
	m := acctest.NewMock(t)
	refusal := func(lines, says string, options ...string) resource.TestStep {
		return resource.TestStep{Config: m.Config(data(lines), options...), PlanOnly: true, ExpectError: regexp.MustCompile("(?s)" + says)}
	}
	const small = "name = \"data\"\nsize_gib = 2\n"
	acctest.Run(t, resource.TestCase{Steps: []resource.TestStep{
		refusal("name = \"data\"\nsize_gib = 0", `size_gib.*between 1 and`),
		refusal("name = \"a/b\"\nsize_gib = 2", `must not contain a slash`),
		refusal("name = \"\"\nsize_gib = 2", `name = ""`),
		refusal(small+`format = "vdi"`, `format.*value must be one of`),
		refusal(small+`policy = "gold"`, `Storage Policies is not supported by libvirt.*policy = "gold"`, `imitate = "libvirt"`),
		refusal(small+`format = "vmdk"`, `format = "vmdk".*format is "vmdk"; the libvirt backend takes qcow2, raw`, `imitate = "libvirt"`),
		refusal(small+`provisioning = "eager_zeroed"`, `provisioning = "eager_zeroed".*provisioning is "eager_zeroed"`, `imitate = "libvirt"`),
		{
			Config:      m.Config(data("name = \"data\"\nsize_gib = 17\nstorage = \"small\"\nprovisioning = \"thick\"")),
			ExpectError: regexp.MustCompile(`(?s)Unable to create disk "data".*size_gib = 17.*small`),
		},
		{
			Config:      m.Config(data(small + `storage = "fsat"`)),
			ExpectError: regexp.MustCompile(`(?s)Unable to create disk "data".*storage = "fsat"`),
		},
		{Config: m.Config(data(small))},
		{
			Config:      m.Config(data(small) + "resource \"virtrigaud_disk\" \"other\" {\n" + small + "\n}\n"),
			ExpectError: regexp.MustCompile(`(?s)Unable to create disk "data".*name = "data".*conflict`),
		},
	}})
}

func TestAccDisk_protected(t *testing.T) {
	m := acctest.NewMock(t)
	const size = "name = \"data\"\nsize_gib = 2\n"
	says := regexp.MustCompile(`(?s)This disk is protected.*protected = false`)
	acctest.Run(t, resource.TestCase{Steps: []resource.TestStep{
		{Config: m.Config(data(size + "protected = true")), ConfigPlanChecks: expect(plancheck.ResourceActionCreate)},
		{Config: m.Config(""), ExpectError: says},
		{Config: m.Config(data("name = \"other\"\nsize_gib = 2\nprotected = true")), ExpectError: says},
		{Config: m.Config(data(size))},
	}})
}

// A replacement that is asked for by hand shows no state to the plan: the apply refuses it.
func TestAccDisk_protectedFromReplace(t *testing.T) {
	w := tfrun.New(t)
	w.Write("main.tf", header+data("name = \"data\"\nsize_gib = 2\nprotected = true"))
	w.Apply()
	w.Fails([]string{"This disk is protected", "protected = false"}, "apply", "-auto-approve", "-replace="+address)
	w.EmptyPlan()
	w.Write("main.tf", header+data("name = \"data\"\nsize_gib = 2"))
	w.Apply()
	// Another format is another disk, and that its data goes is said.
	w.Write("main.tf", header+data("name = \"data\"\nsize_gib = 2\nformat = \"raw\""))
	if said := tfrun.Unwrap(w.Must("plan")); !strings.Contains(said, "must be replaced") || !strings.Contains(said, "This change loses the disk's data") {
		t.Errorf("the plan does not warn:\n%s", said)
	}
	w.Apply()
	w.EmptyPlan()
	w.Destroy()
}

func gone(t *testing.T, m *acctest.Mock, id string) resource.TestCheckFunc {
	return func(*terraform.State) error {
		if _, err := m.Backend.GetDisk(t.Context(), id); backends.CodeOf(err) != backends.NotFound {
			return fmt.Errorf("disk %s is still there: %w", id, err)
		}
		return nil
	}
}

// hasDisk demands that the disk is attached to a VM and has a size.
func hasDisk(m *acctest.Mock, vm func() string, sizeGiB int64) resource.TestCheckFunc {
	return func(s *terraform.State) error {
		v, err := m.Backend.GetDisk(context.Background(), s.RootModule().Resources[address].Primary.ID)
		if err != nil {
			return err
		}
		if string(v.AttachedTo) != vm() || *v.Disk.SizeGiB != sizeGiB {
			return fmt.Errorf("the disk is attached to %q and has %d GiB", v.AttachedTo, *v.Disk.SizeGiB)
		}
		return nil
	}
}
