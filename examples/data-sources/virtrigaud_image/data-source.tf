# An image that somebody else brought to the hypervisor.
data "virtrigaud_image" "debian" {
  name    = "debian-12"
  storage = "default"
}

resource "virtrigaud_vm" "web" {
  name  = "web"
  image = data.virtrigaud_image.debian.id
  disks = { root = { size_gib = 10 } }
}
