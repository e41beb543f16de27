resource "virtrigaud_vm" "golden" {
  name        = "golden"
  cpu         = { cores = 2, max_cores = 4 }
  memory      = { size_mib = 2048, max_mib = 4096 }
  disks       = { root = { size_gib = 20 }, cache = { size_gib = 10 } }
  networks    = { lan = { network = "default" } }
  cloud_init  = { ssh_authorized_keys = ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKaPDx4YKcBTZa0A5/+x5q0B3++rcDsvcYu0jFZE2uZl admin"] }
  power_state = "stopped"
}

# Everything of the source, with a name, MAC addresses and disks of its own.
resource "virtrigaud_clone" "web" {
  name        = "web-01"
  source_vm   = virtrigaud_vm.golden.id
  power_state = "running"
}

# Linked clones are made at once and take only the space that they write. What is
# set is theirs: more memory, a larger root disk, no cache.
resource "virtrigaud_clone" "worker" {
  count       = 3
  name        = "worker-${count.index + 1}"
  source_vm   = virtrigaud_vm.golden.id
  linked      = true
  memory      = { size_mib = 4096 }
  disks       = { root = { size_gib = 30 } }
  power_state = "running"
}

# As the VM was when the snapshot was taken.
resource "virtrigaud_snapshot" "release" {
  vm_id = virtrigaud_vm.golden.id
  name  = "release-1"
}

resource "virtrigaud_clone" "staging" {
  name            = "staging"
  source_snapshot = virtrigaud_snapshot.release.id
  power_state     = "running"
}

output "workers" {
  value = virtrigaud_clone.worker[*].ip_address
}
