# Plan a module in CI against a hypervisor that CI cannot reach.
#
# The mock takes on the capabilities of libvirt: "terraform plan" then refuses what
# libvirt would refuse, with no host, no credentials and no state to share. It imitates vSphere and Proxmox VE too.

terraform {
  required_providers {
    virtrigaud = {
      source = "virtrigaud/virtrigaud"
    }
  }
}

provider "virtrigaud" {
  mock = {
    imitate     = "libvirt"
    sample_data = true # images and templates to refer to, such as default/debian-12
  }
}

variable "tpm" {
  type    = bool
  default = true
}

variable "reservation_mhz" {
  description = "Guaranteed processor time. libvirt has none, so a value is refused at plan."
  type        = number
  default     = null
}

resource "virtrigaud_vm" "app" {
  name     = "app-01"
  image    = "default/debian-12"
  firmware = "uefi"
  tpm      = var.tpm

  cpu    = { cores = 2, reservation_mhz = var.reservation_mhz }
  memory = { size_mib = 2048 }
  disks  = { root = { size_gib = 20 } }

  networks = { lan = {} }
}
