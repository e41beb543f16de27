# A cloud image, checked against the list that its vendor publishes.
resource "virtrigaud_image" "debian" {
  name     = "debian-13"
  url      = "https://cloud.debian.org/images/cloud/trixie/latest/debian-13-genericcloud-amd64.qcow2"
  checksum = "file:https://cloud.debian.org/images/cloud/trixie/latest/SHA512SUMS"
}

# An image that was built on the machine that runs Terraform. When the file's
# content changes, the image is replaced.
resource "virtrigaud_image" "appliance" {
  name       = "appliance"
  local_path = "${path.module}/appliance.qcow2"
}

# An ISO for a CD drive.
resource "virtrigaud_image" "rescue" {
  name = "rescue.iso"
  kind = "iso"
  url  = "https://images.example.com/rescue.iso"

  timeouts = {
    create = "90m"
  }
}

# A VMware disk: the hypervisor stores it in a format that it runs VMs from.
resource "virtrigaud_image" "converted" {
  name          = "legacy"
  local_path    = "${path.module}/legacy.vmdk"
  target_format = "qcow2"
}

# A virtual appliance becomes a template, with the hardware that it asks for.
resource "virtrigaud_image" "gateway" {
  name = "gateway-2.4"
  url  = "https://images.example.com/gateway-2.4.ova"
}

resource "virtrigaud_vm" "gateway" {
  name     = "gateway"
  template = virtrigaud_image.gateway.id
  memory   = { size_mib = 2048 }
}

# A template from a VM that was prepared, as it is now.
resource "virtrigaud_vm" "golden" {
  name        = "golden"
  image       = virtrigaud_image.debian.id
  disks       = { root = { size_gib = 10 } }
  power_state = "stopped"
}

resource "virtrigaud_image" "golden" {
  name  = "golden-1"
  vm_id = virtrigaud_vm.golden.id
  kind  = "template"
}
