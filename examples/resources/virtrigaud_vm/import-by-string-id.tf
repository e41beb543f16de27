import {
  to = virtrigaud_vm.web
  id = "web-01" # or the VM's id
}
