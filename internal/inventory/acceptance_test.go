package inventory_test

import (
	"fmt"
	"regexp"
	"slices"
	"testing"

	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/knownvalue"
	"github.com/hashicorp/terraform-plugin-testing/statecheck"
	"github.com/hashicorp/terraform-plugin-testing/terraform"
	"github.com/hashicorp/terraform-plugin-testing/tfjsonpath"

	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/acctest"
)

func check(address, list string, want knownvalue.Check) statecheck.StateCheck {
	return statecheck.ExpectKnownValue(address, tfjsonpath.New(list), want)
}

// objects demands a list with exactly these objects.
func objects(all ...map[string]knownvalue.Check) knownvalue.Check {
	list := make([]knownvalue.Check, len(all))
	for i, one := range all {
		list[i] = knownvalue.ObjectExact(one)
	}
	return knownvalue.ListExact(list)
}

func TestAccNetworks(t *testing.T) {
	m := acctest.NewMock(t)
	text, yes := knownvalue.StringExact, knownvalue.Bool(true)
	network := func(name, kind string, vlan knownvalue.Check) map[string]knownvalue.Check {
		return map[string]knownvalue.Check{"name": text(name), "kind": text(kind), "vlan": vlan, "active": yes}
	}
	acctest.Run(t, resource.TestCase{Steps: []resource.TestStep{
		{
			Config: m.Config(`
data "virtrigaud_networks" "all" {}
data "virtrigaud_networks" "bridges" { kind = "bridge" }
data "virtrigaud_networks" "one" { name = "dvs-prod" }
data "virtrigaud_networks" "none" { name = "nowhere" }
`),
			ConfigStateChecks: []statecheck.StateCheck{
				check("data.virtrigaud_networks.all", "networks", knownvalue.ListSizeExact(8)),
				check("data.virtrigaud_networks.bridges", "networks", objects(network("vmbr0", "bridge", knownvalue.Null()), network("vmbr1", "bridge", knownvalue.Null()))),
				check("data.virtrigaud_networks.one", "networks", objects(network("dvs-prod", "distributed", knownvalue.Int64Exact(100)))),
				check("data.virtrigaud_networks.none", "networks", objects()),
			},
			Check: sorted("data.virtrigaud_networks.all", "networks"),
		},
	}})
}

func TestAccStorages(t *testing.T) {
	m := acctest.NewMock(t)
	acctest.Run(t, resource.TestCase{Steps: []resource.TestStep{
		{
			Config: m.Config(`
data "virtrigaud_storages" "all" {}
data "virtrigaud_storages" "small" { name = "small" }
data "virtrigaud_storages" "vmfs" { kind = "vmfs" }
`),
			ConfigStateChecks: []statecheck.StateCheck{
				check("data.virtrigaud_storages.all", "storages", knownvalue.ListSizeExact(5)),
				check("data.virtrigaud_storages.small", "storages", objects(map[string]knownvalue.Check{
					"name": knownvalue.StringExact("small"), "kind": knownvalue.StringExact("dir"),
					"capacity_bytes": knownvalue.Int64Exact(16 << 30), "free_bytes": knownvalue.Int64Exact(16 << 30),
					"active": knownvalue.Bool(true), "shared": knownvalue.Bool(false),
				})),
				statecheck.ExpectKnownValue("data.virtrigaud_storages.vmfs", tfjsonpath.New("storages").AtSliceIndex(0).AtMapKey("shared"), knownvalue.Bool(true)),
			},
			Check: sorted("data.virtrigaud_storages.all", "storages"),
		},
	}})
}

func TestAccHosts(t *testing.T) {
	m := acctest.NewMock(t)
	acctest.Run(t, resource.TestCase{Steps: []resource.TestStep{
		{
			Config: m.Config(`
data "virtrigaud_hosts" "all" {}
data "virtrigaud_hosts" "down" { name = "mock-04" }
data "virtrigaud_hosts" "none" { cluster = "elsewhere" }
`),
			ConfigStateChecks: []statecheck.StateCheck{
				check("data.virtrigaud_hosts.all", "hosts", knownvalue.ListSizeExact(4)),
				check("data.virtrigaud_hosts.down", "hosts", objects(map[string]knownvalue.Check{
					"name": knownvalue.StringExact("mock-04"), "cluster": knownvalue.StringExact("mock-cluster"), "online": knownvalue.Bool(false),
					"cpus": knownvalue.Int64Exact(64), "memory_mib": knownvalue.Int64Exact(512 * 1024),
				})),
				check("data.virtrigaud_hosts.none", "hosts", objects()),
			},
			Check: sorted("data.virtrigaud_hosts.all", "hosts"),
		},
	}})
}

func TestAccVMs(t *testing.T) {
	m := acctest.NewMock(t)
	const mine = `
resource "virtrigaud_vm" "web" {
  count       = 3
  name        = "box-${count.index}"
  tags        = count.index == 1 ? ["prod", "blue"] : ["prod"]
  power_state = count.index == 2 ? "stopped" : "running"
}
`
	query := func(name, filters string) string {
		return fmt.Sprintf("data \"virtrigaud_vms\" %q {\n  depends_on = [virtrigaud_vm.web]\n  %s\n}\n", name, filters)
	}
	names := func(query string, want ...string) resource.TestCheckFunc {
		return func(s *terraform.State) error {
			if got := column(s, "data.virtrigaud_vms."+query, "vms", "name"); !slices.Equal(got, want) {
				return fmt.Errorf("%s has %q, want %q", query, got, want)
			}
			return nil
		}
	}
	acctest.Run(t, resource.TestCase{Steps: []resource.TestStep{
		{
			Config: m.Config(mine + query("everything", "") + query("all", `name_regex = "^box-"`) + query("both", `tags = ["blue", "prod"]`) +
				query("stopped", "name_regex = \"^box-\"\npower_state = \"stopped\"") + query("named", `names = ["box-0", "db-01", "nobody"]`) +
				query("nobody", `names = ["nobody"]`) + query("templates", "template = true") + query("owned", "owned = true\nname_regex = \"^box-\"") + query("strangers", "owned = false\nname_regex = \"^box-\"") +
				`data "virtrigaud_vms" "there" {
  host       = virtrigaud_vm.web[0].host
  name_regex = "box-0"
}`),
			ConfigStateChecks: []statecheck.StateCheck{
				statecheck.ExpectKnownValue("data.virtrigaud_vms.both", tfjsonpath.New("vms").AtSliceIndex(0), knownvalue.ObjectExact(map[string]knownvalue.Check{
					"id": knownvalue.NotNull(), "name": knownvalue.StringExact("box-1"), "host": knownvalue.NotNull(), "power_state": knownvalue.StringExact("running"),
					"tags":  knownvalue.ListExact([]knownvalue.Check{knownvalue.StringExact("blue"), knownvalue.StringExact("prod")}),
					"owned": knownvalue.Bool(true), "template": knownvalue.Bool(false),
				})),
			},
			Check: resource.ComposeAggregateTestCheckFunc(
				sorted("data.virtrigaud_vms.everything", "vms"),
				names("all", "box-0", "box-1", "box-2"), names("both", "box-1"), names("stopped", "box-2"),
				names("named", "box-0", "db-01"), names("nobody"), names("owned", "box-0", "box-1", "box-2"), names("strangers"), names("there", "box-0"),
				func(s *terraform.State) error {
					if got := column(s, "data.virtrigaud_vms.everything", "vms", "name"); !slices.Equal(got, m.Names()) {
						return fmt.Errorf("listed %q, the hypervisor has %q", got, m.Names())
					}
					for _, is := range column(s, "data.virtrigaud_vms.templates", "vms", "template") {
						if is != "true" {
							return fmt.Errorf("a VM is listed as a template")
						}
					}
					return nil
				},
			),
		},
		{Config: m.Config(`data "virtrigaud_vms" "x" { name_regex = "web-(" }`), ExpectError: regexp.MustCompile(`(?s)Not a regular expression.*missing closing`)},
		{Config: m.Config(`data "virtrigaud_vms" "x" { power_state = "on" }`), ExpectError: regexp.MustCompile(`power_state`)},
		{
			Config: m.Config(query("all", "tags = []\nnames = [\"db-01\"]") + query("nobody", "names = []") + mine),
			Check:  resource.ComposeAggregateTestCheckFunc(names("all", "db-01"), names("nobody")),
		},
	}})
}

// A list that cannot be read is an error and never an empty list.
func TestAccInventory_unreadable(t *testing.T) {
	m := acctest.NewMock(t)
	var steps []resource.TestStep
	for noun, method := range map[string]string{"vms": "ListVMs", "networks": "Networks", "storages": "Storages", "hosts": "Hosts"} {
		steps = append(steps, resource.TestStep{
			Config: m.Config(fmt.Sprintf("data \"virtrigaud_%s\" \"x\" {}", noun),
				fmt.Sprintf(`faults = [{ operation = %q, code = "auth", message = "not allowed" }]`, method)),
			ExpectError: regexp.MustCompile(`(?is)Unable to list ` + noun + `.*[Nn]ot\s+allowed.*error\s+code:\s+auth`),
		})
	}
	acctest.Run(t, resource.TestCase{Steps: steps})
}

// column is one attribute of every element of a list.
func column(s *terraform.State, address, list, attribute string) []string {
	r := s.RootModule().Resources[address]
	if r == nil {
		return nil
	}
	all := []string{}
	for i := 0; ; i++ {
		v, ok := r.Primary.Attributes[fmt.Sprintf("%s.%d.%s", list, i, attribute)]
		if !ok {
			return all
		}
		all = append(all, v)
	}
}

func sorted(address, list string) resource.TestCheckFunc {
	return func(s *terraform.State) error {
		if names := column(s, address, list, "name"); len(names) == 0 || !slices.IsSorted(names) {
			return fmt.Errorf("%s has %q", address, names)
		}
		return nil
	}
}
