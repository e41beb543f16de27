# One module for all hypervisors: it says what the VM is, not where.

terraform {
  required_providers {
    virtrigaud = {
      source = "virtrigaud/virtrigaud"
    }
  }
}

variable "name" {
  type = string
}

variable "image" {
  type = object({ name = string, url = string, checksum = optional(string) })
}

data "virtrigaud_capabilities" "here" {}

locals {
  can = { for id, c in data.virtrigaud_capabilities.here.capabilities : id => contains(["full", "partial", "restart"], c.level) }
}

resource "virtrigaud_image" "this" {
  name     = var.image.name
  url      = var.image.url
  checksum = var.image.checksum
}

resource "virtrigaud_vm" "this" {
  name  = var.name
  image = virtrigaud_image.this.id

  # Guaranteed where the hypervisor can guarantee it.
  cpu    = { cores = 2, reservation_mhz = local.can["resource_reservations"] ? 1000 : null }
  memory = { size_mib = 2048 }
  disks  = { root = { size_gib = 20 } }

  networks = { lan = {} }
  wait_for = {}
}

output "vm" {
  value = {
    backend = virtrigaud_vm.this.backend
    address = virtrigaud_vm.this.ip_address
  }
}
