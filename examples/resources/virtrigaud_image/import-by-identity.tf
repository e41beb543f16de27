import {
  to = virtrigaud_image.debian
  identity = {
    id      = "default/debian-13"
    backend = "libvirt" # optional
  }
}
