import {
  to = virtrigaud_clone.web
  identity = {
    id      = "6f7c1f0e-3a6e-4a0b-9a6e-0d7c2a1b9f55"
    backend = "libvirt" # optional
  }
}
