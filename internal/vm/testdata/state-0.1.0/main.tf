terraform {
  required_providers {
    virtrigaud = { source = "virtrigaud/virtrigaud" }
  }
}

provider "virtrigaud" {
  mock = {
    state_file  = "mock.json"
    sample_data = true
  }
}

resource "virtrigaud_vm" "small" {
  name = "small"
}

resource "virtrigaud_vm" "large" {
  name        = "large"
  description = "everything that a mock has"
  tags        = ["b", "a"]
  guest_os    = "linux"
  image       = "default/debian-12"
  firmware    = "uefi"
  secure_boot = true
  tpm         = true
  cpu         = { cores = 2, max_cores = 4 }
  memory      = { size_mib = 1024, max_mib = 2048 }
  disks = {
    root = { size_gib = 10, storage = "fast" }
    data = { size_gib = 5, keep_on_destroy = true }
  }
  cdrom = { iso = "default/rescue.iso" }
  networks = {
    lan = { network = "vmbr0", vlan = 30, mac = "52:54:00:AA:BB:01", ipv4 = { address = "10.50.0.5/16", gateway = "10.50.0.1" } }
    dmz = { network = "dmz" }
  }
  dns        = { servers = ["10.50.0.1"], search = ["example.com"] }
  cloud_init = { hostname = "large", user_data = "#cloud-config\n{}\n", users = [{ name = "ops", groups = ["sudo"] }] }
  placement  = { resource_pool = "production", folder = "vm/web" }

  power_state     = "running"
  reboot_triggers = { config = "1" }
  shutdown        = { timeout = "5s" }
  wait_for        = {}
  timeouts        = { create = "2m" }
}
