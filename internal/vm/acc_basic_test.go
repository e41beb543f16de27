package vm_test

import (
	"testing"

	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/knownvalue"
	"github.com/hashicorp/terraform-plugin-testing/plancheck"
	"github.com/hashicorp/terraform-plugin-testing/statecheck"

	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/acctest"
)

func TestAccVM_basic(t *testing.T) {
	m := acctest.NewMock(t)
	acctest.Run(t, resource.TestCase{Steps: []resource.TestStep{
		{
			Config: m.Config(`
resource "virtrigaud_vm" "web" {
  name     = "web"
  image    = "default/debian-12"
  cpu      = { cores = 2, max_cores = 4 }
  memory   = { size_mib = 2048, max_mib = 8192 }
  disks    = { root = { size_gib = 20 } }
  networks = { lan = { network = "lan" } }
  tags     = ["prod", "blue"]
}`),
			ConfigPlanChecks: expect(plancheck.ResourceActionCreate,
				plancheck.ExpectUnknownValue(address, at("id")),
				plancheck.ExpectUnknownValue(address, at("ip_address"))),
			ConfigStateChecks: []statecheck.StateCheck{
				value(knownvalue.NotNull(), "id"),
				value(knownvalue.StringExact("running"), "status"),
				value(knownvalue.StringExact("running"), "power_state"),
				value(knownvalue.NotNull(), "ip_address"),
				value(knownvalue.NotNull(), "networks", "lan", "mac"),
				value(knownvalue.NotNull(), "disks", "root", "device"),
				value(knownvalue.StringExact("mock"), "backend"),
				value(knownvalue.Bool(true), "guest", "agent_running"),
			},
		},
		{ // hot: what the change cannot alter stays known
			Config: m.Config(`
resource "virtrigaud_vm" "web" {
  name        = "web"
  image       = "default/debian-12"
  cpu         = { cores = 4, max_cores = 4 }
  memory      = { size_mib = 4096, max_mib = 8192 }
  disks       = { root = { size_gib = 30 } }
  networks    = { lan = { network = "lan" } }
  tags        = ["prod"]
  description = "front"
}`),
			ConfigPlanChecks: expect(plancheck.ResourceActionUpdate,
				plancheck.ExpectKnownValue(address, at("status"), knownvalue.StringExact("running")),
				plancheck.ExpectKnownValue(address, at("ip_address"), knownvalue.NotNull()),
				plancheck.ExpectKnownValue(address, at("networks", "lan", "mac"), knownvalue.NotNull()),
				plancheck.ExpectKnownValue(address, at("host"), knownvalue.NotNull())),
			ConfigStateChecks: []statecheck.StateCheck{
				value(knownvalue.Int64Exact(4), "cpu", "cores"),
				value(knownvalue.Int64Exact(30), "disks", "root", "size_gib"),
			},
		},
	}})
	if names := m.Names(); contains(names, "web") {
		t.Errorf("after destroy the hypervisor still has %v", names)
	}
}

// A VM of a name alone applies: everything else is the hypervisor's.
func TestAccVM_minimal(t *testing.T) {
	m := acctest.NewMock(t)
	acctest.Run(t, resource.TestCase{Steps: []resource.TestStep{
		{
			Config:           m.Config(`resource "virtrigaud_vm" "web" { name = "bare" }`),
			ConfigPlanChecks: expect(plancheck.ResourceActionCreate),
		},
		{
			Config: m.Config(`
resource "virtrigaud_vm" "web" {
  name   = "bare"
  memory = { size_mib = 1024 }
}`),
			ConfigPlanChecks: expect(plancheck.ResourceActionUpdate),
		},
	}})
}

func TestAccVM_template(t *testing.T) {
	m := acctest.NewMock(t)
	acctest.Run(t, resource.TestCase{Steps: []resource.TestStep{{
		Config: m.Config(`
resource "virtrigaud_vm" "web" {
  name     = "web"
  template = "debian-12-template"
}`),
		ConfigPlanChecks:  expect(plancheck.ResourceActionCreate),
		ConfigStateChecks: []statecheck.StateCheck{value(knownvalue.NotNull(), "disks")},
	}}})
}

// The whole of what the mock can do, in one block; then all of it changed.
func TestAccVM_everything(t *testing.T) {
	m := acctest.NewMock(t)
	acctest.Run(t, resource.TestCase{Steps: []resource.TestStep{
		{
			Config: m.Config(`
resource "virtrigaud_vm" "web" {
  name                  = "all"
  description           = "everything"
  tags                  = ["a"]
  guest_os              = "linux"
  image                 = "default/debian-12"
  firmware              = "uefi"
  secure_boot           = true
  tpm                   = true
  nested_virtualization = true
  cpu = {
    cores = 1, sockets = 2, threads = 1, max_cores = 2, model = "host-passthrough", hot_add = true
    reservation_mhz = 100, limit_mhz = 2000, shares = 1000, affinity = "0-3,8"
  }
  memory = { size_mib = 1024, max_mib = 4096, hot_add = true, reservation_mib = 512, limit_mib = 4096, shares = 10, ballooning = true }
  disks = {
    root = { size_gib = 10, storage = "fast", provisioning = "thin", format = "qcow2", bus = "virtio", cache = "none", discard = true, ssd = true, iothread = true }
    data = { size_gib = 5, provisioning = "thick", keep_on_destroy = false }
  }
  cdrom = { iso = "default/rescue.iso" }
  networks = {
    lan = { network = "vmbr0", vlan = 30, model = "virtio", mac = "52-54-00-AA-BB-01", mtu = 1400, connected = true, order = 0,
            ipv4 = { address = "10.9.0.5/24", gateway = "10.9.0.1", extra_addresses = ["10.9.0.6/24"], routes = [{ to = "10.8.0.0/16", via = "10.9.0.2" }] },
            ipv6 = { address = "2001:DB8::5/64", gateway = "2001:db8::1" } }
    dmz = { network = "dmz", order = 1 }
  }
  dns = { servers = ["10.9.0.1"], search = ["example.com"] }
  cloud_init = {
    hostname            = "all"
    user_data           = "#cloud-config\npackage_update: true\n"
    vendor_data         = "#cloud-config\n{}\n"
    meta_data           = "role: web\n"
    ssh_authorized_keys = ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHsGXxlAuZGLd4j2RDjmxsEtYxNVGvmYPcu8gNPKc8eh a"]
    datasource          = "nocloud"
    users = [{ name = "ops", groups = ["sudo"], shell = "/bin/bash", sudo = "ALL=(ALL) NOPASSWD:ALL",
               ssh_authorized_keys = ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHsGXxlAuZGLd4j2RDjmxsEtYxNVGvmYPcu8gNPKc8eh a"] }]
  }
  placement       = { host = "mock-01", resource_pool = "production", folder = "vm/web" }
  power_state     = "running"
  restart_policy  = "when_required"
  on_image_change = "ignore"
  reboot_triggers = { config = "1" }
  shutdown        = { timeout = "5s", force = true }
  wait_for        = { agent = true, ipv4 = true, cidr = "10.9.0.0/24", network = "lan", timeout = "30s" }
  timeouts        = { create = "2m", read = "1m", update = "2m", delete = "1m" }
}`),
			ConfigPlanChecks: expect(plancheck.ResourceActionCreate),
			ConfigStateChecks: []statecheck.StateCheck{
				value(knownvalue.StringExact("10.9.0.5"), "ip_address"),
				value(knownvalue.StringExact("52-54-00-AA-BB-01"), "networks", "lan", "mac"),
				value(knownvalue.StringExact("mock-01"), "host"),
			},
		},
		{
			Config: m.Config(`
resource "virtrigaud_vm" "web" {
  name                  = "all-2"
  description           = ""
  tags                  = []
  guest_os              = "other"
  image                 = "default/ubuntu-24.04"
  firmware              = "uefi"
  secure_boot           = false
  tpm                   = false
  nested_virtualization = false
  cpu = {
    cores = 2, sockets = 1, threads = 2, max_cores = 4, model = "host-model", hot_add = false
    reservation_mhz = 0, limit_mhz = 1000, shares = 500, affinity = "1"
  }
  memory = { size_mib = 2048, max_mib = 2048, hot_add = false, reservation_mib = 0, limit_mib = 2048, shares = 20, ballooning = false }
  disks = {
    root = { size_gib = 11, storage = "fast", provisioning = "thin", format = "qcow2", bus = "scsi", cache = "writeback", discard = false, ssd = false, iothread = false }
    logs = { size_gib = 6 }
  }
  networks = {
    lan = { network = "vmbr1", vlan = 31, model = "e1000", mac = "52:54:00:aa:bb:02", mtu = 1500, connected = false, order = 1,
            ipv4 = { address = "10.9.0.7/24" } }
    wan = { network = "default", order = 0 }
  }
  cloud_init     = { hostname = "all-2", user_data = "#!/bin/sh\ntrue\n" }
  placement      = { host = "mock-02", resource_pool = "test", folder = "vm/db" }
  power_state    = "stopped"
  restart_policy = "never"
}`),
			ConfigPlanChecks: expect(plancheck.ResourceActionUpdate),
			ConfigStateChecks: []statecheck.StateCheck{
				value(knownvalue.StringExact("stopped"), "status"),
				value(knownvalue.Null(), "ip_address"),
				value(knownvalue.StringExact("52:54:00:aa:bb:02"), "networks", "lan", "mac"),
				value(knownvalue.MapSizeExact(2), "disks"),
			},
		},
	}})
}
