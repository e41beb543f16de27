// Package cloudinit makes what cloud-init finds at a guest's first boot: user-data,
// meta-data, vendor-data and network-config, and the NoCloud volume that carries them.
//
// It is pure: the same input gives the same bytes, and nothing is read from outside.
// A seed also carries what was asked for (Inputs), so that an import can tell it back.
//
// Seeds hold secrets (password hashes and whatever the user data holds). Nothing of
// them appears in errors or problems.
package cloudinit
