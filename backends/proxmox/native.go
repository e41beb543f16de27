package proxmox

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/proxmox/vmconf"
)

// nativeKeys are what Proxmox VE's own cloud-init drive is made of, beside ipconfigN and cicustom.
var nativeKeys = []string{"ciuser", "cipassword", "sshkeys", "nameserver", "searchdomain", "ciupgrade", "citype"}

// datasources are the values of citype, by the seam's names.
var datasources = map[string]string{"nocloud": "nocloud", "configdrive": "configdrive2"}

// hiddenPassword is how Proxmox VE tells back a password.
const hiddenPassword = "**********"

// nativeSeed returns what has Proxmox VE make the cloud-init drive that spec asks for, nics being the slots of its
// networks; why says, as a clause, what of that its drive cannot express, and is "" where it can.
func nativeSeed(spec *backends.VMSpec, nics map[string]string) (params vmconf.Config, why string) {
	params = vmconf.Config{"ciupgrade": "0"}
	if why := nativeAccounts(spec, params); why != "" {
		return nil, why
	}
	if spec.Customization != nil {
		return nil, "customization"
	}
	for _, key := range slices.Sorted(maps.Keys(nics)) {
		slot, ok := vmconf.ParseSlot(nics[key], "net")
		if !ok {
			continue
		}
		nic := spec.Networks[key]
		for name, c := range map[string]*backends.IPConfig{"ipv4": nic.IPv4, "ipv6": nic.IPv6} {
			if c != nil && (len(c.Routes) > 0 || len(c.Extra) > 0 || c.Address == "") {
				return nil, fmt.Sprintf("networks[%q].%s has more than an address and a gateway", key, name)
			}
		}
		ip := vmconf.IPConfig{IP: "dhcp"}
		if c := nic.IPv4; c != nil {
			ip.IP, ip.Gateway = c.Address, c.Gateway
		}
		if c := nic.IPv6; c != nil {
			ip.IP6, ip.Gateway6 = c.Address, c.Gateway
		}
		params[vmconf.Slot{Kind: "ipconfig", Index: slot.Index}.String()] = ip.String()
	}
	if dns := spec.DNS; dns != nil {
		params["nameserver"], params["searchdomain"] = strings.Join(dns.Servers, " "), strings.Join(dns.Search, " ")
	}
	maps.DeleteFunc(params, func(_, text string) bool { return text == "" })
	return params, ""
}

// nativeAccounts fills in what cloud_init asks for.
func nativeAccounts(spec *backends.VMSpec, params vmconf.Config) (why string) {
	ci := spec.CloudInit
	if ci == nil {
		return ""
	}
	for name, text := range map[string]*string{
		"user_data": ci.UserData, "vendor_data": ci.VendorData, "meta_data": ci.MetaData,
		"network_config": ci.NetworkConfig, "instance_id": ci.InstanceID,
	} {
		if text != nil {
			return "cloud_init." + name
		}
	}
	switch {
	case ci.UserDataVersion != nil:
		return "cloud_init.user_data_wo"
	case ci.Hostname != nil && *ci.Hostname != spec.Name:
		return "a cloud_init.hostname that is not the VM's name"
	case len(ci.Users) > 0:
		// Its user takes the place of the image's own, with sudo and all that one may; users here are made beside it.
		return "cloud_init.users"
	}
	params["sshkeys"] = vmconf.EncodeSSHKeys(ci.SSHKeys)
	if ci.Datasource != nil {
		params["citype"] = datasources[*ci.Datasource]
	}
	return ""
}

// nativeOf is what a configuration has of the parameters of the native drive.
func nativeOf(c vmconf.Config) vmconf.Config {
	params := vmconf.Config{}
	for _, key := range append(c.Numbered("ipconfig"), nativeKeys...) {
		if text, ok := c[key]; ok && strings.TrimSpace(text) != "" {
			params[key] = text
		}
	}
	return params
}

// sameNative reports whether a configuration has what was written. Passwords are not told back.
func sameNative(c, params vmconf.Config) bool {
	have, want := nativeOf(c), params.Clone()
	if (have["cipassword"] != "") != (want["cipassword"] != "") {
		return false
	}
	delete(have, "cipassword")
	delete(want, "cipassword")
	if strings.Join(vmconf.DecodeSSHKeys(have["sshkeys"]), "\n") != strings.Join(vmconf.DecodeSSHKeys(want["sshkeys"]), "\n") {
		return false
	}
	delete(have, "sshkeys")
	delete(want, "sshkeys")
	return maps.Equal(have, want)
}

// cloudInitDrive is the key of Proxmox VE's own drive, or "".
func (h *hardware) cloudInitDrive() string {
	for _, slot := range h.Config.Drives() {
		if h.Config.Drive(slot).IsCloudInit() {
			return slot
		}
	}
	return ""
}

// observeNative reads back what the native drive is made of.
func (h *hardware) observeNative(o *observation) {
	c, s := h.Config, &o.Spec
	if h.cloudInitDrive() == "" {
		return
	}
	s.CloudInit = &backends.CloudInit{}
	keys := vmconf.DecodeSSHKeys(c["sshkeys"])
	if len(keys) == 0 {
		keys = nil
	}
	if user := c["ciuser"]; user != "" {
		s.CloudInit.Users = []backends.CloudUser{{Name: user, SSHKeys: keys}}
	} else {
		s.CloudInit.SSHKeys = keys
	}
	for name, own := range datasources {
		if c["citype"] == own {
			s.CloudInit.Datasource = new(name)
		}
	}
	servers, search := vmconf.ParseWords(c["nameserver"]), vmconf.ParseWords(c["searchdomain"])
	if len(servers)+len(search) > 0 {
		s.DNS = &backends.DNS{Servers: servers, Search: search}
	}
	for key, slot := range o.NICs {
		nic := s.Networks[key]
		ip := vmconf.ParseIPConfig(c["ipconfig"+strings.TrimPrefix(slot, "net")])
		if strings.Contains(ip.IP, "/") {
			nic.IPv4 = &backends.IPConfig{Address: ip.IP, Gateway: ip.Gateway}
		}
		if strings.Contains(ip.IP6, "/") {
			nic.IPv6 = &backends.IPConfig{Address: ip.IP6, Gateway: ip.Gateway6}
		}
		s.Networks[key] = nic
	}
}
