package pvesim

import (
	"crypto/rand"
	"encoding/base64"
	"regexp"
	"strings"
)

// options are the keys that a configuration may have, but for the numbered ones and the drives.
var vmOptions = func() map[string]bool {
	all := map[string]bool{}
	for key := range strings.FieldsSeq(`affinity agent amd-sev arch args audio0 bios boot bootdisk cicustom cipassword citype ciuser
		cpu cpulimit description efidisk0 hookscript hotplug hugepages ivshmem keyboard lock machine memory meta
		migrate_downtime name nameserver ostype parent rng0 runningcpu runningmachine scsihw searchdomain smbios1
		snapstate snaptime spice_enhancements sshkeys startdate startup tags tpmstate0 vga vmgenid vmstate vmstatestorage watchdog`) {
		all[key] = true
	}
	for key := range numericKeys {
		all[key] = true
	}
	delete(all, "allow-ksm") // Proxmox VE 9
	return all
}()

// familyLimits are the numbered keys with how many there are of each.
var familyLimits = map[string]int{"net": 32, "ipconfig": 32, "unused": 256, "hostpci": 16, "usb": 14, "serial": 4, "parallel": 3, "numa": 8, "virtiofs": 10}

// isOption reports whether there is such a key.
func (c *cluster) isOption(key string) bool {
	if vmOptions[key] || isDrive(key) {
		return true
	}
	if c.opts.Version == 9 && (key == "intel-tdx" || key == "allow-ksm" || key == "running-nets-host-mtu") {
		return true
	}
	name, i := splitNumber(key)
	limit, ok := familyLimits[name]
	return ok && name != key && i < limit
}

var cryptedSyntax = regexp.MustCompile(`^\$(?:[156]|2[ay])(\$.+){2}`)

// crypted is a password as the configuration keeps it: not to be read.
func crypted(password string) string {
	if cryptedSyntax.MatchString(password) {
		return password
	}
	var b [40]byte
	rand.Read(b[:])
	noise := strings.NewReplacer("+", ".", "-", "/").Replace(base64.RawStdEncoding.EncodeToString(b[:]))
	return "$5$" + noise[:8] + "$" + noise[8:51]
}

// hotplugFeatures are what can be changed while a VM runs.
func (s section) hotplugFeatures() map[string]bool {
	value, ok := s["hotplug"]
	if !ok || value == "1" {
		value = "network,disk,usb"
	}
	features := map[string]bool{}
	for _, name := range splitList(value) {
		features[name] = true
	}
	return features
}
