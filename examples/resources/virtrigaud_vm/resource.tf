resource "virtrigaud_image" "debian" {
  name     = "debian-13"
  url      = "https://cloud.debian.org/images/cloud/trixie/latest/debian-13-genericcloud-amd64.qcow2"
  checksum = "file:https://cloud.debian.org/images/cloud/trixie/latest/SHA512SUMS"
}

resource "virtrigaud_vm" "web" {
  name        = "web-01"
  description = "Web server"
  tags        = ["prod", "web"]
  guest_os    = "linux"
  image       = virtrigaud_image.debian.id

  cpu    = { cores = 2, max_cores = 4 }
  memory = { size_mib = 2048, max_mib = 4096 }

  # Disks and networks have names of your choice: their order never matters.
  disks = {
    root = { size_gib = 20 } # receives the image and boots
    data = { size_gib = 100, provisioning = "thin" }
  }

  networks = {
    lan = {
      network = "lan"
      ipv4    = { address = "10.0.0.5/24", gateway = "10.0.0.1" }
    }
    backup = {} # the provider's default network, by DHCP
  }

  dns = { servers = ["10.0.0.2", "10.0.0.3"], search = ["example.com"] }

  cloud_init = {
    hostname            = "web-01"
    ssh_authorized_keys = ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKaPDx4YKcBTZa0A5/+x5q0B3++rcDsvcYu0jFZE2uZl admin"]
    user_data           = <<-YAML
      #cloud-config
      packages: [nginx]
    YAML
  }

  # Wait until the guest shows an IPv4 address.
  wait_for = { ipv4 = true, timeout = "5m" }
}

output "address" {
  value = virtrigaud_vm.web.ip_address
}
