# By the VM's id: a UUID on libvirt, a managed object id such as vm-42 on vSphere.
terraform import virtrigaud_vm.web 6f7c1f0e-3a6e-4a0b-9a6e-0d7c2a1b9f55

# By its name, where only one VM has it; "name=" in front where the name looks like an id.
terraform import virtrigaud_vm.web web-01
terraform import virtrigaud_vm.web name=web-01
