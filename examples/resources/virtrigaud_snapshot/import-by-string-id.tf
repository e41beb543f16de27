import {
  to = virtrigaud_snapshot.before_upgrade
  id = "db-01/before-upgrade"
}
