variable "image" {
  description = "Path of the disk that the guest boots from."
  type        = string
}

variable "networks" {
  description = "What the hypervisor calls the two networks."
  type        = object({ lan = string, backup = string })
}

variable "storage" {
  description = "What the hypervisor calls the storage of the disks."
  type        = string
}

variable "later" {
  description = "Whether the estate is to be as it is after the change."
  type        = bool
  default     = false
}
