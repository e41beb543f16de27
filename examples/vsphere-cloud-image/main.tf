# An Ubuntu VM from a cloud image on vSphere: a static address, a data disk on another datastore, in a folder, with tags.
#
# To try it without a vCenter, start the simulated one in a clone of the provider's repository. It has what is named
# here, and pretends the guest:
#
#   make vcsim
#
# It prints a provider block. In another terminal put the first four lines of its vsphere object into the environment,
# as VSPHERE_SERVER, VSPHERE_USER, VSPHERE_PASSWORD and VSPHERE_THUMBPRINT.

terraform {
  required_providers {
    virtrigaud = {
      source = "virtrigaud/virtrigaud"
    }
  }
}

variable "ssh_public_key" {
  description = "Key that may log in as the image's default user."
  type        = string
}

variable "address" {
  description = "Static address with its prefix length, or null for DHCP."
  type        = object({ address = string, gateway = string })
  default     = { address = "10.0.0.5/24", gateway = "10.0.0.1" }
}

variable "folder" {
  description = "Folder of the VM, which must exist."
  type        = string
  default     = "prod/web"
}

# Server, user and password are in the environment. What is here holds for VMs and disks that do not say.
provider "virtrigaud" {
  vsphere = {
    datacenter = "DC0"
    cluster    = "cluster-a"
    datastore  = "datastore1"
    network    = "VM Network"
  }
}

# It is converted while it is transferred, and kept as a template. Ubuntu's images have open-vm-tools, by which
# cloud-init reads what vSphere tells it and vSphere knows the address.
resource "virtrigaud_image" "ubuntu" {
  name     = "ubuntu-24.04"
  url      = "https://cloud-images.ubuntu.com/noble/current/noble-server-cloudimg-amd64.img"
  checksum = "file:https://cloud-images.ubuntu.com/noble/current/SHA256SUMS"
}

resource "virtrigaud_vm" "web" {
  name     = "web-01"
  image    = virtrigaud_image.ubuntu.id
  guest_os = "linux"
  tags     = ["environment:production", "team:blue"] # CATEGORY:NAME; what does not exist is made

  # More of both can be added while the VM runs.
  cpu    = { cores = 2, hot_add = true }
  memory = { size_mib = 2048, hot_add = true }

  disks = {
    root = { size_gib = 20 }
    data = { size_gib = 100, storage = "fast", provisioning = "thin" }
  }

  networks = { lan = { ipv4 = var.address } }
  dns      = { servers = ["10.0.0.2"], search = ["example.com"] }

  cloud_init = {
    ssh_authorized_keys = [var.ssh_public_key]
    user_data           = <<-YAML
      #cloud-config
      packages: [nginx]
    YAML
  }

  placement = { folder = var.folder }
  wait_for  = { ipv4 = true }
}

output "ssh" {
  value = "ssh ubuntu@${virtrigaud_vm.web.ip_address}"
}

output "disks" {
  value = { for name, disk in virtrigaud_vm.web.disks : name => disk.path }
}
