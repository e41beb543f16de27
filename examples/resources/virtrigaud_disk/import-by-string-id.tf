import {
  to = virtrigaud_disk.pgdata
  id = "default/pgdata"
}
