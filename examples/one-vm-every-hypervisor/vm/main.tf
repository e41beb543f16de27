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
  full = { for id, c in data.virtrigaud_capabilities.here.capabilities : id => c.level == "full" }
}

resource "virtrigaud_image" "this" {
  name     = var.image.name
  url      = var.image.url
  checksum = var.image.checksum
}

resource "virtrigaud_vm" "this" {
  name  = var.name
  image = virtrigaud_image.this.id

  cpu = { cores = 2 }
  # A quarter of it is guaranteed where the hypervisor can guarantee a part.
  memory = { size_mib = 2048, reservation_mib = local.full["resource_reservations"] ? 512 : null }
  disks  = { root = { size_gib = 20 } }

  networks = { lan = {} }

  # VMware's agent is in the image. That of QEMU, which libvirt and Proxmox VE ask, stays idle on vSphere.
  cloud_init = {
    user_data = <<-YAML
      #cloud-config
      packages: [qemu-guest-agent]
    YAML
  }
  wait_for = {}
}

output "vm" {
  value = {
    backend = virtrigaud_vm.this.backend
    address = virtrigaud_vm.this.ip_address
  }
}
