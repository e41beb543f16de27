# The same VM on three hypervisors, from one module.

terraform {
  required_providers {
    virtrigaud = {
      source = "virtrigaud/virtrigaud"
    }
  }
}

# Where to log in, and as whom, is in the environment: VSPHERE_SERVER, VSPHERE_USER and VSPHERE_PASSWORD, PROXMOX_VE_ENDPOINT and
# PROXMOX_VE_API_TOKEN. The blocks have what a VM is given that names no storage and no network.

provider "virtrigaud" {
  alias   = "datacenter"
  vsphere = { cluster = "cluster-a", datastore = "datastore1", network = "VM Network" }
}

provider "virtrigaud" {
  alias   = "plant"
  proxmox = { storage = "local-lvm", bridge = "vmbr0" }
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

module "plant" {
  source    = "./vm"
  providers = { virtrigaud = virtrigaud.plant }
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
  value = { datacenter = module.datacenter.vm, plant = module.plant.vm, branch = module.branch.vm }
}
