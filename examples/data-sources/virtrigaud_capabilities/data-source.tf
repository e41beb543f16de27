data "virtrigaud_capabilities" "here" {}

locals {
  # "full", "restart", "partial", "unsupported" or "not_applicable"
  secure_boot = data.virtrigaud_capabilities.here.capabilities["secure_boot"].level
}

resource "virtrigaud_vm" "app" {
  name        = "app-01"
  firmware    = "uefi"
  secure_boot = local.secure_boot == "full"
}

output "hypervisor" {
  value = "${data.virtrigaud_capabilities.here.product} ${data.virtrigaud_capabilities.here.version}"
}

# What every hypervisor makes of one capability, connected or not.
output "resizes_disks" {
  value = { for backend, all in data.virtrigaud_capabilities.here.all_backends : backend => all["disk_resize"].level }
}
