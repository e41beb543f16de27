# By the VM and the snapshot, each by its id or its name.
terraform import virtrigaud_snapshot.before_upgrade db-01/before-upgrade
terraform import virtrigaud_snapshot.before_upgrade 6f7c1f0e-3a6e-4a0b-9a6e-0d7c2a1b9f55/before-upgrade
