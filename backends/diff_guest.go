package backends

import (
	"reflect"
	"slices"
)

// guest compares what the guest is told and what lies in its drive.
func (d *differ) guest(from, to *VMSpec) {
	if to.CDROM != nil && (from.CDROM == nil || *from.CDROM != *to.CDROM) {
		c := Change{Path: "cdrom.iso", Action: Set, Feature: FeatureCDROM, To: to.CDROM.ISO}
		if from.CDROM != nil {
			c.From = from.CDROM.ISO
		}
		if to.CDROM.ISO == "" {
			c.Feature = ""
		}
		if from.CDROM != nil || to.CDROM.ISO != "" {
			d.add(c)
		}
	}
	if to.DNS != nil && (from.DNS == nil ||
		!slices.Equal(from.DNS.Servers, to.DNS.Servers) || !slices.Equal(from.DNS.Search, to.DNS.Search)) {
		d.add(Change{Path: "dns", Action: Set, From: whole(from.DNS), To: *to.DNS})
	}
	if to.CloudInit != nil {
		d.cloudInit(from.CloudInit, to.CloudInit)
	}
	if to.Customization != nil && !sameCustomization(from.Customization, to.Customization) {
		// Its fields hold secrets, so the change does not carry them.
		d.add(Change{Path: "customization", Action: Set, Feature: FeatureGuestCustomization})
		if to.Customization.Windows != nil { // not every hypervisor can
			d.add(Change{Path: "customization.windows", Action: Set, Feature: FeatureGuestCustomization, To: true})
		}
	}
}

// sameCustomization compares what a guest is told. Secrets that have a version are
// known by that only.
func sameCustomization(from, to *Customization) bool {
	if from == nil || from.Windows == nil || to.Windows == nil {
		return reflect.DeepEqual(from, to)
	}
	f, t := *from, *to
	fw, tw := *from.Windows, *to.Windows
	if tw.PasswordVersion != nil {
		fw.AdminPassword, tw.AdminPassword = "", ""
		fw.DomainPassword, tw.DomainPassword = "", ""
		fw.ProductKey, tw.ProductKey = "", ""
	}
	if !slices.Equal(fw.RunOnce, tw.RunOnce) {
		return false
	}
	fw.RunOnce, tw.RunOnce = nil, nil
	f.Windows, t.Windows = &fw, &tw
	return reflect.DeepEqual(f, t)
}

// cloudInit compares seeds. User data and the like may be long or secret, so
// changes of them carry no values.
func (d *differ) cloudInit(from, to *CloudInit) {
	if from == nil {
		from = &CloudInit{}
		d.add(Change{Path: "cloud_init", Action: Add, Feature: FeatureCloudInit})
		if reflect.DeepEqual(from, to) {
			return
		}
	}
	p := Path("cloud_init")
	scalar(d, p.Attr("hostname"), "", FeatureCloudInit, from.Hostname, to.Hostname)
	scalar(d, p.Attr("instance_id"), "", FeatureCloudInit, from.InstanceID, to.InstanceID)
	scalar(d, p.Attr("datasource"), "", FeatureCloudInit, from.Datasource, to.Datasource)
	scalar(d, p.Attr("user_data_wo_version"), "", FeatureCloudInit, from.UserDataVersion, to.UserDataVersion)
	silent := func(name string, from, to *string) {
		if to != nil && (from == nil || *from != *to) {
			d.add(Change{Path: p.Attr(name), Action: Set, Feature: FeatureCloudInit})
		}
	}
	if to.UserDataVersion == nil {
		silent("user_data", from.UserData, to.UserData)
	}
	silent("vendor_data", from.VendorData, to.VendorData)
	silent("meta_data", from.MetaData, to.MetaData)
	silent("network_config", from.NetworkConfig, to.NetworkConfig)
	if to.Users != nil && !reflect.DeepEqual(from.Users, to.Users) {
		d.add(Change{Path: p.Attr("users"), Action: Set, Feature: FeatureCloudInit})
	}
	if to.SSHKeys != nil && !slices.Equal(from.SSHKeys, to.SSHKeys) {
		d.add(Change{Path: p.Attr("ssh_authorized_keys"), Action: Set, Feature: FeatureCloudInit})
	}
}

func (d *differ) placement(from, to *VMSpec) {
	f, t := from.Placement, to.Placement
	place := func(name string, at, moved Feature, from, to *string) {
		if from != nil {
			at = moved
		}
		scalar(d, Path("placement").Attr(name), "", at, from, to)
	}
	place("host", FeatureHostPlacement, FeatureMigration, f.Host, t.Host)
	place("cluster", FeatureHostPlacement, FeatureMigration, f.Cluster, t.Cluster)
	place("resource_pool", FeatureResourcePools, FeatureResourcePools, f.ResourcePool, t.ResourcePool)
	place("folder", FeatureFolders, FeatureFolders, f.Folder, t.Folder)
	place("storage", FeatureStoragePools, FeatureStoragePools, f.Storage, t.Storage)
	place("pool", FeatureResourcePools, FeatureResourcePools, f.Pool, t.Pool)
}

func (d *differ) availability(from, to *VMSpec) {
	if to.HighAvailability != nil {
		f, t := from.HighAvailability, to.HighAvailability
		if f == nil {
			f = &HighAvailability{}
		}
		p := Path("high_availability")
		scalar(d, p.Attr("enabled"), "", FeatureHighAvailability, f.Enabled, t.Enabled)
		scalar(d, p.Attr("group"), "", FeatureHighAvailability, f.Group, t.Group)
		scalar(d, p.Attr("priority"), "", FeatureHighAvailability, f.Priority, t.Priority)
		scalar(d, p.Attr("max_restart"), "", FeatureHighAvailability, f.MaxRestart, t.MaxRestart)
	}
	scalar(d, "fault_tolerance", "", FeatureFaultTolerance, from.FaultTolerance, to.FaultTolerance)
	scalar(d, "drs.automation", "", FeatureDRS, from.DRSAutomation, to.DRSAutomation)
}

func (d *differ) hostDevices(from, to map[string]HostDevice) {
	if to == nil {
		return
	}
	p := Path("host_devices")
	for _, key := range sortedKeys(from) {
		if now, kept := to[key]; !kept || now != from[key] {
			d.add(Change{Path: p.Key(key), Action: Remove, Key: key, From: from[key]})
		}
	}
	for _, key := range sortedKeys(to) {
		if had, ok := from[key]; !ok || had != to[key] {
			d.add(Change{Path: p.Key(key), Action: Add, Feature: FeatureHostDevices, Key: key, To: to[key]})
			for name, value := range map[string]string{"mapping": to[key].Mapping, "usb": to[key].USB, "vgpu": to[key].VGPU} {
				if value != "" { // not every hypervisor has all kinds
					d.require(Change{Path: p.Key(key).Attr(name), Feature: FeatureHostDevices, Key: key, To: value})
				}
			}
		}
	}
}

// console compares consoles; a password is known by its version only.
func (d *differ) console(from, to *ConsoleSpec) {
	if to == nil {
		return
	}
	if from == nil {
		from = &ConsoleSpec{}
	}
	p := Path("console")
	kind := FeatureConsoleOptions
	if to.Type != nil && *to.Type == "none" {
		kind = ""
	}
	scalar(d, p.Attr("type"), "", kind, from.Type, to.Type)
	scalar(d, p.Attr("address"), "", FeatureConsoleOptions, from.Address, to.Address)
	limit(d, p.Attr("port"), "", FeatureConsoleOptions, from.Port, to.Port)
	scalar(d, p.Attr("tls"), "", FeatureConsoleOptions, from.TLS, to.TLS)
	scalar(d, p.Attr("password_wo_version"), "", FeatureConsoleOptions, from.PasswordVersion, to.PasswordVersion)
}

func whole(d *DNS) any {
	if d == nil {
		return nil
	}
	return *d
}
