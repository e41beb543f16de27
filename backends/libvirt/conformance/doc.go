// Package conformance holds the libvirt driver to the conformance suite, on a real
// libvirtd with real QEMU guests. It has nothing but that test, which takes as long as all
// others of the driver together and so runs beside them.
package conformance
