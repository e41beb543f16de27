# By its id: storage and name on libvirt and on the mock.
terraform import virtrigaud_disk.pgdata default/pgdata

# On vSphere the datastore path of its file.
terraform import virtrigaud_disk.pgdata '[datastore1] virtrigaud/pgdata.vmdk'
