# All VMs of production that run, whoever made them.
data "virtrigaud_vms" "prod" {
  tags        = ["prod"]
  power_state = "running"
}

# Templates whose names begin with "debian".
data "virtrigaud_vms" "templates" {
  name_regex = "^debian"
  template   = true
}

output "prod" {
  value = { for vm in data.virtrigaud_vms.prod.vms : vm.name => vm.host }
}

output "templates" {
  value = data.virtrigaud_vms.templates.vms[*].name
}
