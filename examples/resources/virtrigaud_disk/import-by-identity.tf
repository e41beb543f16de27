import {
  to = virtrigaud_disk.pgdata
  identity = {
    id      = "default/pgdata"
    backend = "libvirt" # optional
  }
}
