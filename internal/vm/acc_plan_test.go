package vm_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/plancheck"

	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/acctest"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/tfrun"
)

// many is one VM per line, each of the line's name.
func many(lines map[string]string) string {
	var b strings.Builder
	for name, line := range lines {
		fmt.Fprintf(&b, "resource \"virtrigaud_vm\" %q {\n  name = %q\n  %s\n}\n", name, name, line)
	}
	return b.String()
}

// What a hypervisor cannot do is an error at plan, and the message names the
// attribute.
func TestAccVM_unsupported(t *testing.T) {
	t.Parallel()
	cases := map[string]struct{ line, want string }{
		"ha":          {`high_availability = { enabled = true }`, `High Availability is not supported by libvirt.*high_availability\.enabled`},
		"ft":          {`fault_tolerance = true`, `Fault Tolerance is not supported by libvirt.*fault_tolerance`},
		"drs":         {`drs = { automation = "full" }`, `DRS/Load Balancing is not supported by libvirt.*drs\.automation`},
		"policy":      {`disks = { root = { size_gib = 1, policy = "gold" } }`, `Storage Policies is not supported by libvirt.*disks\["root"\]\.policy.*no storage policies`},
		"host":        {`placement = { host = "kvm-2" }`, `Host Placement is not supported by libvirt.*placement\.host`},
		"sysprep":     {`customization = { windows = { organization = "x" } }`, `libvirt does not have this.*customization\.windows.*sysprep`},
		"device":      {`host_devices = { gpu = { pci = "0000:65:00.0" } }`, `Host Devices is not supported by libvirt.*host_devices\["gpu"\]`},
		"format":      {`disks = { root = { size_gib = 1, format = "vmdk" } }`, `does not take this value.*disks\["root"\]\.format.*qcow2, raw`},
		"model":       {`networks = { lan = { model = "vmxnet3" } }`, `does not take this value.*networks\["lan"\]\.model.*rtl8139`},
		"reservation": {`cpu = { reservation_mhz = 100 }`, `libvirt does not have this.*cpu\.reservation_mhz.*cpu\.shares`},
	}
	lines := map[string]string{"fine": `cpu = { cores = 2 }`}
	for name, c := range cases {
		lines[name] = c.line
	}
	m := acctest.NewMock(t)
	found := workspace(t, m.Config(many(lines), `imitate = "libvirt"`)).Diagnostics("plan")
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
		"negative":    {`disks = { root = { size_gib = -5 } }`, `size_gib.*between 1 and`},
		"vlan":        {`networks = { lan = { vlan = 4095 } }`, `vlan.*between 0 and 4094`},
		"max-cores":   {`cpu = { cores = 4, max_cores = 2 }`, `Too small.*cpu\.max_cores is 2.*cpu\.cores \(4\)`},
		"max-memory":  {`memory = { size_mib = 2048, max_mib = 1024 }`, `Too small.*memory\.max_mib`},
		"key":         {`disks = { "Root Disk" = { size_gib = 1 } }`, `lower-case`},
		"cidr":        {`networks = { lan = { ipv4 = { address = "10.0.0.5" } } }`, `IPv4 CIDR`},
		"gateway":     {`networks = { lan = { ipv4 = { address = "10.0.0.5/24", gateway = "10.0.1.1" } } }`, `10\.0\.1\.1`},
		"mac":         {`networks = { lan = { mac = "52:54:00:11:22:33:44:55" } }`, `six pairs`},
		"mac-twice":   {`networks = { a = { mac = "52:54:00:00:00:01" }, b = { mac = "52-54-00-00-00-01" } }`, `"a" has this MAC address too`},
		"no-root":     {"image = \"default/debian-12\"\n  disks = { data = { size_gib = 1 } }", `No disk for the image.*root`},
		"no-disks":    {"image = \"default/debian-12\"", `No disk for the image.*root`},
		"one-volume":  {"disks = { a = { volume = \"default/pg\" }, b = { volume = \"default/pg\" } }", `One disk in two places`},
		"sources":     {"image = \"a\"\n  template = \"b\"\n  disks = { root = {} }", `More than one source`},
		"secure-boot": {"firmware = \"bios\"\n  secure_boot = true", `Secure boot needs UEFI`},
		"volume":      {`disks = { data = { volume = "x", size_gib = 1 } }`, `size_gib`},
		"power":       {`power_state = "off"`, `power_state.*"running".*"stopped"`},
		"duration":    {`shutdown = { timeout = "90" }`, `Invalid duration.*90s`},
		"wait":        {"networks = { lan = {} }\n  wait_for = { network = \"wan\" }", `No such interface.*wan`},
		"device":      {`host_devices = { gpu = { pci = "0000:65:00.0", usb = "046d:c52b" } }`, `host_devices`},
		"private-key": {`cloud_init = { ssh_authorized_keys = ["-----BEGIN OPENSSH PRIVATE KEY-----"] }`, `private key`},
		"meta-data":   {`cloud_init = { meta_data = "- a" }`, `cloud_init\.meta_data|YAML mapping`},
		"null-tag":    {`tags = [null]`, `contains a null value`},
		"null-key":    {`cloud_init = { users = [{ name = "a", ssh_authorized_keys = [null] }] }`, `contains a null value`},
		"null-user":   {`cloud_init = { users = [null] }`, `contains a null value`},
		"null-server": {`dns = { servers = [null] }`, `contains a null value`},
		"null-route":  {`networks = { lan = { ipv4 = { address = "10.0.0.5/24", routes = [null] } } }`, `contains a null value`},
		"null-reboot": {`reboot_triggers = { a = null }`, `contains a null value`},
		"null-disk":   {`disks = { root = null }`, `[Nn]ull`},
		"vnc-port":    {`console = { type = "vnc", port = 80 }`, `No port for VNC.*console\.port is 80.*5900`},
		"vnc-secret":  {`console = { type = "vnc", password_wo = "nine char", password_wo_version = 1 }`, `Too long for VNC.*8 characters`},
		"no-secret":   {`console = { type = "vnc", password_wo = "", password_wo_version = 1 }`, `password_wo.*at least 1`},
		"serial-at":   {`console = { type = "serial", address = "127.0.0.1" }`, `type "serial" has no address`},
		"serial-key":  {`console = { type = "serial", password_wo = "x", password_wo_version = 1 }`, `type "serial" has no password_wo`},
		"none-port":   {`console = { type = "none", port = 5901 }`, `type "none" has no port`},
		"none-tls":    {`console = { type = "none", tls = true }`, `type "none" has no tls`},
		"timeouts":    {`timeouts = { create = "soon" }`, `"soon" must be .*number`},
	}
	lines := map[string]string{
		"any-screen": `console = { port = 80, password_wo = "nine char", password_wo_version = 1 }`,
		"vnc":        `console = { type = "vnc", port = 5900, password_wo = "8 chars.", password_wo_version = 1 }`,
		"serial":     `console = { type = "serial", port = 0, tls = false }`,
		"fine":       "cpu = { cores = 4, max_cores = 4 }\n  firmware = \"uefi\"\n  secure_boot = true\n  cloud_init = { user_data = \"#cloud-config\\n{}\" }",
		// cloud-init itself only ignores what it cannot read.
		"yaml": `cloud_init = { user_data = "#cloud-config\nusers: [" }`,
	}
	for name, c := range cases {
		lines[name] = c.line
	}
	m := acctest.NewMock(t)
	found := workspace(t, m.Config(many(lines))).Diagnostics("validate")
	for name, c := range cases {
		expectOne(t, found, "virtrigaud_vm."+name, "error", c.want)
	}
	expectOne(t, found, "virtrigaud_vm.yaml", "warning", `cloud-init would ignore this`)
	for _, name := range []string{"any-screen", "vnc", "serial", "fine"} {
		if d := found["virtrigaud_vm."+name]; d != nil {
			t.Errorf("the valid VM %q is refused: %v", name, d)
		}
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
	} {
		t.Run(name, func(t *testing.T) {
			found := workspace(t, m.Config(web(c.line))).Diagnostics("validate")
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

// A change shows what it changes and nothing else: no value that stays as it is
// is "known after apply".
func TestAccVM_quietPlans(t *testing.T) {
	t.Parallel()
	m := acctest.NewMock(t)
	config := func(more ...string) string {
		return m.Config(web(append(more, `disks = { root = { size_gib = 10 }, data = { size_gib = 5 } }`)...))
	}
	w := workspace(t, config(`networks = { lan = {} }`, `cloud_init = { hostname = "web" }`))
	w.Apply()
	for name, test := range map[string]struct {
		lines   []string
		unknown []string // attributes below which something is
	}{
		"description": {[]string{`networks = { lan = {} }`, `description = "x"`}, nil},
		"tags":        {[]string{`networks = { lan = {} }`, `tags = ["x"]`}, nil},
		"cloud-init":  {[]string{`networks = { lan = {} }`, `cloud_init = { hostname = "shop" }`}, nil},
		"local":       {[]string{`networks = { lan = {} }`, `protected = true`, `wait_for = {}`, `timeouts = { create = "1h" }`}, nil},
		"interface":   {[]string{`networks = { lan = {}, dmz = { network = "dmz" } }`}, []string{"ip_address", "ip_addresses", "networks.dmz"}},
		"stop":        {[]string{`networks = { lan = {} }`, `power_state = "stopped"`}, []string{"guest", "host", "ip_address", "ip_addresses", "networks.lan", "status"}},
	} {
		w.Write("main.tf", config(test.lines...))
		w.Must("plan", "-out=tfplan")
		if got := unknownIn(t, w); !slices.Equal(got, test.unknown) {
			t.Errorf("%s: known after apply are %v, want %v", name, got, test.unknown)
		}
	}
}

// unknownIn lists the attributes that a saved plan of one VM does not know; of
// networks and disks those of each key.
func unknownIn(t *testing.T, w *tfrun.Workspace) []string {
	t.Helper()
	var plan struct {
		Changes []struct {
			Change struct {
				Unknown map[string]any `json:"after_unknown"`
			}
		} `json:"resource_changes"`
	}
	if err := json.Unmarshal([]byte(w.Must("show", "-json", "tfplan")), &plan); err != nil {
		t.Fatal(err)
	}
	var all []string
	for name, v := range plan.Changes[0].Change.Unknown {
		keyed, ok := v.(map[string]any)
		if !ok || name != "networks" && name != "disks" {
			if anyTrue(v) {
				all = append(all, name)
			}
			continue
		}
		for key, v := range keyed {
			if anyTrue(v) {
				all = append(all, name+"."+key)
			}
		}
	}
	slices.Sort(all)
	return all
}

func anyTrue(v any) bool {
	switch v := v.(type) {
	case bool:
		return v
	case map[string]any:
		return slices.ContainsFunc(slices.Collect(maps.Values(v)), anyTrue)
	case []any:
		return slices.ContainsFunc(v, anyTrue)
	}
	return false
}
