package vm_test

import (
	"fmt"
	"regexp"
	"testing"

	"github.com/hashicorp/terraform-plugin-testing/compare"
	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/knownvalue"
	"github.com/hashicorp/terraform-plugin-testing/plancheck"
	"github.com/hashicorp/terraform-plugin-testing/statecheck"
	"github.com/hashicorp/terraform-plugin-testing/terraform"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/acctest"
)

func TestAccVM_disappears(t *testing.T) {
	m := acctest.NewMock(t)
	acctest.Run(t, resource.TestCase{Steps: []resource.TestStep{
		{Config: m.Config(web()), ConfigPlanChecks: expect(plancheck.ResourceActionCreate)},
		{
			PreConfig:        func() { m.Delete("web") },
			Config:           m.Config(web()),
			ConfigPlanChecks: expect(plancheck.ResourceActionCreate),
		},
		{ // gone while it is destroyed: success
			PreConfig: func() { m.Delete("web") },
			Config:    m.Config(""),
		},
	}})
}

// A hypervisor that does not answer never takes a VM out of state.
func TestAccVM_unreachable(t *testing.T) {
	m := acctest.NewMock(t)
	id := statecheck.CompareValue(compare.ValuesSame())
	acctest.Run(t, resource.TestCase{Steps: []resource.TestStep{
		{
			Config:            m.Config(web()),
			ConfigStateChecks: []statecheck.StateCheck{id.AddStateValue(address, at("id"))},
		},
		{
			Config:      m.Config(web(), `faults = [{ operation = "GetVMs", code = "internal", message = "the answer makes no sense" }]`),
			ExpectError: regexp.MustCompile(`(?s)The answer makes no sense.*report`),
		},
		{
			Config:            m.Config(web()),
			ConfigPlanChecks:  expect(plancheck.ResourceActionNoop),
			ConfigStateChecks: []statecheck.StateCheck{id.AddStateValue(address, at("id"))},
		},
	}})
}

func TestAccVM_import(t *testing.T) {
	m := acctest.NewMock(t)
	config := m.Config(`
resource "virtrigaud_vm" "web" {
  name        = "web"
  description = "front"
  tags        = ["prod"]
  image       = "default/debian-12"
  firmware    = "uefi"
  cpu         = { cores = 2, max_cores = 4 }
  memory      = { size_mib = 2048 }
  disks = {
    root = { size_gib = 20 }
    data = { size_gib = 5, storage = "fast", keep_on_destroy = false }
  }
  cdrom = { iso = "default/rescue.iso" }
  networks = {
    lan = { network = "lan", mac = "52:54:00:aa:bb:cc", ipv4 = { address = "10.9.0.5/24", gateway = "10.9.0.1" } }
    dmz = { network = "dmz", vlan = 7 }
  }
  dns        = { servers = ["10.9.0.1"], search = ["example.com"] }
  cloud_init = {
    hostname            = "web"
    user_data           = "#cloud-config\npackage_update: true\n"
    ssh_authorized_keys = ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHsGXxlAuZGLd4j2RDjmxsEtYxNVGvmYPcu8gNPKc8eh a"]
    users               = [{ name = "ops", groups = ["sudo"] }]
  }
  power_state     = "running"
  restart_policy  = "never"
  on_image_change = "replace"
  shutdown        = { timeout = "5s" }
  wait_for        = { ipv4 = true }
  timeouts        = { create = "2m" }
}`)
	imported := func(id resource.ImportStateIdFunc) resource.TestStep {
		return resource.TestStep{
			ResourceName: address, Config: config,
			ImportState: true, ImportStateVerify: true, ImportStateIdFunc: id,
		}
	}
	block := imported(nil)
	block.ImportStateKind, block.ImportStateVerify, block.ImportStateIdFunc = resource.ImportBlockWithID, false, byName("name=web")
	block.ImportPlanChecks = resource.ImportPlanChecks{PreApply: []plancheck.PlanCheck{plancheck.ExpectEmptyPlan()}}
	acctest.Run(t, resource.TestCase{Steps: []resource.TestStep{
		{Config: config, ConfigPlanChecks: expect(plancheck.ResourceActionCreate)},
		imported(nil),
		imported(byName("web")),
		imported(byName("name=web")),
		block,
		{
			ResourceName: address, Config: config, ImportState: true, ImportStateIdFunc: byName("nobody"),
			ExpectError: regexp.MustCompile(`(?s)No VM has this id or name.*name=NAME`),
		},
	}})
}

func byName(name string) resource.ImportStateIdFunc {
	return func(*terraform.State) (string, error) { return name, nil }
}

// A VM that nobody made with this product is adopted by its natural names.
func TestAccVM_importForeign(t *testing.T) {
	m := acctest.NewMock(t)
	acctest.Run(t, resource.TestCase{Steps: []resource.TestStep{{
		ResourceName: address, ImportState: true, ImportStateIdFunc: byName("legacy-app"),
		Config:           m.Config(`resource "virtrigaud_vm" "web" { name = "legacy-app" }`),
		ImportStateKind:  resource.ImportBlockWithID,
		ImportPlanChecks: resource.ImportPlanChecks{PreApply: []plancheck.PlanCheck{plancheck.ExpectEmptyPlan()}},
	}}})
}

func TestAccVM_protected(t *testing.T) {
	m := acctest.NewMock(t)
	refused := regexp.MustCompile(`(?s)This VM is protected.*protected = false`)
	image := func(name string, lines ...string) string {
		return m.Config(web(append(lines, `image = "`+name+`"`, `disks = { root = {} }`, `on_image_change = "replace"`)...))
	}
	acctest.Run(t, resource.TestCase{Steps: []resource.TestStep{
		{Config: image("default/debian-12", "protected = true"), ConfigPlanChecks: expect(plancheck.ResourceActionCreate)},
		{Config: image("default/debian-12", "protected = true"), Destroy: true, ExpectError: refused},
		{Config: image("default/ubuntu-24.04", "protected = true"), ExpectError: refused},
		{Config: image("default/debian-12"), Destroy: true, ExpectError: refused},
		{Config: image("default/debian-12"), ConfigPlanChecks: expect(plancheck.ResourceActionUpdate)},
	}})
}

// Marked for replacement by hand, a protected VM stays all the same.
func TestAccVM_protectedTainted(t *testing.T) {
	t.Parallel()
	m := acctest.NewMock(t)
	w := workspace(t, m.Config(web("protected = true")))
	w.Apply()
	w.Must("taint", address)
	w.Fails([]string{"This VM is protected"}, "apply", "-auto-approve")
	w.Must("untaint", address)
	w.Write("main.tf", m.Config(web("protected = false")))
	w.Apply()
	w.Must("destroy", "-auto-approve")
}

func TestAccVM_imageChange(t *testing.T) {
	m := acctest.NewMock(t)
	config := func(image, then string) string {
		return m.Config(web(`image = "`+image+`"`, `disks = { root = {} }`, `on_image_change = "`+then+`"`))
	}
	same, other := statecheck.CompareValue(compare.ValuesSame()), statecheck.CompareValue(compare.ValuesDiffer())
	acctest.Run(t, resource.TestCase{Steps: []resource.TestStep{
		{
			Config: config("default/debian-12", "ignore"), ConfigPlanChecks: expect(plancheck.ResourceActionCreate),
			ConfigStateChecks: []statecheck.StateCheck{same.AddStateValue(address, at("id"))},
		},
		{
			Config: config("default/ubuntu-24.04", "ignore"), ConfigPlanChecks: expect(plancheck.ResourceActionUpdate,
				plancheck.ExpectKnownValue(address, at("ip_addresses"), knownvalue.NotNull())),
			ConfigStateChecks: []statecheck.StateCheck{
				same.AddStateValue(address, at("id")), other.AddStateValue(address, at("id")),
				value(knownvalue.StringExact("default/ubuntu-24.04"), "image"),
			},
		},
		{
			Config: config("default/debian-12", "replace"), ConfigPlanChecks: expect(plancheck.ResourceActionReplace),
			ConfigStateChecks: []statecheck.StateCheck{other.AddStateValue(address, at("id"))},
		},
	}})
}

func TestAccVM_rename(t *testing.T) {
	m := acctest.NewMock(t)
	id := statecheck.CompareValue(compare.ValuesSame())
	acctest.Run(t, resource.TestCase{Steps: []resource.TestStep{
		{Config: m.Config(web()), ConfigStateChecks: []statecheck.StateCheck{id.AddStateValue(address, at("id"))}},
		{
			Config:            m.Config(`resource "virtrigaud_vm" "web" { name = "shop" }`),
			ConfigPlanChecks:  expect(plancheck.ResourceActionUpdate),
			ConfigStateChecks: []statecheck.StateCheck{id.AddStateValue(address, at("id"))},
		},
		{
			Config:      m.Config(`resource "virtrigaud_vm" "web" { name = "web-01" }`),
			ExpectError: regexp.MustCompile(`(?s)Unable to .*web-01`),
		},
	}})
}

func TestAccVM_nameTaken(t *testing.T) {
	m := acctest.NewMock(t)
	acctest.Run(t, resource.TestCase{Steps: []resource.TestStep{{
		Config:      m.Config(`resource "virtrigaud_vm" "web" { name = "db-01" }`),
		ExpectError: regexp.MustCompile(`(?s)Unable to create VM "db-01".*import`),
	}}})
	if m.VM("db-01").Power != backends.Running {
		t.Error("the VM whose name was wanted was touched")
	}
}

func TestAccVM_drift(t *testing.T) {
	m := acctest.NewMock(t)
	config := m.Config(web("cpu = { cores = 2, max_cores = 4 }", `description = "ours"`))
	acctest.Run(t, resource.TestCase{Steps: []resource.TestStep{
		{Config: config, ConfigPlanChecks: expect(plancheck.ResourceActionCreate)},
		{
			PreConfig: func() {
				m.Change("web", func(s *backends.VMSpec) {
					cores, text := int64(3), "theirs"
					s.CPU.Cores, s.Description = &cores, &text
				})
			},
			Config:           config,
			ConfigPlanChecks: expect(plancheck.ResourceActionUpdate),
			Check: func(*terraform.State) error {
				if c := m.VM("web").Config; *c.CPU.Cores != 2 || *c.Description != "ours" {
					return fmt.Errorf("drift was not repaired: %d cores, %q", *c.CPU.Cores, *c.Description)
				}
				return nil
			},
		},
		{ // what is not configured may change
			PreConfig:        func() { m.Change("web", func(s *backends.VMSpec) { s.Tags = []string{"theirs"} }) },
			Config:           config,
			ConfigPlanChecks: resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{plancheck.ExpectEmptyPlan()}},
		},
	}})
}

// A write-only value reaches the hypervisor and never state.
func TestAccVM_userDataWriteOnly(t *testing.T) {
	m := acctest.NewMock(t)
	config := func(text, version string) string {
		return m.Config(web(`cloud_init = { user_data_wo = "#cloud-config\n# ` + text + `", user_data_wo_version = ` + version + ` }`))
	}
	has := func(want string) resource.TestCheckFunc {
		return func(*terraform.State) error {
			c := m.VM("web").Config.CloudInit
			if c == nil || c.UserDataVersion == nil {
				return fmt.Errorf("the hypervisor has %+v", c)
			}
			if got := fmt.Sprint(*c.UserDataVersion); got != want {
				return fmt.Errorf("the hypervisor has version %s, want %s", got, want)
			}
			return nil
		}
	}
	null := []statecheck.StateCheck{value(knownvalue.Null(), "cloud_init", "user_data_wo"), value(knownvalue.Null(), "cloud_init", "user_data")}
	acctest.Run(t, resource.TestCase{Steps: []resource.TestStep{
		{Config: m.Config(web(`cloud_init = { user_data = "#cloud-config\n# plain" }`)), ConfigPlanChecks: expect(plancheck.ResourceActionCreate)},
		{Config: config("first", "1"), ConfigPlanChecks: expect(plancheck.ResourceActionUpdate), ConfigStateChecks: null, Check: has("1")},
		{Config: config("second", "1"), ConfigPlanChecks: expect(plancheck.ResourceActionNoop), ConfigStateChecks: null},
		{Config: config("second", "2"), ConfigPlanChecks: expect(plancheck.ResourceActionUpdate), ConfigStateChecks: null, Check: has("2")},
	}})
}
