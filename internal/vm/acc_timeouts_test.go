package vm_test

import (
	"regexp"
	"testing"

	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/plancheck"

	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/acctest"
)

// Each timeout bounds its operation, the message names it, and what was not
// done in time is done by the next apply.
func TestAccVM_timeouts(t *testing.T) {
	m := acctest.NewMock(t)
	const slow = `latency = "700ms"`
	config := func(timeouts, more string, options ...string) string {
		return m.Config(web(timeouts, more), options...)
	}
	const update = `timeouts = { update = "300ms", delete = "300ms" }`
	const read = `timeouts = { read = "300ms" }`
	acctest.Run(t, resource.TestCase{Steps: []resource.TestStep{
		{Config: config(update, ""), ConfigPlanChecks: expect(plancheck.ResourceActionCreate)},
		{
			Config:      config(update, `description = "new"`, slow),
			ExpectError: regexp.MustCompile(`timeouts\.update`),
		},
		{
			Config: config(update, "", slow), Destroy: true,
			ExpectError: regexp.MustCompile(`timeouts\.delete`),
		},
		{Config: config(read, ""), ConfigPlanChecks: expect(plancheck.ResourceActionUpdate)},
		{Config: config(read, "", slow), ExpectError: regexp.MustCompile(`timeouts\.read`)},
		{Config: config(read, ""), ConfigPlanChecks: expect(plancheck.ResourceActionNoop)},
	}})
}
