# By its id: storage and name on libvirt and on the mock.
terraform import virtrigaud_disk.pgdata default/pgdata
