data "virtrigaud_vm" "db" {
  name = "db-01"
}

output "database" {
  value = data.virtrigaud_vm.db.ip_address
}
