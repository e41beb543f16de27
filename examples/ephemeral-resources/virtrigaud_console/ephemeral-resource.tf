resource "virtrigaud_vm" "web" {
  name        = "web-01"
  disks       = { root = { size_gib = 20 } }
  power_state = "running"
}

# Made anew for each run, and stored nowhere.
ephemeral "virtrigaud_console" "web" {
  vm_id    = virtrigaud_vm.web.id
  required = false # so that a VM which does not run can be planned, and destroyed
}

# Hands the console to whoever is to use it: here as a file for virt-viewer.
resource "terraform_data" "viewer" {
  triggers_replace = virtrigaud_vm.web.id

  provisioner "local-exec" {
    command = <<-SH
      umask 077
      printf '[virt-viewer]\ntype=%s\nhost=%s\nport=%s\npassword=%s\ndelete-this-file=1\n' \
        "$TYPE" "$HOST" "$PORT" "$PASSWORD" > console.vv
    SH
    environment = {
      TYPE     = ephemeral.virtrigaud_console.web.type
      HOST     = ephemeral.virtrigaud_console.web.host
      PORT     = ephemeral.virtrigaud_console.web.port
      PASSWORD = ephemeral.virtrigaud_console.web.password == null ? "" : ephemeral.virtrigaud_console.web.password
    }
  }
}
