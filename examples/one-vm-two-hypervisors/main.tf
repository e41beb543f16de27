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
  vsphere = { cluster = "cluster-a" } # server, user and password from VSPHERE_SERVER, VSPHERE_USER and VSPHERE_PASSWORD
}

provider "virtrigaud" {
  alias   = "branch"
  libvirt = { uri = "qemu+ssh://admin@kvm-01.example.com/system" }
}

locals {
  ubuntu = {
    name = "ubuntu-24.04"
    url  = "https://cloud-images.ubuntu.com/noble/current/noble-server-cloudimg-amd64.img"
  }
}

module "datacenter" {
  source    = "./vm"
  providers = { virtrigaud = virtrigaud.datacenter }
  name      = "web-01"
  image     = local.ubuntu
}

module "branch" {
  source    = "./vm"
  providers = { virtrigaud = virtrigaud.branch }
  name      = "web-01"
  image     = local.ubuntu
}

output "vms" {
  value = { datacenter = module.datacenter.vm, branch = module.branch.vm }
}
