resource "virtrigaud_disk" "pgdata" {
  name     = "pgdata"
  size_gib = 100 # grows in place, also while the VM runs
  # protected = true  # refuses its deletion and replacement, at plan
}

# The VM attaches the disk and does not own it: whatever becomes of the VM,
# the disk and its content stay, and the next VM gets them.
resource "virtrigaud_vm" "postgres" {
  name = "postgres-17"
  disks = {
    root = { size_gib = 20 }
    data = { volume = virtrigaud_disk.pgdata.id }
  }
}
