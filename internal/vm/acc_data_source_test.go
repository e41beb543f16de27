package vm_test

import (
	"regexp"
	"testing"

	"github.com/hashicorp/terraform-plugin-testing/compare"
	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/knownvalue"
	"github.com/hashicorp/terraform-plugin-testing/statecheck"

	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/acctest"
)

func TestAccVMDataSource(t *testing.T) {
	m := acctest.NewMock(t)
	const byName, byID = "data.virtrigaud_vm.name", "data.virtrigaud_vm.id"
	acctest.Run(t, resource.TestCase{Steps: []resource.TestStep{
		{
			Config: m.Config(web("cpu = { cores = 2 }", "networks = { lan = {} }") + `
data "virtrigaud_vm" "name" { name = virtrigaud_vm.web.name }
data "virtrigaud_vm" "id" { id = virtrigaud_vm.web.id }
`),
			ConfigStateChecks: []statecheck.StateCheck{
				statecheck.CompareValuePairs(address, at("id"), byName, at("id"), compare.ValuesSame()),
				statecheck.CompareValuePairs(address, at("name"), byID, at("name"), compare.ValuesSame()),
				statecheck.CompareValuePairs(address, at("networks", "lan", "mac"), byID, at("networks", "lan", "mac"), compare.ValuesSame()),
				statecheck.CompareValuePairs(address, at("ip_address"), byName, at("ip_address"), compare.ValuesSame()),
				statecheck.ExpectKnownValue(byName, at("cpu", "cores"), knownvalue.Int64Exact(2)),
				statecheck.ExpectKnownValue(byName, at("status"), knownvalue.StringExact("running")),
			},
		},
		{Config: m.Config(`data "virtrigaud_vm" "x" { name = "nobody" }`), ExpectError: regexp.MustCompile(`Unable to find VM "nobody"`)},
		{Config: m.Config(`data "virtrigaud_vm" "x" { id = "nobody" }`), ExpectError: regexp.MustCompile(`Unable to read VM "nobody"`)},
		{Config: m.Config(`data "virtrigaud_vm" "x" {}`), ExpectError: regexp.MustCompile(`Neither id nor name is set`)},
		{Config: m.Config(`data "virtrigaud_vm" "x" {` + "\nid = \"a\"\nname = \"b\"\n}"), ExpectError: regexp.MustCompile(`Both id and name are set`)},
		{Config: m.Config(`data "virtrigaud_vm" "x" { name = "db-01" }`)},
	}})
}
