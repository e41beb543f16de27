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
