// Package portable proves that one module serves every hypervisor. It has nothing but a test: the real terraform applies
// testdata/module, changes it, adopts what it made in another workspace and destroys it, on the mock, libvirt, vSphere
// and Proxmox VE. From one to the next only the provider block changes, and the names of networks and storage.
package portable
