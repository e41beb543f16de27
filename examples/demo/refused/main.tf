# The mock can stand in for another hypervisor: a module is checked against what libvirt can do without a
# libvirt host. Fault tolerance is not among it, so the plan is refused.

terraform {
  required_providers {
    virtrigaud = {
      source = "virtrigaud/virtrigaud"
    }
  }
}

provider "virtrigaud" {
  mock = {
    imitate = "libvirt"
  }
}

resource "virtrigaud_vm" "mirrored" {
  name            = "mirrored"
  cpu             = { cores = 2 }
  memory          = { size_mib = 2048 }
  fault_tolerance = true

  disks = {
    root = { size_gib = 10 }
  }
}
