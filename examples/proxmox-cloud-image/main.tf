# A Debian VM from a cloud image on Proxmox VE: a static address on a VLAN, a data disk without backups, started with its node.
#
# To try it without a Proxmox VE, start the simulated one in a clone of the provider's repository. It has what is named
# here, and pretends the guest:
#
#   make pvesim
#
# It prints a provider block. In another terminal put its endpoint, token and fingerprint into the environment, as
# PROXMOX_VE_ENDPOINT, PROXMOX_VE_API_TOKEN and PROXMOX_VE_FINGERPRINT.

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
  description = "Static address with its prefix length and gateway, or null for DHCP."
  type        = object({ address = string, gateway = string })
  default     = { address = "10.0.0.5/24", gateway = "10.0.0.1" }
}

variable "bridge" {
  description = "Bridge that is VLAN aware."
  type        = string
  default     = "vmbr2"
}

# Endpoint and token are in the environment. What is here holds for VMs and disks that do not say.
provider "virtrigaud" {
  proxmox = {
    storage       = "local-lvm"
    image_storage = "local"
    bridge        = "vmbr0"
    vm_id_range   = "1000-1999"
  }
}

# The node fetches it by itself, where the token may let it, and makes a template of it. On the way the file lies on a storage with the
# content "Import": switch that on at Datacenter > Storage.
resource "virtrigaud_image" "debian" {
  name     = "debian-12"
  url      = "https://cloud.debian.org/images/cloud/bookworm/latest/debian-12-genericcloud-amd64.qcow2"
  checksum = "file:https://cloud.debian.org/images/cloud/bookworm/latest/SHA512SUMS"
}

resource "virtrigaud_vm" "web" {
  name     = "web-01"
  image    = virtrigaud_image.debian.id
  guest_os = "linux"
  tags     = ["production", "web"]

  # Two more processors can be added while the VM runs.
  cpu    = { cores = 2, max_cores = 4, model = "x86-64-v2-AES" }
  memory = { size_mib = 2048 }

  disks = {
    root = { size_gib = 20, discard = true, ssd = true }
    data = { size_gib = 100, options = { backup = "0" } }
  }

  networks = { lan = { network = var.bridge, vlan = 30, ipv4 = var.address, options = { firewall = "1" } } }
  dns      = { servers = ["10.0.0.2"], search = ["example.com"] }

  # More than Proxmox VE's own cloud-init drive can say: it comes on a small ISO of its own.
  cloud_init = {
    ssh_authorized_keys = [var.ssh_public_key]
    user_data           = <<-YAML
      #cloud-config
      packages: [nginx, qemu-guest-agent]
    YAML
  }

  proxmox  = { autostart = true, options = { startup = "order=3,up=60" } }
  wait_for = { ipv4 = true }
}

output "ssh" {
  value = "ssh debian@${virtrigaud_vm.web.ip_address}"
}

output "disks" {
  value = { for name, disk in virtrigaud_vm.web.disks : name => disk.path }
}
