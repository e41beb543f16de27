data "virtrigaud_networks" "all" {}

locals {
  networks = { for n in data.virtrigaud_networks.all.networks : n.name => n }
}

resource "virtrigaud_vm" "router" {
  name = "router"
  networks = {
    # One interface in each network that is up.
    for name, n in local.networks : replace(lower(name), "/[^a-z0-9]+/", "-") => { network = name } if n.active
  }
}

output "kinds" {
  value = { for name, n in local.networks : name => n.kind }
}
