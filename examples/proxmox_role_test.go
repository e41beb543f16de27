package examples

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/acctest"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/pvesim"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/tfrun"
)

// role is what the guide of Proxmox VE gives the role of Terraform.
var role = regexp.MustCompile(`pveum role add Terraform --privs "([^"]+)"`)

// agents are the privileges that the guide adds, by version, for what guests' agents are asked.
var agents = map[int][]string{8: {"VM.Monitor"}, 9: {"VM.GuestAgent.Audit"}}

// everything is an estate that needs each privilege of the role: after a change it is reverted, moved and grown too.
func everything(server string, later bool) string {
	host, size, cores, revert := "pve1", 1, 1, 0
	if later {
		host, size, cores, revert = "pve2", 2, 2, 1
	}
	return fmt.Sprintf(`
resource "virtrigaud_image" "disk" {
  name = "disk"
  url  = "%[1]s/disk.raw"
}

resource "virtrigaud_image" "iso" {
  name = "rescue.iso"
  kind = "iso"
  url  = "%[1]s/rescue.iso"
}

resource "virtrigaud_disk" "data" {
  name     = "data"
  size_gib = %[3]d
}

resource "virtrigaud_vm" "golden" {
  name        = "golden"
  image       = virtrigaud_image.disk.id
  disks       = { root = { size_gib = 1 } }
  networks    = { lan = {} }
  power_state = "stopped"
}

resource "virtrigaud_image" "golden" {
  name  = "golden-1"
  kind  = "template"
  vm_id = virtrigaud_vm.golden.id
}

resource "virtrigaud_clone" "linked" {
  name      = "linked"
  source_vm = virtrigaud_image.golden.id
  linked    = true
  shutdown  = { timeout = "0s" }
}

resource "virtrigaud_snapshot" "linked" {
  vm_id           = virtrigaud_clone.linked.id
  name            = "before"
  revert_triggers = { n = %[5]d }
}

resource "virtrigaud_vm" "web" {
  name       = "web"
  image      = virtrigaud_image.disk.id
  tags       = ["production"]
  firmware   = "uefi"
  tpm        = true
  cpu        = { cores = %[4]d, max_cores = 4 }
  disks      = { root = { size_gib = %[3]d } }
  networks   = { lan = { network = "vmbr2", vlan = 30, ipv4 = { address = "10.0.0.5/24" } } }
  cdrom      = { iso = virtrigaud_image.iso.id }
  cloud_init = { user_data = "#cloud-config\n" }
  placement  = { host = %[2]q }
  proxmox    = { autostart = true }
  wait_for   = { agent = true, ipv4 = true }
  shutdown   = { timeout = "0s" }
}

resource "virtrigaud_vm" "data" {
  name     = "data"
  disks    = { data = { volume = virtrigaud_disk.data.id } }
  networks = {}
  shutdown = { timeout = "0s" }
}

data "virtrigaud_hosts" "all" {}
data "virtrigaud_networks" "all" {}
data "virtrigaud_storages" "all" {}

output "hosts" { value = length(data.virtrigaud_hosts.all.hosts) }
`, server, host, size, cores, revert)
}

// A token with the privileges of the guide's role, and no other, is enough.
func TestAccProxmox_role(t *testing.T) {
	text, err := os.ReadFile("../templates/guides/proxmox.md")
	if err != nil {
		t.Fatal(err)
	}
	found := role.FindSubmatch(text)
	if found == nil {
		t.Fatal("the guide has no role")
	}
	server := images(t)
	for version, more := range agents {
		t.Run(fmt.Sprint(version), func(t *testing.T) {
			t.Parallel()
			for _, p := range more {
				if !strings.Contains(string(text), "`"+p+"`") {
					t.Errorf("the guide does not name %s", p)
				}
			}
			p := acctest.NewProxmox(t, pvesim.Options{Version: version, Nodes: []string{"pve1", "pve2"}})
			p.AddUser("terraform@pve", "not used")
			p.Grant("terraform@pve", "/", append(strings.Fields(string(found[1])), more...)...)
			p.Login = fmt.Sprintf("api_token = %q", p.AddToken("terraform@pve", "tf", false))
			w := tfrun.New(t)
			config := func(later bool) string {
				return requirements + p.Config(everything(server, later), `storage = "shared"`, `image_storage = "shared"`, `bridge = "vmbr0"`)
			}
			w.Write("main.tf", config(false))
			w.Apply()
			w.EmptyPlan()
			w.Write("main.tf", config(true))
			w.Apply()
			w.EmptyPlan()
			w.Destroy()
			p.AssertEmpty()
		})
	}
}
