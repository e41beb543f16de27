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
	pairs(d, p.Attr("extra_config"), from.ExtraConfig, to.ExtraConfig)
	pairs(d, p.Attr("custom_attributes"), from.CustomAttributes, to.CustomAttributes)
	if to.BootOrder != nil && !slices.Equal(from.BootOrder, to.BootOrder) {
		d.add(Change{Path: p.Attr("boot_order"), Action: Set, Feature: FeatureVSphereOptions, From: from.BootOrder, To: to.BootOrder})
	}
	scalar(d, p.Attr("boot_delay_ms"), "", FeatureVSphereOptions, from.BootDelayMs, to.BootDelayMs)
	scalar(d, p.Attr("latency_sensitivity"), "", FeatureVSphereOptions, from.LatencySensitivity, to.LatencySensitivity)
	scalar(d, p.Attr("scsi_controller"), "", FeatureVSphereOptions, from.SCSIType, to.SCSIType)
}

// pairs records that a map becomes another, by keys: what it holds may be secret.
func pairs(d *differ, p Path, from, to map[string]string) {
	if to == nil || len(from) == 0 && len(to) == 0 || maps.Equal(from, to) {
		return
	}
	d.add(Change{Path: p, Action: Set, Feature: FeatureVSphereOptions, From: sortedKeys(from), To: sortedKeys(to)})
}
