# A Debian VM from a cloud image on a libvirt host, reachable by SSH when apply ends.
#
# To try it without a host, put the mock in place of libvirt with an override file:
#
#   cat > mock_override.tf <<'TF'
#   provider "virtrigaud" {
#     libvirt = null
#     mock    = { state_file = "mock.json" }
#   }
#   TF

terraform {
  required_providers {
    virtrigaud = {
      source = "virtrigaud/virtrigaud"
    }
  }
}

variable "uri" {
  description = "Where libvirt answers, such as qemu+ssh://admin@kvm-01.example.com/system."
  type        = string
  default     = "qemu:///system"
}

variable "ssh_public_key" {
  description = "Key that may log in as the image's default user."
  type        = string
}

variable "address" {
  description = "Static address with its prefix length, or null for DHCP."
  type        = object({ address = string, gateway = string })
  default     = null
}

provider "virtrigaud" {
  libvirt = {
    uri = var.uri
  }
}

resource "virtrigaud_image" "debian" {
  name     = "debian-13"
  url      = "https://cloud.debian.org/images/cloud/trixie/latest/debian-13-genericcloud-amd64.qcow2"
  checksum = "file:https://cloud.debian.org/images/cloud/trixie/latest/SHA512SUMS"
}

resource "virtrigaud_vm" "web" {
  name  = "web-01"
  image = virtrigaud_image.debian.id

  cpu      = { cores = 2 }
  memory   = { size_mib = 2048 }
  disks    = { root = { size_gib = 20 } }
  networks = { lan = { ipv4 = var.address } }

  cloud_init = {
    ssh_authorized_keys = [var.ssh_public_key]
    user_data           = <<-YAML
      #cloud-config
      packages: [qemu-guest-agent]
      runcmd:
        - systemctl start qemu-guest-agent
    YAML
  }

  wait_for = {}
}

output "ssh" {
  value = "ssh debian@${virtrigaud_vm.web.ip_address}"
}
