# A small estate that says what there is, and not where: it is applied unchanged on every hypervisor.

terraform {
  required_providers {
    virtrigaud = {
      source = "virtrigaud/virtrigaud"
    }
  }
}

resource "virtrigaud_image" "guest" {
  name       = "portable-guest"
  local_path = var.image
}

# It outlives the VMs that have it.
resource "virtrigaud_disk" "data" {
  name     = "portable-data"
  size_gib = var.later ? 2 : 1
  storage  = var.storage
}

resource "virtrigaud_vm" "web" {
  name        = "portable-web"
  description = var.later ? "Web server,\nsince the change" : "Web server"
  tags        = var.later ? ["portable", "web", "changed"] : ["portable", "web"]
  image       = virtrigaud_image.guest.id

  cpu    = { cores = 1, shares = var.later ? 2000 : 1000 }
  memory = { size_mib = 256 }

  disks = merge({
    root = { size_gib = 1 }
    data = { volume = virtrigaud_disk.data.id }
    }, var.later ? {
    logs = { size_gib = 1, storage = var.storage }
  } : {})

  networks = {
    lan = {
      network = var.networks.lan
      ipv4    = { address = "10.150.0.21/24", gateway = "10.150.0.1" }
    }
    backup = { network = var.networks.backup }
  }
  dns = { servers = ["10.150.0.2"], search = ["example.test"] }

  cloud_init = {
    hostname            = "web"
    ssh_authorized_keys = ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKaPDx4YKcBTZa0A5/+x5q0B3++rcDsvcYu0jFZE2uZl admin"]
    user_data           = <<-YAML
      #cloud-config
      write_files:
        - path: /etc/made-by
          content: virtrigaud
      YAML
  }

  power_state = "running"
  wait_for    = { ipv4 = true, network = "lan", timeout = "3m" }
  shutdown    = { timeout = "0s" }
}

# A copy of it that goes its own way, without the data.
resource "virtrigaud_clone" "copy" {
  name        = "portable-copy"
  source_vm   = virtrigaud_vm.web.id
  description = var.later ? "The other copy" : "A copy"
  disks       = { root = { size_gib = 1 } }
  networks = {
    lan = {
      network = var.networks.lan
      ipv4    = { address = "10.150.0.22/24", gateway = "10.150.0.1" }
    }
  }
  cloud_init  = { hostname = "copy" }
  power_state = "running"
  wait_for    = { ipv4 = true, timeout = "3m" }
  shutdown    = { timeout = "0s" }
}

# Taken while it runs, of a VM whose disks are all its own: not every hypervisor can leave out others.
resource "virtrigaud_snapshot" "made" {
  vm_id       = virtrigaud_clone.copy.id
  name        = "as-made"
  description = "As it was made"
}
