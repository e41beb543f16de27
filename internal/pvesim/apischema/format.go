package apischema

import (
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// complaint is an error in Proxmox VE's words, which end with a line feed.
func complaint(format string, args ...any) error {
	return errors.New(fmt.Sprintf(format, args...) + "\n")
}

// format checks a text against a named format, a list of one, or a property string. Formats that are not known
// accept everything.
func (t *Table) format(name, value, path string) error {
	if parts := t.parts(name); parts != nil {
		_, err := t.parse(name, parts, value, path)
		return err
	}
	base, list := strings.CutSuffix(name, "-list")
	base, opt := strings.CutSuffix(base, "-opt")
	valid := validators[base]
	if base == "pve-priv" {
		valid = t.privilege
	}
	switch {
	case valid == nil:
		return nil
	case list:
		for _, v := range splitList(value) {
			if err := valid(v); err != nil {
				return err
			}
		}
		return nil
	case opt && !truth(value):
		return nil
	}
	return valid(value)
}

var listSeparator = regexp.MustCompile(`[,;\s\x00]+`)

// splitList takes a list apart as Proxmox VE does: by commas, semicolons, blanks and NULs.
func splitList(value string) []string {
	parts := listSeparator.Split(strings.TrimSpace(value), -1)
	return slices.DeleteFunc(parts, func(s string) bool { return s == "" })
}

// matching is a validator by a regular expression; every %s of the words is the value.
func matching(pattern, words string) func(string) error {
	re := regexp.MustCompile(`^(?:` + pattern + `)$`)
	return func(s string) error {
		if re.MatchString(s) {
			return nil
		}
		return complaint("%s", strings.ReplaceAll(words, "%s", s))
	}
}

// all are validators one after the other.
func all(checks ...func(string) error) func(string) error {
	return func(s string) error {
		for _, valid := range checks {
			if err := valid(s); err != nil {
				return err
			}
		}
		return nil
	}
}

func atMost(n int, words string) func(string) error {
	return func(s string) error {
		if len(s) <= n {
			return nil
		}
		return complaint("%s", strings.ReplaceAll(words, "%s", s))
	}
}

// that is a validator by a predicate.
func that(valid func(string) bool, words string) func(string) error {
	return func(s string) error {
		if valid(s) {
			return nil
		}
		return complaint("%s", strings.ReplaceAll(words, "%s", s))
	}
}

const (
	dnsName   = `(?:[a-zA-Z0-9](?:[a-zA-Z0-9\-]*[a-zA-Z0-9])?\.)*[A-Za-z0-9](?:[A-Za-z0-9\-]*[A-Za-z0-9])?`
	sdnID     = `[a-zA-Z][a-zA-Z0-9]*[a-zA-Z0-9]`
	groupNode = `[a-zA-Z0-9](?:[a-zA-Z0-9\-]*[a-zA-Z0-9])?(?::\d+)?`
	email     = `[\w+\-~]+(?:\.[\w+\-~]+)*@(?:[a-zA-Z0-9](?:[a-zA-Z0-9\-]*[a-zA-Z0-9])?\.)*[A-Za-z0-9](?:[A-Za-z0-9\-]*[A-Za-z0-9])?`
	user      = `[^\s:/]+`
	realm     = `[A-Za-z][A-Za-z0-9.\-_]+`
)

var (
	validStorage = matching(`(?i)[a-z][a-z0-9\-_.]*[a-z0-9]`, "storage ID '%s' contains illegal characters")
	validBridge  = matching(`[-_.\w]+`, "invalid bridge ID '%s'")
)

// validators are the named formats that are neither lists nor property strings.
var validators = map[string]func(string) error{
	"pve-node":     matching(`[a-zA-Z0-9](?:[a-zA-Z0-9\-]*[a-zA-Z0-9])?`, "value does not look like a valid node name"),
	"pve-vmid":     matching(`[1-9][0-9]{2,8}`, "value does not look like a valid VM ID"),
	"pve-configid": matching(`(?i)[a-z][a-z0-9_-]+`, "invalid configuration ID '%s'"),

	"pve-storage-id":     validStorage,
	"pve-storage-vgname": matching(`(?i)[a-z][a-z0-9\-_.]*[a-z0-9]`, "lvm volume group name '%s' contains illegal characters"),
	"pve-storage-path":   matching(`/[a-zA-Z0-9!-'*-.:-@_{}~ /^]*.*`, "value does not look like a valid absolute path"),
	"pve-storage-server": that(func(s string) bool {
		return address(s)
	}, "value does not look like a valid server name or IP address"),
	"pve-storage-options": matching(`\S+`, "unable to parse mount options '%s'"),
	"pve-storage-content": that(func(s string) bool {
		return slices.Contains([]string{"images", "rootdir", "vztmpl", "iso", "backup", "snippets", "import", "none"}, s)
	}, "invalid content type '%s'"),

	"pve-volume-id":                  volumeID,
	"pve-volume-id-or-absolute-path": volumeOrPath,
	"pve-volume-id-or-qm-path": func(s string) error {
		if s == "none" || s == "cdrom" {
			return nil
		}
		return volumeOrPath(s)
	},

	"pve-userid":  userid,
	"pve-realm":   matching(realm, "value does not look like a valid realm"),
	"pve-groupid": matching(`[A-Za-z0-9.\-_]+`, "group name '%s' contains invalid characters"),
	"pve-roleid":  matching(`[A-Za-z0-9.\-_]+`, "role name '%s' contains invalid characters"),
	"pve-poolid":  poolid,
	"pve-tokenid": matching(user+`@`+realm+`!`+realm, "value '%s' does not look like a valid token ID"),
	"email":       matching(email, "value does not look like a valid email address"),
	"email-or-username": that(func(s string) bool {
		return validEmail.MatchString(s) || userid(s) == nil
	}, "value does not look like a valid email address or user name"),

	"pve-iface":     matching(`(?i)[a-z][a-z0-9_]{1,20}(?:[:.]\d+)?`, "invalid network interface name '%s'"),
	"pve-bridge-id": validBridge,
	"mac-addr":      matching(`(?i)[a-f0-9][02468ace](?::[a-f0-9]{2}){5}`, "value does not look like a valid unicast MAC address"),
	"mac-prefix":    matching(`(?i)[a-f0-9][02468ace](?::[a-f0-9]{2}){0,2}:?`, "value is not a valid unicast MAC address prefix"),
	"ip":            that(func(s string) bool { return ipv4(s) || ipv6(s) }, "value does not look like a valid IP address"),
	"ipv4":          that(ipv4, "value does not look like a valid IPv4 address"),
	"ipv6":          that(ipv6, "value does not look like a valid IPv6 address"),
	"ipv4mask":      that(netmask, "value does not look like a valid IP netmask"),
	"CIDR":          that(func(s string) bool { return cidr4(s) || cidr6(s) }, "value does not look like a valid CIDR network"),
	"CIDRv4":        that(cidr4, "value does not look like a valid IPv4 CIDR network"),
	"CIDRv6":        that(cidr6, "value does not look like a valid IPv6 CIDR network"),
	"IPorCIDR": that(func(s string) bool {
		return ipv4(s) || ipv6(s) || cidr4(s) || cidr6(s)
	}, "value does not look like a valid IP address or CIDR network"),
	"IPorCIDRorAlias": that(func(s string) bool {
		return ipv4(s) || ipv6(s) || cidr4(s) || cidr6(s) || alias.MatchString(s)
	}, "value does not look like a valid IP address or CIDR network"),
	"pve-ipv4-config": that(func(s string) bool {
		return s == "dhcp" || s == "manual" || cidr4(s)
	}, "value does not look like a valid ipv4 network configuration"),
	"pve-ipv6-config": that(func(s string) bool {
		return s == "auto" || s == "dhcp" || s == "manual" || cidr6(s)
	}, "value does not look like a valid ipv6 network configuration"),
	"dns-name": matching(dnsName, "value does not look like a valid DNS name"),
	"address":  that(address, "value does not look like a valid address: %s"),

	"disk-size":            matching(`\d+(?:\.\d+)?[KMGT]?`, "value does not look like a valid disk size: %s"),
	"urlencoded":           matching(`[-%a-zA-Z0-9_.!~*'()]*`, "invalid urlencoded string: %s"),
	"pve-tag":              matching(`(?i)[a-z0-9_][a-z0-9_\-+.]*`, "invalid characters in tag"),
	"pve-startup-order":    startup,
	"pve-hotplug-features": hotplug,
	"pve-qm-bootdisk":      that(func(s string) bool { return drive.MatchString(s) }, "invalid boot disk '%s'"),
	"pve-qm-bootdev": that(func(s string) bool {
		return drive.MatchString(s) || device.MatchString(s)
	}, "invalid boot device '%s'"),
	"pve-phys-bits":   matching(`host|[8-9]|[1-5]\d|6[0-4]`, "value must be an integer between 8 and 64 or 'host'"),
	"pve-cpuset":      matching(`\s*\d+(?:-\d+)?(?:\s*,\s*\d+(?:-\d+)?)*\s*`, "unable to parse cpu-range '%s'"),
	"pve-day-of-week": matching(`mon|tue|wed|thu|fri|sat|sun`, "invalid day '%s'"),
	"storage-pair":    pair(validStorage),
	"bridge-pair":     pair(validBridge),

	"pve-ha-resource-or-vm-id": matching(`\d+|[a-z]+:\S+`, "value does not look like a valid ha resource id"),
	"pve-ha-resource-id":       matching(`[a-z]+:\S+`, "value does not look like a valid ha resource id"),
	"pve-ha-group-node":        matching(groupNode, "value does not look like a valid ha group node"),
	"pve-ha-node":              matching(groupNode, "value does not look like a valid ha group node"),
	"ldap-simple-attr":         matching(`[a-zA-Z0-9]+`, "value '%s' does not look like a simple ldap attribute name"),
	"pve-task-status-type":     matching(`(?i)ok|error|warning|unknown`, "invalid status '%s'"),
	"pve-vlan-id-or-range":     vlans,

	"pve-sdn-vnet-id": all(atMost(8, "vnet ID '%s' can't be more length than 8 characters"),
		matching(sdnID, "vnet ID '%s' contains illegal characters")),
	"pve-sdn-zone-id": all(matching(sdnID, "zone ID '%s' contains illegal characters"),
		atMost(8, "zone ID '%s' can't be more length than 8 characters")),
	"pve-sdn-controller-id":  matching(`(?i)[a-z][a-z0-9_-]*[a-z0-9]`, "controller ID '%s' contains illegal characters"),
	"pve-replication-job-id": matching(`[1-9][0-9]{2,8}-\d{1,9}`, "invalid replication job id '%s'"),
}

var (
	validEmail = regexp.MustCompile(`^` + email + `$`)
	alias      = regexp.MustCompile(`^(?:(?:dc|guest)/)?[A-Za-z][A-Za-z0-9\-_]+$`)
	drive      = regexp.MustCompile(`^(?:ide[0-3]|sata[0-5]|scsi(?:[0-9]|[12][0-9]|30)|virtio(?:[0-9]|1[0-5])|efidisk0|tpmstate0)$`)
	device     = regexp.MustCompile(`^(?:net\d+|hostpci\d+|usb\d+)$`)
	volumeName = regexp.MustCompile(`^(?i:[a-z][a-z0-9\-_.]*[a-z0-9]):.+$`)
)

func volumeID(s string) error {
	if volumeName.MatchString(s) {
		return nil
	}
	return complaint("unable to parse volume ID '%s'", s)
}

func volumeOrPath(s string) error {
	if strings.HasPrefix(s, "/") {
		return nil
	}
	return volumeID(s)
}

var validUser = regexp.MustCompile(`^` + user + `@` + realm + `$`)

func userid(s string) error {
	switch {
	case len(s) < 3:
		return complaint("user name '%s' is too short", s)
	case len(s) > 64:
		return complaint("user name '%s' is too long (%d > 64)", s, len(s))
	case !validUser.MatchString(s):
		return complaint("value '%s' does not look like a valid user name", s)
	}
	return nil
}

var validPool = regexp.MustCompile(`^[A-Za-z0-9.\-_]+$`)

func poolid(s string) error {
	levels := strings.Split(s, "/")
	if len(levels) > 3 {
		return complaint("pool name '%s' nested too deeply (max levels = 3)", s)
	}
	for _, level := range levels {
		if !validPool.MatchString(level) {
			return complaint("pool name '%s' contains invalid characters", s)
		}
	}
	return nil
}

var startupPart = regexp.MustCompile(`^(?:(?:order=)?\d+|up=\d+|down=\d+)$`)

func startup(s string) error {
	if !truth(s) {
		return complaint("unable to parse startup options")
	}
	for part := range strings.SplitSeq(s, ",") {
		if strings.TrimSpace(part) != "" && !startupPart.MatchString(part) {
			return complaint("unable to parse startup options")
		}
	}
	return nil
}

func hotplug(s string) error {
	if s == "0" || s == "1" {
		return nil
	}
	for _, feature := range splitList(s) {
		switch feature {
		case "network", "disk", "cpu", "memory", "usb", "cloudinit":
		default:
			return complaint("invalid hotplug feature '%s'", feature)
		}
	}
	return nil
}

// pair is a validator of one part of a map of storages or bridges: "a:b", an only "a" for all, or "1" for
// each to itself. The end of the words comes of errors within errors.
func pair(id func(string) error) func(string) error {
	return func(s string) error {
		if s == "1" {
			return nil
		}
		from, to, both := strings.Cut(s, ":")
		err := id(from)
		if err == nil && both {
			err = id(to)
		}
		if err != nil {
			return complaint("entry '%s' contains invalid ID - %s\n", s, err)
		}
		return nil
	}
}

var vlanRange = regexp.MustCompile(`^(\d{1,9})(?:-(\d{1,9}))?$`)

func vlans(s string) error {
	m := vlanRange.FindStringSubmatch(s)
	if m == nil {
		return complaint("invalid VLAN configuration '%s'", s)
	}
	first, _ := strconv.Atoi(m[1])
	last := first
	if m[2] != "" {
		last, _ = strconv.Atoi(m[2])
	}
	for _, tag := range []int{first, last} {
		if tag < 2 || tag > 4094 {
			return complaint("invalid VLAN tag '%d'", tag)
		}
	}
	if m[2] != "" && first >= last {
		return complaint("VLAN range must go from lower to higher tag '%s'", s)
	}
	return nil
}

func ipv4(s string) bool {
	a, err := netip.ParseAddr(s)
	return err == nil && a.Is4()
}

func ipv6(s string) bool {
	a, err := netip.ParseAddr(s)
	return err == nil && a.Is6()
}

func cidr4(s string) bool {
	p, err := netip.ParsePrefix(s)
	return err == nil && p.Addr().Is4() && p.Bits() > 7
}

func cidr6(s string) bool {
	p, err := netip.ParsePrefix(s)
	return err == nil && p.Addr().Is6() && p.Bits() > 7
}

var validName = regexp.MustCompile(`^` + dnsName + `$`)

func address(s string) bool { return ipv4(s) || ipv6(s) || validName.MatchString(s) }

// netmask says whether s is a mask with its ones in front.
func netmask(s string) bool {
	a, err := netip.ParseAddr(s)
	if err != nil || !a.Is4() {
		return false
	}
	b := a.As4()
	n := uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3])
	return ^n&(^n+1) == 0
}
