package vm_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/knownvalue"
	"github.com/hashicorp/terraform-plugin-testing/plancheck"
	"github.com/hashicorp/terraform-plugin-testing/statecheck"
	"github.com/hashicorp/terraform-plugin-testing/terraform"

	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/acctest"
)

const cloneAddress = "virtrigaud_clone.copy"

// base is a VM worth cloning.
const base = `
resource "virtrigaud_vm" "base" {
  name        = "base"
  description = "the original"
  tags        = ["gold"]
  image       = "default/debian-12"
  firmware    = "uefi"
  tpm         = true
  cpu         = { cores = 2, max_cores = 4 }
  memory      = { size_mib = 1024, max_mib = 4096 }
  disks       = { root = { size_gib = 10 }, data = { size_gib = 5, bus = "scsi" } }
  networks    = { lan = { network = "lan", ipv4 = { address = "10.9.0.5/24" } }, dmz = { network = "dmz" } }
  cdrom       = { iso = "default/rescue.iso" }
  cloud_init  = { hostname = "base", user_data = "#cloud-config\npackage_update: true\n" }
}
`

// copyOf is a clone with further lines.
func copyOf(lines ...string) string {
	return `
resource "virtrigaud_clone" "copy" {
  name = "copy"
  ` + strings.Join(lines, "\n  ") + `
}`
}

const ofBase = "source_vm = virtrigaud_vm.base.id"

func cloned(check knownvalue.Check, first string, more ...string) statecheck.StateCheck {
	return statecheck.ExpectKnownValue(cloneAddress, at(first, more...), check)
}

func expectClone(action plancheck.ResourceActionType, more ...plancheck.PlanCheck) resource.ConfigPlanChecks {
	return expectOf(cloneAddress, action, more...)
}

// A clone has what its source has, other than what belongs to one VM; then it is
// a VM like any other.
func TestAccClone_full(t *testing.T) {
	m := acctest.NewMock(t)
	own := func(*terraform.State) error {
		from, to := m.VM("base"), m.VM("copy")
		switch {
		case from.UUID == to.UUID:
			return fmt.Errorf("both have the UUID %s", to.UUID)
		case from.Networks["lan"].MAC == to.Networks["lan"].MAC:
			return fmt.Errorf("both have the MAC %s", to.Networks["lan"].MAC)
		case to.Config.Networks["lan"].IPv4 != nil:
			return fmt.Errorf("the static address is inherited: %v", to.Config.Networks["lan"].IPv4)
		case to.Disks["root"].Path == from.Disks["root"].Path || to.Disks["root"].Backing != "":
			return fmt.Errorf("the disk is shared: %+v", to.Disks["root"])
		case to.Config.CloudInit == nil || *to.Config.CloudInit.UserData != *from.Config.CloudInit.UserData:
			return fmt.Errorf("the seed is %+v", to.Config.CloudInit)
		}
		return nil
	}
	acctest.Run(t, resource.TestCase{Steps: []resource.TestStep{
		{
			Config: m.Config(base + copyOf(ofBase)),
			ConfigPlanChecks: expectClone(plancheck.ResourceActionCreate,
				plancheck.ExpectUnknownValue(cloneAddress, at("cpu")),
				plancheck.ExpectUnknownValue(cloneAddress, at("disks")),
				plancheck.ExpectUnknownValue(cloneAddress, at("description"))),
			ConfigStateChecks: []statecheck.StateCheck{
				cloned(knownvalue.StringExact("running"), "status"),
				cloned(knownvalue.StringExact("the original"), "description"),
				cloned(knownvalue.SetExact([]knownvalue.Check{knownvalue.StringExact("gold")}), "tags"),
				cloned(knownvalue.Int64Exact(2), "cpu", "cores"),
				cloned(knownvalue.Int64Exact(4), "cpu", "max_cores"),
				cloned(knownvalue.Int64Exact(1024), "memory", "size_mib"),
				cloned(knownvalue.StringExact("uefi"), "firmware"),
				cloned(knownvalue.Bool(true), "tpm"),
				cloned(knownvalue.Int64Exact(10), "disks", "root", "size_gib"),
				cloned(knownvalue.StringExact("scsi"), "disks", "data", "bus"),
				cloned(knownvalue.StringExact("dmz"), "networks", "dmz", "network"),
				cloned(knownvalue.StringExact("default/rescue.iso"), "cdrom", "iso"),
				cloned(knownvalue.NotNull(), "ip_address"),
				cloned(knownvalue.Null(), "linked"),
			},
			Check: own,
		},
		{ // hot, in place, and what stays as it is stays known
			Config: m.Config(base + copyOf(ofBase, "cpu = { cores = 4 }", "memory = { size_mib = 2048 }", `description = "mine"`,
				`disks = { root = { size_gib = 12 }, data = {}, logs = { size_gib = 1 } }`)),
			ConfigPlanChecks: expectClone(plancheck.ResourceActionUpdate,
				plancheck.ExpectKnownValue(cloneAddress, at("status"), knownvalue.StringExact("running")),
				plancheck.ExpectKnownValue(cloneAddress, at("disks", "data", "size_gib"), knownvalue.Int64Exact(5)),
				plancheck.ExpectKnownValue(cloneAddress, at("ip_address"), knownvalue.NotNull())),
			ConfigStateChecks: []statecheck.StateCheck{
				cloned(knownvalue.Int64Exact(4), "cpu", "cores"),
				cloned(knownvalue.Int64Exact(12), "disks", "root", "size_gib"),
				cloned(knownvalue.MapSizeExact(3), "disks"),
			},
		},
		{ // the source goes its own way
			Config: m.Config(strings.ReplaceAll(base, "the original", "changed") + copyOf(ofBase, "cpu = { cores = 4 }", `description = "mine"`, "cdrom = {}")),
			ConfigPlanChecks: expectClone(plancheck.ResourceActionUpdate,
				plancheck.ExpectResourceAction("virtrigaud_vm.base", plancheck.ResourceActionUpdate)),
			ConfigStateChecks: []statecheck.StateCheck{
				cloned(knownvalue.StringExact("mine"), "description"),
				cloned(knownvalue.Null(), "cdrom", "iso"),
			},
		},
		{ // without its source it is whole
			Config:           m.Config(copyOf(`source_vm = "base"`, "cpu = { cores = 4 }")),
			ConfigPlanChecks: expectClone(plancheck.ResourceActionUpdate),
		},
	}})
	if names := m.Names(); contains(names, "copy") || contains(names, "base") {
		t.Errorf("after destroy the hypervisor still has %v", names)
	}
}

// A linked clone shares its source's content. Destroying both goes in the right
// order by itself; destroying the source alone is refused, and names the clone.
func TestAccClone_linked(t *testing.T) {
	m := acctest.NewMock(t)
	w := workspace(t, m.Config(base+copyOf(ofBase, "linked = true")))
	w.Apply()
	w.EmptyPlan()
	if d := m.VM("copy").Disks["root"]; d.Backing == "" {
		t.Errorf("the disk of a linked clone shares nothing: %+v", d)
	}
	id := string(m.VM("base").ID)
	w.Write("main.tf", m.Config(copyOf(`source_vm = "`+id+`"`, "linked = true")))
	w.Fails([]string{"Unable to delete VM \"base\"", "copy"}, "apply", "-auto-approve")
	if names := m.Names(); !contains(names, "base") || !contains(names, "copy") {
		t.Errorf("a refused destruction left %v", names)
	}
	w.Write("main.tf", m.Config(base+copyOf(ofBase, "linked = true")))
	w.EmptyPlan()
	if out := w.Must("destroy", "-auto-approve"); !strings.Contains(out, "2 destroyed") {
		t.Errorf("destroy printed\n%s", out)
	}
}

// Disks and networks that are set are all that the clone has: of the source's
// those that are named, and new ones.
func TestAccClone_overrides(t *testing.T) {
	m := acctest.NewMock(t)
	acctest.Run(t, resource.TestCase{Steps: []resource.TestStep{
		{
			Config: m.Config(base + copyOf(ofBase,
				`disks = { root = { size_gib = 20 }, scratch = { size_gib = 3, iops_limit = 500, throughput_mib = 20 } }`,
				`networks = { lan = { network = "default", mac = "52:54:00:aa:bb:07", ipv4 = { address = "10.9.0.77/24" }, bandwidth_mbps = 100 } }`,
				`cpu = { cores = 1 }`, `firmware = "bios"`, `tpm = false`, `tags = []`, `description = ""`,
				`cloud_init = { hostname = "copy", user_data = "#cloud-config\n{}\n" }`,
				`power_state = "stopped"`, `placement = { host = "mock-02" }`)),
			ConfigPlanChecks: expectClone(plancheck.ResourceActionCreate,
				plancheck.ExpectKnownValue(cloneAddress, at("disks", "root", "size_gib"), knownvalue.Int64Exact(20)),
				plancheck.ExpectUnknownValue(cloneAddress, at("disks", "root", "bus"))),
			ConfigStateChecks: []statecheck.StateCheck{
				cloned(knownvalue.MapSizeExact(2), "disks"),
				cloned(knownvalue.MapSizeExact(1), "networks"),
				cloned(knownvalue.StringExact("stopped"), "status"),
				cloned(knownvalue.StringExact("bios"), "firmware"),
				cloned(knownvalue.Int64Exact(500), "disks", "scratch", "iops_limit"),
				cloned(knownvalue.StringExact("mock-02"), "host"),
				cloned(knownvalue.Int64Exact(1024), "memory", "size_mib"),
			},
		},
		{
			Config: m.Config(base + copyOf(ofBase,
				`disks = { root = { size_gib = 20 }, scratch = { size_gib = 3, iops_limit = 0 } }`,
				`networks = { lan = { network = "default", bandwidth_mbps = 0, ipv4 = { address = "10.9.0.77/24" } } }`, `power_state = "running"`,
				`cloud_init = { hostname = "copy", user_data = "#cloud-config\n{}\n" }`)),
			ConfigPlanChecks: expectClone(plancheck.ResourceActionUpdate),
			ConfigStateChecks: []statecheck.StateCheck{
				cloned(knownvalue.StringExact("10.9.0.77"), "ip_address"),
				cloned(knownvalue.Int64Exact(0), "disks", "scratch", "iops_limit"),
				cloned(knownvalue.Int64Exact(20), "disks", "scratch", "throughput_mib"),
			},
		},
	}})
}

// A clone of a snapshot is as the VM was then.
func TestAccClone_fromSnapshot(t *testing.T) {
	snapshot := `
resource "virtrigaud_snapshot" "before" {
  vm_id = virtrigaud_vm.base.id
  name  = "before"
}`
	of := "source_snapshot = virtrigaud_snapshot.before.id"
	for name, linked := range map[string]string{"full": "", "linked": "linked = true"} {
		t.Run(name, func(t *testing.T) {
			m := acctest.NewMock(t)
			acctest.Run(t, resource.TestCase{Steps: []resource.TestStep{
				{
					Config:            m.Config(base + snapshot + copyOf(of, linked)),
					ConfigPlanChecks:  expectClone(plancheck.ResourceActionCreate),
					ConfigStateChecks: []statecheck.StateCheck{cloned(knownvalue.Int64Exact(2), "cpu", "cores")},
				},
				{ // the clone does not care for the source's changes
					Config:           m.Config(strings.ReplaceAll(base, "cores = 2", "cores = 3") + snapshot + copyOf(of, linked, `description = "copy"`)),
					ConfigPlanChecks: expectClone(plancheck.ResourceActionUpdate),
					ConfigStateChecks: []statecheck.StateCheck{
						cloned(knownvalue.Int64Exact(2), "cpu", "cores"),
						cloned(knownvalue.StringExact("copy"), "description"),
					},
				},
				{
					ResourceName: cloneAddress, ImportState: true, ImportStateVerify: true,
					Config: m.Config(strings.ReplaceAll(base, "cores = 2", "cores = 3") + snapshot + copyOf(of, linked, `description = "copy"`)),
				},
			}})
		})
	}
}

func TestAccClone_import(t *testing.T) {
	console := `console = { type = "vnc", password_wo = "secret12", password_wo_version = 1 }`
	for name, lines := range map[string][]string{
		"inheriting": {ofBase},
		"with everything": {
			ofBase, "linked = true", `on_source_change = "replace"`, console, `watchdog = "reset"`, "rng = true",
			`cloud_init = { hostname = "copy" }`, `cdrom = {}`, `wait_for = { ipv4 = true, timeout = "20s" }`, `timeouts = { create = "5m" }`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := acctest.NewMock(t)
			w := workspace(t, m.Config(base+copyOf(lines...)))
			w.Apply()
			w.EmptyPlan()
			for _, id := range []string{string(m.VM("copy").ID), "copy", "name=copy"} {
				w.Must("state", "rm", cloneAddress)
				w.Must("import", cloneAddress, id)
				w.EmptyPlan()
			}
			w.Destroy()
		})
	}
}

func TestAccClone_disappears(t *testing.T) {
	m := acctest.NewMock(t)
	config := m.Config(base + copyOf(ofBase))
	acctest.Run(t, resource.TestCase{Steps: []resource.TestStep{
		{Config: config, ConfigPlanChecks: expectClone(plancheck.ResourceActionCreate)},
		{PreConfig: func() { m.Delete("copy") }, Config: config, ConfigPlanChecks: expectClone(plancheck.ResourceActionCreate)},
	}})
}

// Another source is another clone only where that is asked for.
func TestAccClone_onSourceChange(t *testing.T) {
	m := acctest.NewMock(t)
	config := func(source, then string, more ...string) string {
		return m.Config(copyOf(append(more, `source_vm = "`+source+`"`, `on_source_change = "`+then+`"`)...))
	}
	acctest.Run(t, resource.TestCase{Steps: []resource.TestStep{
		{Config: config("web-01", "ignore"), ConfigPlanChecks: expectClone(plancheck.ResourceActionCreate)},
		{
			Config: config("db-01", "ignore"), ConfigPlanChecks: expectClone(plancheck.ResourceActionUpdate),
			ConfigStateChecks: []statecheck.StateCheck{cloned(knownvalue.MapSizeExact(1), "disks")},
		},
		{
			Config: config("web-01", "replace"), ConfigPlanChecks: expectClone(plancheck.ResourceActionReplace),
		},
		{Config: config("web-01", "replace", "linked = false"), ConfigPlanChecks: expectClone(plancheck.ResourceActionUpdate)},
		{Config: config("web-01", "replace", "linked = true"), ConfigPlanChecks: expectClone(plancheck.ResourceActionReplace)},
		{Config: config("debian-12-template", "replace", "linked = true"), ConfigPlanChecks: expectClone(plancheck.ResourceActionReplace)},
	}})
}

// What is wrong with a clone is said at plan, at its attribute.
func TestAccClone_plan(t *testing.T) {
	t.Parallel()
	cases := map[string]struct{ line, severity, want string }{
		"gone":     {`source_vm = "nobody"`, "warning", `No such VM or template.*"nobody"`},
		"snapless": {`source_snapshot = "ID/17"`, "warning", `No such snapshot.*"web-01" has no snapshot "17"`},
		"shrunk":   {"source_vm = \"web-01\"\n  disks = { root = { size_gib = 19 } }", "error", `Smaller than the disk.*19 GiB.*"web-01" has 20 GiB`},
		"sizeless": {"source_vm = \"web-01\"\n  disks = { root = {}, dta = {} }", "error", `A new disk needs a size.*disks\["dta"\].*\[root\]`},
		"db-01":    {`source_vm = "web-01"`, "warning", `has this name already.*"db-01"`},
	}
	m := acctest.NewMock(t)
	var b strings.Builder
	for name, c := range cases {
		fmt.Fprintf(&b, "resource \"virtrigaud_clone\" %q {\n  name = %q\n  %s\n}\n", name, name, strings.ReplaceAll(c.line, "ID/", string(m.VM("web-01").ID)+"/"))
	}
	b.WriteString("resource \"virtrigaud_clone\" \"fine\" {\n  name = \"fine\"\n  source_vm = \"web-01\"\n  disks = { root = { size_gib = 20 } }\n}\n")
	b.WriteString("resource \"virtrigaud_vm\" \"fine\" {\n  name = \"deployed\"\n  template = \"debian-12-template\"\n  disks = { root = {}, data = { size_gib = 1 } }\n}\n")
	b.WriteString("resource \"virtrigaud_vm\" \"lost\" {\n  name = \"lost\"\n  template = \"nothing\"\n}\n")
	b.WriteString("resource \"virtrigaud_vm\" \"small\" {\n  name = \"small\"\n  template = \"debian-12-template\"\n  disks = { root = { size_gib = 9 } }\n}\n")
	found := workspace(t, m.Config(b.String())).Diagnostics("plan")
	for name, c := range cases {
		expectOne(t, found, "virtrigaud_clone."+name, c.severity, c.want)
	}
	expectOne(t, found, "virtrigaud_vm.lost", "warning", `No such VM or template.*"nothing"`)
	expectOne(t, found, "virtrigaud_vm.small", "error", `Smaller than the disk.*9 GiB.*10 GiB`)
	for _, where := range []string{"virtrigaud_clone.fine", "virtrigaud_vm.fine"} {
		if d := found[where]; d != nil {
			t.Errorf("%s: what can be made is warned of: %v", where, d)
		}
	}
}

func TestAccClone_invalid(t *testing.T) {
	t.Parallel()
	m := acctest.NewMock(t)
	for name, c := range map[string]struct{ line, want string }{
		"no source":   {"", `source_vm.*source_snapshot`},
		"two sources": {"source_vm = \"a\"\n  source_snapshot = \"a/b\"", `source_vm.*source_snapshot`},
		"no snapshot": {`source_snapshot = "a"`, `a slash`},
		"an image":    {"source_vm = \"a\"\n  image = \"b\"", `Unsupported argument`},
		"no UEFI":     {"source_vm = \"a\"\n  firmware = \"bios\"\n  secure_boot = true", `Secure boot needs UEFI`},
	} {
		t.Run(name, func(t *testing.T) {
			found := fmt.Sprint(workspace(t, m.Config(copyOf(c.line))).Diagnostics("validate"))
			if !regexp.MustCompile("(?s)"+c.want).MatchString(found) || !strings.Contains(found, "error: ") {
				t.Errorf("want %s, got %s", c.want, found)
			}
		})
	}
}

// A clone that fails half-way is tainted, and the next apply makes a whole one; one
// that was refused is not there at all.
func TestAccClone_fails(t *testing.T) {
	m := acctest.NewMock(t)
	acctest.Run(t, resource.TestCase{Steps: []resource.TestStep{
		{Config: m.Config(copyOf(`source_vm = "nobody"`)), ExpectError: regexp.MustCompile(`(?s)Unable to find VM "nobody".*No VM has this id or name`)},
		{
			Config:      m.Config(copyOf(`source_snapshot = "` + string(m.VM("web-01").ID) + `/17"`)),
			ExpectError: regexp.MustCompile(`(?s)Unable to clone VM "copy".*no snapshot`),
		},
		{
			Config:      m.Config(`resource "virtrigaud_clone" "copy" {` + "\n  name = \"db-01\"\n  source_vm = \"web-01\"\n}"),
			ExpectError: regexp.MustCompile(`(?s)Unable to clone VM "db-01".*has\s+the\s+name.*import`),
		},
		{
			Config:      m.Config(copyOf(`source_vm = "web-01"`), `faults = [{ operation = "SetPower.start", code = "exhausted", message = "no memory" }]`),
			ExpectError: regexp.MustCompile(`(?s)Unable to start VM "copy".*No memory`),
		},
		{Config: m.Config(copyOf(`source_vm = "web-01"`)), ConfigPlanChecks: expectClone(plancheck.ResourceActionReplace)},
	}})
}
