data "virtrigaud_hosts" "all" {}

output "processors" {
  value = sum(data.virtrigaud_hosts.all.hosts[*].cpus)
}

output "memory_gib" {
  value = { for h in data.virtrigaud_hosts.all.hosts : h.name => floor(h.memory_mib / 1024) if h.online }
}
