# Two web servers from one image, on the mock hypervisor: nothing but this folder is needed.
# The same resources apply on libvirt, vSphere and Proxmox VE with another provider block.

terraform {
  required_providers {
    virtrigaud = {
      source = "virtrigaud/virtrigaud"
    }
  }
}

variable "state_file" {
  description = "Where the mock hypervisor remembers its machines between two runs."
  type        = string
  default     = "mock.json"
}

provider "virtrigaud" {
  mock = {
    state_file = var.state_file
  }
}

resource "virtrigaud_image" "debian" {
  name       = "debian-12"
  local_path = "${path.module}/disk.raw"
  format     = "raw"
}

resource "virtrigaud_vm" "web" {
  for_each = {
    web-1 = 2048
    web-2 = 4096
  }

  name     = each.key
  guest_os = "linux"
  image    = virtrigaud_image.debian.id

  cpu    = { cores = 2 }
  memory = { size_mib = each.value }

  disks = {
    root = { size_gib = 10 }
    data = { size_gib = 20 }
  }

  networks = {
    lan = {}
  }

  cloud_init = {
    hostname = each.key
  }

  power_state = "running"
  wait_for    = {}
}

output "addresses" {
  description = "The first address of each VM."
  value       = { for name, vm in virtrigaud_vm.web : name => vm.ip_address }
}
