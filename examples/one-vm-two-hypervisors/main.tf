# The same VM on two hypervisors, from one module.

terraform {
  required_providers {
    virtrigaud = {
      source = "virtrigaud/virtrigaud"
    }
  }
}

provider "virtrigaud" {
  alias   = "datacenter"
  libvirt = { uri = "qemu+ssh://admin@kvm-01.example.com/system" }
}

provider "virtrigaud" {
  alias = "laptop"
  mock  = { state_file = "laptop.json" }
}

locals {
  debian = {
    name = "debian-13"
    url  = "https://cloud.debian.org/images/cloud/trixie/latest/debian-13-genericcloud-amd64.qcow2"
  }
}

module "datacenter" {
  source    = "./vm"
  providers = { virtrigaud = virtrigaud.datacenter }
  name      = "web-01"
  image     = local.debian
}

module "laptop" {
  source    = "./vm"
  providers = { virtrigaud = virtrigaud.laptop }
  name      = "web-01"
  image     = local.debian
}

output "vms" {
  value = { datacenter = module.datacenter.vm, laptop = module.laptop.vm }
}
