// Package bench measures the provider against the least that the same work can
// cost. It has nothing but benchmarks: terraform plan over many VMs, the calls
// that a refresh makes to libvirt, and the upload and conversion of images. "make bench" runs
// them; each prints ratios or counts beside the raw figures.
package bench
