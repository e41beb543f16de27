# By its id: storage and name on libvirt and on the mock.
terraform import virtrigaud_image.debian default/debian-13
