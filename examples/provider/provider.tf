terraform {
  required_providers {
    virtrigaud = {
      source = "virtrigaud/virtrigaud"
    }
  }
}

# A libvirt daemon. Without a uri it is the one of this machine.
provider "virtrigaud" {
  libvirt = {
    uri          = "qemu+ssh://admin@kvm-01.example.com/system"
    storage_pool = "default"
    network      = "default"
  }
}

# The embedded mock hypervisor: nothing to install, nothing to reach.
provider "virtrigaud" {
  alias = "mock"

  mock = {
    sample_data = true
  }
}
