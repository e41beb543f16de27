package vm_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/plancheck"

	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/acctest"
)

// many is one VM per line, each of the line's name.
func many(lines map[string]string) string {
	var b strings.Builder
	for name, line := range lines {
		fmt.Fprintf(&b, "resource \"virtrigaud_vm\" %q {\n  name = %q\n  %s\n}\n", name, name, line)
	}
	return b.String()
}

// expectOne demands one diagnostic at an address, and that it reads as wanted.
func expectOne(t *testing.T, all map[string][]acctest.Diagnostic, name, severity, want string) {
	t.Helper()
	got := all[name]
	if len(got) == 0 {
		t.Errorf("%s: no %s; want %s", name, severity, want)
		return
	}
	if d := got[0]; d.Severity != severity || !regexp.MustCompile("(?s)"+want).MatchString(d.Summary+" "+d.Detail) {
		t.Errorf("%s: want %s %s, got\n%s", name, severity, want, d)
	}
	if len(got) > 1 {
		t.Errorf("%s: more than one diagnostic: %v", name, got)
	}
}

// What a hypervisor cannot do is an error at plan, and the message names the
// attribute.
func TestAccVM_unsupported(t *testing.T) {
	t.Parallel()
	cases := map[string]struct{ line, want string }{
		"ha":            {`high_availability = { enabled = true }`, `High Availability is not supported by libvirt.*high_availability\.enabled`},
		"ft":            {`fault_tolerance = true`, `Fault Tolerance is not supported by libvirt.*fault_tolerance`},
		"drs":           {`drs = { automation = "full" }`, `DRS/Load Balancing is not supported by libvirt.*drs\.automation`},
		"policy":        {`disks = { root = { size_gib = 1, policy = "gold" } }`, `Storage Policies is not supported by libvirt.*disks\["root"\]\.policy.*no storage policies`},
		"host":          {`placement = { host = "kvm-2" }`, `Host Placement is not supported by libvirt.*placement\.host`},
		"customization": {`customization = { hostname = "web" }`, `Guest Customization is not supported by libvirt.*customization`},
		"device":        {`host_devices = { gpu = { pci = "0000:65:00.0" } }`, `Host Devices is not supported by libvirt.*host_devices\["gpu"\]`},
		"template":      {`template = "debian-12-template"`, `Template Deployment is not supported by libvirt.*template`},
		"format":        {`disks = { root = { size_gib = 1, format = "vmdk" } }`, `does not take this value.*disks\["root"\]\.format.*qcow2, raw`},
		"model":         {`networks = { lan = { model = "vmxnet3" } }`, `does not take this value.*networks\["lan"\]\.model.*rtl8139`},
		"reservation":   {`cpu = { reservation_mhz = 100 }`, `Resource Reservations is not supported by libvirt.*cpu\.reservation_mhz`},
	}
	lines := map[string]string{"fine": `cpu = { cores = 2 }`}
	for name, c := range cases {
		lines[name] = c.line
	}
	m := acctest.NewMock(t)
	found := acctest.NewCLI(t, m.Config(many(lines), `imitate = "libvirt"`)).Plan()
	for name, c := range cases {
		expectOne(t, found, "virtrigaud_vm."+name, "error", c.want)
	}
	if d := found["virtrigaud_vm.fine"]; d != nil {
		t.Errorf("a VM that libvirt can run is refused: %v", d)
	}
}

// Mistakes that need no hypervisor to be seen.
func TestAccVM_invalid(t *testing.T) {
	t.Parallel()
	cases := map[string]struct{ line, want string }{
		"cores":       {`cpu = { cores = 0 }`, `cpu\.cores.*between 1 and`},
		"memory":      {`memory = { size_mib = -1 }`, `memory\.size_mib.*between 1 and`},
		"size":        {`disks = { root = { size_gib = 0 } }`, `size_gib.*between 1 and`},
		"max-cores":   {`cpu = { cores = 4, max_cores = 2 }`, `Too small.*cpu\.max_cores is 2.*cpu\.cores \(4\)`},
		"max-memory":  {`memory = { size_mib = 2048, max_mib = 1024 }`, `Too small.*memory\.max_mib`},
		"key":         {`disks = { "Root Disk" = { size_gib = 1 } }`, `lower-case`},
		"cidr":        {`networks = { lan = { ipv4 = { address = "10.0.0.5" } } }`, `IPv4 CIDR`},
		"gateway":     {`networks = { lan = { ipv4 = { address = "10.0.0.5/24", gateway = "10.0.1.1" } } }`, `10\.0\.1\.1`},
		"mac":         {`networks = { lan = { mac = "52:54:00:11:22:33:44:55" } }`, `six pairs`},
		"mac-twice":   {`networks = { a = { mac = "52:54:00:00:00:01" }, b = { mac = "52-54-00-00-00-01" } }`, `"a" has this MAC address too`},
		"no-root":     {"image = \"default/debian-12\"\n  disks = { data = { size_gib = 1 } }", `No disk for the image.*root`},
		"no-disks":    {"image = \"default/debian-12\"", `No disk for the image.*root`},
		"sources":     {"image = \"a\"\n  template = \"b\"\n  disks = { root = {} }", `More than one source`},
		"secure-boot": {"firmware = \"bios\"\n  secure_boot = true", `Secure boot needs UEFI`},
		"volume":      {`disks = { data = { volume = "x", size_gib = 1 } }`, `size_gib`},
		"power":       {`power_state = "off"`, `power_state.*"running".*"stopped"`},
		"duration":    {`shutdown = { timeout = "90" }`, `Invalid duration.*90s`},
		"wait":        {"networks = { lan = {} }\n  wait_for = { network = \"wan\" }", `No such interface.*wan`},
		"device":      {`host_devices = { gpu = { pci = "0000:65:00.0", usb = "046d:c52b" } }`, `host_devices`},
		"private-key": {`cloud_init = { ssh_authorized_keys = ["-----BEGIN OPENSSH PRIVATE KEY-----"] }`, `private key`},
		"meta-data":   {`cloud_init = { meta_data = "- a" }`, `cloud_init\.meta_data|YAML mapping`},
		"timeouts":    {`timeouts = { create = "soon" }`, `"soon" must be .*number`},
	}
	lines := map[string]string{
		"fine": "cpu = { cores = 4, max_cores = 4 }\n  firmware = \"uefi\"\n  secure_boot = true\n  cloud_init = { user_data = \"#cloud-config\\n{}\" }",
		// cloud-init itself only ignores what it cannot read.
		"yaml": `cloud_init = { user_data = "#cloud-config\nusers: [" }`,
	}
	for name, c := range cases {
		lines[name] = c.line
	}
	m := acctest.NewMock(t)
	found := acctest.NewCLI(t, m.Config(many(lines))).Validate()
	for name, c := range cases {
		expectOne(t, found, "virtrigaud_vm."+name, "error", c.want)
	}
	expectOne(t, found, "virtrigaud_vm.yaml", "warning", `cloud-init would ignore this`)
	if d := found["virtrigaud_vm.fine"]; d != nil {
		t.Errorf("a valid VM is refused: %v", d)
	}
}

// These are refused by several rules at once, or by Terraform itself, which
// then says nothing of other resources.
func TestAccVM_refusedTogether(t *testing.T) {
	t.Parallel()
	m := acctest.NewMock(t)
	for name, c := range map[string]struct{ line, want string }{
		"user data twice":  {`cloud_init = { user_data = "#!/bin/sh", user_data_wo = "#!/bin/sh", user_data_wo_version = 1 }`, `user_data_wo`},
		"version missing":  {`cloud_init = { user_data_wo = "#!/bin/sh" }`, `user_data_wo_version`},
		"unknown argument": {`memroy = { size_mib = 1 }`, `Unsupported argument.*memroy`},
		"wrong type":       {`cpu = { cores = "two" }`, `number`},
		"null in a list":   {`tags = [null]`, `null`},
	} {
		t.Run(name, func(t *testing.T) {
			found := acctest.NewCLI(t, m.Config(web(c.line))).Validate()
			var all string
			for _, ds := range found {
				all += fmt.Sprint(ds)
			}
			if !regexp.MustCompile("(?s)"+c.want).MatchString(all) || !strings.Contains(all, "error: ") {
				t.Errorf("want %s, got %s", c.want, all)
			}
		})
	}
}

// What is not known yet is not checked, and the plan holds when it is known.
func TestAccVM_unknowns(t *testing.T) {
	m := acctest.NewMock(t)
	config := func(n string) string {
		return m.Config(`
resource "terraform_data" "size" { input = ` + n + ` }
locals { n = terraform_data.size.output }
` + web(
			`image = local.n > 1 ? "default/debian-12" : "default/debian-12"`,
			`cpu = { cores = local.n }`,
			`disks = { root = { size_gib = 10 * local.n }, data = { size_gib = local.n } }`,
			`networks = { lan = { ipv4 = { address = "10.9.0.${local.n}/24" } } }`,
			`tags = ["n${local.n}"]`,
			`cloud_init = { users = [{ name = "u${local.n}" }], user_data = "#cloud-config\n# ${local.n}\n" }`,
			`reboot_triggers = { n = local.n }`))
	}
	acctest.Run(t, resource.TestCase{Steps: []resource.TestStep{
		{Config: config("1"), ConfigPlanChecks: expect(plancheck.ResourceActionCreate)},
		{Config: config("2"), ConfigPlanChecks: expect(plancheck.ResourceActionUpdate)},
	}})
}

// A provider whose configuration is not known yet plans without checks.
func TestAccVM_providerUnknown(t *testing.T) {
	m := acctest.NewMock(t)
	acctest.Run(t, resource.TestCase{Steps: []resource.TestStep{{
		Config: `
resource "terraform_data" "file" { input = "` + m.StateFile + `" }
provider "virtrigaud" {
  mock = { state_file = terraform_data.file.output }
}` + web("cpu = { cores = 2 }"),
		ConfigPlanChecks: expect(plancheck.ResourceActionCreate),
	}}})
}
