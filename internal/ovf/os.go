package ovf

import "strings"

// osOf is the family of a guest operating system. What vendors call it says more than the
// number, which has no entry for what came later.
func osOf(sections []xmlOS) string {
	if len(sections) == 0 {
		return ""
	}
	s := sections[0]
	for _, name := range []string{s.Type, s.Description} {
		if family := familyOf(name); family != "" {
			return family
		}
	}
	switch n := count(s.ID); {
	case n >= 15 && n <= 18, n == 58, n == 63, n == 67, n >= 69 && n <= 78, n == 103, n == 105, n >= 111 && n <= 125:
		return "windows"
	case n == 36, n == 79, n == 80, n >= 82 && n <= 101, n >= 106 && n <= 109:
		return "linux"
	case n > 1:
		return "other"
	}
	return ""
}

var linuxes = []string{
	"linux", "debian", "ubuntu", "rhel", "redhat", "red hat", "red_hat", "centos", "fedora", "suse", "sles", "oraclelinux", "oracle_", "alma",
	"rocky", "amazon", "photon", "coreos", "gentoo", "mandriva", "alpine",
}

func familyOf(name string) string {
	name = strings.ToLower(name)
	if strings.Contains(name, "win") && !strings.Contains(name, "darwin") {
		return "windows"
	}
	for _, l := range linuxes {
		if strings.Contains(name, l) {
			return "linux"
		}
	}
	return ""
}
