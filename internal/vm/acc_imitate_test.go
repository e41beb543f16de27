package vm_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/acctest"
)

const likeVSphere = `imitate = "vsphere"`

// What vSphere cannot do is an error at plan, at its attribute.
func TestAccVM_unsupportedOnVSphere(t *testing.T) {
	t.Parallel()
	cases := map[string]struct{ line, want string }{
		"threads":    {`cpu = { threads = 2 }`, `vsphere does not take this value.*cpu\.threads is "2"`},
		"processor":  {`cpu = { model = "host-model" }`, `vsphere does not have this.*cpu\.model.*EVC`},
		"balloon":    {`memory = { ballooning = true }`, `vsphere does not have this.*memory\.ballooning`},
		"bus":        {`disks = { root = { size_gib = 1, bus = "virtio" } }`, `does not take this value.*disks\["root"\]\.bus.*scsi, sata, nvme, ide`},
		"format":     {`disks = { root = { size_gib = 1, format = "qcow2" } }`, `does not take this value.*disks\["root"\]\.format.*vmdk`},
		"cache":      {`disks = { root = { size_gib = 1, cache = "none" } }`, `does not have this.*disks\["root"\]\.cache`},
		"throughput": {`disks = { root = { size_gib = 1, throughput_mib = 5 } }`, `does not have this.*throughput_mib.*iops_limit`},
		"mtu":        {`networks = { lan = { mtu = 9000 } }`, `does not have this.*networks\["lan"\]\.mtu`},
		"bandwidth":  {`networks = { lan = { bandwidth_mbps = 9 } }`, `Network Limits is not supported by vsphere`},
		"bridge":     {`networks = { lan = { network = "bridge:br0" } }`, `Bridge Networks is not supported by vsphere`},
		"usb":        {`host_devices = { key = { usb = "046d:c52b" } }`, `does not have this.*host_devices\["key"\]\.usb`},
		"watchdog":   {`watchdog = "reset"`, `Watchdog is not supported by vsphere`},
		"console":    {`console = { type = "vnc" }`, `Console Options is not supported by vsphere`},
		"drive":      {`cloud_init = { datasource = "configdrive" }`, `does not take this value.*cloud_init\.datasource.*guestinfo, nocloud`},
		"machine":    {`libvirt = { machine = "q35" }`, `libvirt Options is not supported by vsphere`},
		"pool":       {`placement = { pool = "p" }`, `does not have this.*placement\.pool`},
	}
	lines := map[string]string{"fine": `vsphere = { hardware_version = 19 }`}
	for name, c := range cases {
		lines[name] = c.line
	}
	m := acctest.NewMock(t)
	found := workspace(t, m.Config(many(lines), likeVSphere)).Diagnostics("plan")
	for name, c := range cases {
		expectOne(t, found, "virtrigaud_vm."+name, "error", c.want)
	}
	if d := found["virtrigaud_vm.fine"]; d != nil {
		t.Errorf("a VM that vSphere can run is refused: %v", d)
	}
}

// Mistakes in what exists on vSphere only need no hypervisor to be seen.
func TestAccVM_invalidVSphere(t *testing.T) {
	t.Parallel()
	cases := map[string]struct{ line, want string }{
		"version":   {`vsphere = { hardware_version = 9 }`, `hardware_version.*between 10 and 22`},
		"ours":      {`vsphere = { extra_config = { "VirtRigaud.mark" = "x" } }`, `Reserved key`},
		"seed":      {`vsphere = { extra_config = { "guestinfo.userdata.encoding" = "x" } }`, `Reserved key.*cloud_init`},
		"boot":      {`vsphere = { boot_order = ["root", "nowhere"] }` + "\n  disks = { root = { size_gib = 1 } }\n  networks = {}", `Nothing to boot from.*"nowhere"`},
		"latency":   {`vsphere = { latency_sensitivity = "none" }`, `latency_sensitivity`},
		"slot":      {`disks = { root = { size_gib = 1, slot = "sda" } }`, `slot.*such as 1:0`},
		"two-kinds": {`host_devices = { gpu = { pci = "0000:65:00.0", vgpu = "grid_p40-2q" } }`, `vgpu`},
		"domain":    {`customization = { windows = { join_domain = "example.org" } }`, `domain_admin`},
		"secret":    {`customization = { windows = { admin_password_wo = "x" } }`, `secrets_wo_version`},
		"either":    {`customization = { windows = { workgroup = "w", join_domain = "example.org", domain_admin = "a" } }`, `join_domain`},
	}
	lines := map[string]string{"fine": `vsphere = { extra_config = { "guestinfo.role" = "web" } }`}
	for name, c := range cases {
		lines[name] = c.line
	}
	m := acctest.NewMock(t)
	found := workspace(t, m.Config(many(lines), likeVSphere)).Diagnostics("validate")
	for name, c := range cases {
		expectOne(t, found, "virtrigaud_vm."+name, "error", c.want)
	}
	if d := found["virtrigaud_vm.fine"]; d != nil {
		t.Errorf("a key of the user's own is refused: %v", d)
	}
}

// What exists on vSphere only is made, changed as the plan says, adopted by an import, and
// left alone where it is not configured.
func TestAccVM_vsphereOptions(t *testing.T) {
	t.Parallel()
	m := acctest.NewMock(t)
	config := func(options string, lines ...string) string {
		disks := `disks = { root = { size_gib = 1, slot = "0:0" }, data = { size_gib = 1, slot = "1:0" } }`
		return m.Config(web(append(lines, disks, options)...), likeVSphere)
	}
	w := workspace(t, config(`vsphere = { hardware_version = 19, extra_config = { "a.one" = "1", "a.two" = "2" }, custom_attributes = { owner = "me" }, boot_order = ["data", "root"] }`))
	w.Apply()
	w.EmptyPlan()
	for _, id := range []string{"web", string(m.VM("web").ID)} {
		w.Must("state", "rm", address)
		w.Must("import", address, id)
		w.EmptyPlan()
	}
	w.Write("main.tf", config(`vsphere = { extra_config = { "a.two" = "zwei" }, boot_order = ["root"] }`))
	if found := w.Diagnostics("plan"); len(found) > 0 {
		t.Errorf("what is changed while the VM runs: %v", found)
	}
	w.Apply()
	w.EmptyPlan()
	o := m.VM("web").Config.VSphere
	if len(o.ExtraConfig) != 1 || o.ExtraConfig["a.two"] != "zwei" || o.CustomAttributes["owner"] != "me" || *o.HardwareVersion != 19 || !slices.Equal(o.BootOrder, []string{"root"}) {
		t.Errorf("the VM has %+v", o)
	}
	w.Write("main.tf", config(`vsphere = { hardware_version = 20 }`))
	expectOne(t, w.Diagnostics("plan"), address, "warning", `This change restarts the VM.*vsphere\.hardware_version from 19 to 20`)
	w.Apply()
	w.EmptyPlan()
	w.Write("main.tf", config(`vsphere = { hardware_version = 19 }`))
	expectOne(t, w.Diagnostics("plan"), address, "error", `cannot be changed in place.*never goes back`)
	w.Write("main.tf", config(""))
	w.Apply()
	w.EmptyPlan()
	if o := m.VM("web").Config.VSphere; o == nil || *o.HardwareVersion != 20 {
		t.Errorf("what is managed no longer is %+v", o)
	}
	w.Write("main.tf", m.Config(web(`disks = { data = { size_gib = 1, slot = "1:0" } }`), likeVSphere)) // the order has named root
	w.Apply()
	w.EmptyPlan()
	if o := m.VM("web").Config.VSphere; len(o.BootOrder) != 0 {
		t.Errorf("the VM boots from %v, which it does not have", o.BootOrder)
	}
}

// On vSphere a maximum switches hot add on, and a VM that has it grows while it runs.
func TestAccVM_hotAddOnVSphere(t *testing.T) {
	t.Parallel()
	m := acctest.NewMock(t)
	config := func(cpu, memory string) string {
		return m.Config(web("cpu = { "+cpu+" }", "memory = { "+memory+" }"), likeVSphere)
	}
	w := workspace(t, config("cores = 1", "size_mib = 512, max_mib = 2048"))
	w.Apply()
	w.EmptyPlan()
	if a := w.Attributes(address); a["memory"].(map[string]any)["hot_add"] != true || a["cpu"].(map[string]any)["hot_add"] != false {
		t.Errorf("hot add of memory is %v and of processors %v, want it of memory", a["memory"], a["cpu"])
	}
	w.Write("main.tf", config("cores = 1", "size_mib = 1024, max_mib = 2048"))
	if found := w.Diagnostics("plan"); len(found) > 0 {
		t.Errorf("more memory: %v", found)
	}
	w.Apply()
	w.EmptyPlan()
	w.Write("main.tf", config("cores = 2", "size_mib = 1024"))
	expectOne(t, w.Diagnostics("plan"), address, "warning", `restarts the VM.*cpu\.cores.*started without cpu\.hot_add`)
}

// Sysprep's secrets reach the hypervisor and never state; their version has them set again.
func TestAccVM_sysprepSecrets(t *testing.T) {
	t.Parallel()
	m := acctest.NewMock(t)
	config := func(password, version string) string {
		return m.Config(web(`customization = { hostname = "win", windows = { organization = "x", join_domain = "example.org", domain_admin = "join", `+
			`admin_password_wo = "`+password+`", domain_admin_password_wo = "s3cret-d", secrets_wo_version = `+version+`, run_once = ["cmd /c one", "cmd /c two"], auto_logon_count = 1 } }`), likeVSphere)
	}
	w := workspace(t, config("s3cret-1", "1"))
	w.Apply()
	w.EmptyPlan()
	if c := m.VM("web").Config.Customization; c == nil || c.Windows == nil || len(c.Windows.RunOnce) != 2 || *c.Windows.AutoLogonCount != 1 || c.Windows.DomainAdmin != "join" {
		t.Errorf("the VM is customized with %+v", c)
	}
	w.Write("main.tf", config("s3cret-2", "1")) // only the version counts
	w.EmptyPlan()
	w.Write("main.tf", config("s3cret-2", "2"))
	expectOne(t, w.Diagnostics("plan"), address, "warning", `restarts the VM.*customiz`)
	w.Apply()
	w.EmptyPlan()
	w.Must("state", "rm", address)
	w.Must("import", address, "web")
	w.EmptyPlan()
	state, err := os.ReadFile(w.Dir + "/terraform.tfstate")
	if err != nil || strings.Contains(string(state), "s3cret") {
		t.Errorf("the state holds a secret (error %v)", err)
	}
}

// Two VMs write to one disk, where both say so.
func TestAccVM_sharedDisk(t *testing.T) {
	t.Parallel()
	m := acctest.NewMock(t)
	config := func(second string) string {
		return m.Config(`
resource "virtrigaud_disk" "quorum" {
  name     = "quorum"
  size_gib = 1
}
resource "virtrigaud_vm" "web" {
  name  = "web"
  disks = { root = { size_gib = 1 }, quorum = { volume = virtrigaud_disk.quorum.id, shared = true } }
}
resource "virtrigaud_vm" "two" {
  name       = "two"
  disks      = { root = { size_gib = 1 }, quorum = { volume = virtrigaud_disk.quorum.id` + second + ` } }
  depends_on = [virtrigaud_vm.web]
}`)
	}
	w := workspace(t, config(", shared = true"))
	w.Apply()
	w.EmptyPlan()
	one, two := m.VM("web").Config.Disks["quorum"], m.VM("two").Config.Disks["quorum"]
	if one.Volume == nil || two.Volume == nil || *one.Volume != *two.Volume || !*one.Shared || !*two.Shared {
		t.Errorf("the VMs have %+v and %+v", one, two)
	}
	w.Destroy()
}

// What shares content has its size on vSphere, which a plan says where it knows what is shared, and an apply where it does not.
func TestAccClone_linkedKeepsItsSize(t *testing.T) {
	t.Parallel()
	m := acctest.NewMock(t)
	sized := func(kind, name, root string, lines ...string) string {
		return fmt.Sprintf("resource %q %q {\n  name = %q\n  disks = { root = { %s } }\n  %s\n}\n",
			"virtrigaud_"+kind, name, name, root, strings.Join(lines, "\n  "))
	}
	linked := []string{`source_vm = "web-01"`, "linked = true"}
	w := workspace(t, m.Config(
		sized("clone", "larger", "size_gib = 21", linked...)+
			sized("vm", "deployed", "size_gib = 11", `template = "debian-12-template"`, "linked = true")+
			sized("vm", "imaged", "size_gib = 100", `image = "default/debian-12"`, "linked = true")+
			sized("clone", "equal", "size_gib = 20", linked...)+
			sized("clone", "full", "size_gib = 21", linked[0]), likeVSphere))
	found := w.Diagnostics("plan")
	expectOne(t, found, "virtrigaud_clone.larger", "error", `Larger than the disk that it shares.*21 GiB.*"web-01".*has 20 GiB.*leave linked out`)
	expectOne(t, found, "virtrigaud_vm.deployed", "error", `Larger than the disk that it shares.*11 GiB.*has 10 GiB`)
	expectOne(t, found, "virtrigaud_vm.imaged", "error", `Larger than the disk that it shares.*100 GiB.*image "default/debian-12"`)
	for _, fine := range []string{"virtrigaud_clone.equal", "virtrigaud_clone.full"} {
		if d := found[fine]; d != nil {
			t.Errorf("%s is warned of: %v", fine, d)
		}
	}

	base := sized("vm", "base", "size_gib = 3")
	ofBase := []string{"source_vm = virtrigaud_vm.base.id", "linked = true"}
	w.Write("main.tf", m.Config(base+sized("clone", "copy", "size_gib = 4", ofBase...), likeVSphere))
	w.Fails([]string{"has the size of what it shares, 3 GiB"}, "apply", "-auto-approve")
	w.Write("main.tf", m.Config(base+sized("clone", "copy", "", ofBase...), likeVSphere))
	w.Apply()
	w.EmptyPlan()
	w.Write("main.tf", m.Config(base+sized("clone", "copy", "size_gib = 4", ofBase...), likeVSphere))
	expectOne(t, w.Diagnostics("plan"), "virtrigaud_clone.copy", "error", `A disk that shares content keeps its size.*"copy" has 3 GiB`)

	// Elsewhere they grow.
	w.Write("main.tf", m.Config(base+sized("clone", "copy", "size_gib = 4", ofBase...)))
	w.Apply()
	w.EmptyPlan()
	w.Destroy()
}
