package backends

import (
	"maps"
	"slices"
)

func (d *differ) libvirt(from, to *LibvirtOptions) {
	if to == nil {
		return
	}
	if from == nil {
		from = &LibvirtOptions{}
	}
	p := Path("libvirt")
	scalar(d, p.Attr("machine"), "", FeatureLibvirtOptions, from.Machine, to.Machine)
	scalar(d, p.Attr("domain_type"), "", FeatureLibvirtOptions, from.DomainType, to.DomainType)
	scalar(d, p.Attr("loader"), "", FeatureLibvirtOptions, from.Loader, to.Loader)
	scalar(d, p.Attr("autostart"), "", FeatureLibvirtOptions, from.Autostart, to.Autostart)
}

func (d *differ) vsphere(from, to *VSphereOptions) {
	if to == nil {
		return
	}
	if from == nil {
		from = &VSphereOptions{}
	}
	p := Path("vsphere")
	size(d, p.Attr("hardware_version"), "", FeatureVSphereOptions, from.HardwareVersion, to.HardwareVersion)
	pairs(d, p.Attr("extra_config"), "", FeatureVSphereOptions, from.ExtraConfig, to.ExtraConfig)
	pairs(d, p.Attr("custom_attributes"), "", FeatureVSphereOptions, from.CustomAttributes, to.CustomAttributes)
	sequence(d, p.Attr("boot_order"), FeatureVSphereOptions, from.BootOrder, to.BootOrder)
	scalar(d, p.Attr("boot_delay_ms"), "", FeatureVSphereOptions, from.BootDelayMs, to.BootDelayMs)
	scalar(d, p.Attr("latency_sensitivity"), "", FeatureVSphereOptions, from.LatencySensitivity, to.LatencySensitivity)
	scalar(d, p.Attr("scsi_controller"), "", FeatureVSphereOptions, from.SCSIType, to.SCSIType)
}

func (d *differ) proxmox(from, to *ProxmoxOptions) {
	if to == nil {
		return
	}
	if from == nil {
		from = &ProxmoxOptions{}
	}
	p, f := Path("proxmox"), FeatureProxmoxOptions
	scalar(d, p.Attr("vm_id"), "", f, from.VMID, to.VMID)
	scalar(d, p.Attr("machine"), "", f, from.Machine, to.Machine)
	scalar(d, p.Attr("scsi_controller"), "", f, from.SCSIController, to.SCSIController)
	scalar(d, p.Attr("autostart"), "", f, from.Autostart, to.Autostart)
	sequence(d, p.Attr("boot_order"), f, from.BootOrder, to.BootOrder)
	pairs(d, p.Attr("snippets"), "", f, from.Snippets, to.Snippets)
	pairs(d, p.Attr("options"), "", f, from.Options, to.Options)
}

// sequence records that a list becomes another.
func sequence(d *differ, p Path, f Feature, from, to []string) {
	if to != nil && !slices.Equal(from, to) {
		d.add(Change{Path: p, Action: Set, Feature: f, From: from, To: to})
	}
}

// pairs records that a map becomes another, by keys: what it holds may be secret.
func pairs(d *differ, p Path, key string, f Feature, from, to map[string]string) {
	if to == nil || len(from) == 0 && len(to) == 0 || maps.Equal(from, to) {
		return
	}
	d.add(Change{Path: p, Action: Set, Key: key, Feature: f, From: sortedKeys(from), To: sortedKeys(to)})
}
