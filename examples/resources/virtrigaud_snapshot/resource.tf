resource "virtrigaud_vm" "db" {
  name   = "db-01"
  memory = { size_mib = 2048 }
  disks  = { root = { size_gib = 20 } }
}

# With its memory: a revert leaves the guest running where it was.
resource "virtrigaud_snapshot" "before_upgrade" {
  vm_id       = virtrigaud_vm.db.id
  name        = "before-upgrade"
  description = "Before the upgrade to version 17"
  memory      = true
}

# Each build begins with a clean machine: another number reverts it.
resource "virtrigaud_vm" "ci" {
  name  = "ci-01"
  disks = { root = { size_gib = 20 } }
}

resource "virtrigaud_snapshot" "clean" {
  vm_id              = virtrigaud_vm.ci.id
  name               = "clean"
  revert_triggers    = { build = "1" }
  revert_power_state = "running"
}
