terraform {
  required_providers {
    virtrigaud = {
      source = "virtrigaud/virtrigaud"
    }
  }
}

# A libvirt daemon. Without a uri it is the one of this machine.
provider "virtrigaud" {
  libvirt = {
    uri          = "qemu+ssh://admin@kvm-01.example.com/system"
    storage_pool = "default"
    network      = "default"
  }
}

# A vCenter, or a stand-alone ESXi host. The password is in VSPHERE_PASSWORD; the rest can be in the environment too.
provider "virtrigaud" {
  alias = "vsphere"

  vsphere = {
    endpoint = "vcenter.example.com"
    username = "terraform@vsphere.local"

    # For VMs, disks and interfaces that do not say. Where there is only one, it need not be named.
    datacenter = "dc-1"
    cluster    = "cluster-a"
    datastore  = "datastore1"
    network    = "VM Network"
    folder     = "terraform"
  }
}

# The embedded mock hypervisor: nothing to install, nothing to reach.
provider "virtrigaud" {
  alias = "mock"

  mock = {
    sample_data = true
  }
}
