output "addresses" {
  value = [virtrigaud_vm.web.ip_address, virtrigaud_clone.copy.ip_address]
}

output "backend" {
  value = virtrigaud_vm.web.backend
}

# What somebody would name to adopt each of them elsewhere.
output "ids" {
  value = {
    "virtrigaud_image.guest"   = virtrigaud_image.guest.id
    "virtrigaud_disk.data"     = virtrigaud_disk.data.id
    "virtrigaud_vm.web"        = virtrigaud_vm.web.id
    "virtrigaud_clone.copy"    = virtrigaud_clone.copy.id
    "virtrigaud_snapshot.made" = virtrigaud_snapshot.made.id
  }
}
