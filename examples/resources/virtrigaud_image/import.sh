# By its id: storage and name on libvirt and on the mock.
terraform import virtrigaud_image.debian default/debian-13

# On vSphere a disk image is a template, and an ISO is a file.
terraform import virtrigaud_image.debian vm-42
terraform import virtrigaud_image.rescue '[datastore1] virtrigaud/rescue.iso'

# An appliance or a template has the id of a VM.
terraform import virtrigaud_image.gateway 6f7c1f0e-3a6e-4a0b-9a6e-0d7c2a1b9f55
