package vm_test

import (
	"regexp"
	"testing"

	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/knownvalue"
	"github.com/hashicorp/terraform-plugin-testing/statecheck"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/acctest"
)

// What only the data source asks a guest: present while the agent answers, null
// otherwise, and never an error.
func TestAccVMDataSource_guest(t *testing.T) {
	m := acctest.NewMock(t)
	const look = "data.virtrigaud_vm.web"
	config := func(options ...string) string {
		return m.Config(web("disks = { root = { size_gib = 4 } }")+`
data "virtrigaud_vm" "web" { id = virtrigaud_vm.web.id }
`, options...)
	}
	moment := knownvalue.StringRegexp(regexp.MustCompile(`^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ$`))
	none := []statecheck.StateCheck{
		statecheck.ExpectKnownValue(look, at("guest", "users"), knownvalue.Null()),
		statecheck.ExpectKnownValue(look, at("guest", "file_systems"), knownvalue.Null()),
		statecheck.ExpectKnownValue(look, at("guest", "time"), knownvalue.Null()),
		statecheck.ExpectKnownValue(look, at("guest", "time_zone"), knownvalue.Null()),
	}
	acctest.Run(t, resource.TestCase{Steps: []resource.TestStep{
		{
			Config: config(),
			ConfigStateChecks: []statecheck.StateCheck{
				statecheck.ExpectKnownValue(look, at("guest", "users").AtSliceIndex(0), knownvalue.ObjectExact(map[string]knownvalue.Check{
					"name": knownvalue.StringExact("root"), "since": moment,
				})),
				statecheck.ExpectKnownValue(look, at("guest", "file_systems").AtSliceIndex(0), knownvalue.ObjectExact(map[string]knownvalue.Check{
					"mount_point": knownvalue.NotNull(), "type": knownvalue.NotNull(), "device": knownvalue.NotNull(),
					"total_bytes": knownvalue.NotNull(), "used_bytes": knownvalue.NotNull(),
				})),
				statecheck.ExpectKnownValue(look, at("guest", "time"), moment),
				statecheck.ExpectKnownValue(look, at("guest", "time_zone"), knownvalue.StringExact("UTC")),
				statecheck.ExpectKnownValue(look, at("guest", "agent_running"), knownvalue.Bool(true)),
				statecheck.ExpectKnownValue(look, at("guest", "hostname"), knownvalue.NotNull()),
			},
		},
		{Config: config(`faults = [{ operation = "GuestInfo", code = "precondition" }]`), ConfigStateChecks: none},
		{PreConfig: func() { m.Power("web", backends.PowerOff) }, Config: config(), ConfigStateChecks: none},
	}})
}
