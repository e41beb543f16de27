data "virtrigaud_storages" "all" {}

output "capacity_gib" {
  value = { for s in data.virtrigaud_storages.all.storages : s.name => floor(s.capacity_bytes / pow(1024, 3)) if s.active }
}

# A plan that fails early where there is no room.
data "virtrigaud_storages" "default" {
  name = "default"

  lifecycle {
    postcondition {
      condition     = alltrue([for s in self.storages : s.free_bytes > 50 * pow(1024, 3)])
      error_message = "Less than 50 GiB are free."
    }
  }
}
