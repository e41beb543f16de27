package catalogues

import (
	"regexp"

	b "github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// proxmoxSpelled are the formats dns-name, pve-tag and pve-configid of Proxmox VE's API.
var proxmoxSpelled = map[string]b.Spelling{
	"name": {
		Form: regexp.MustCompile(`^([a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?\.)*[a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?$`),
		Rule: "letters, digits and hyphens, with dots between parts, as in DNS",
	},
	"tags": {
		Form: regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_\-+.]*$`),
		Rule: "letters, digits and _ - + ., a letter, digit or _ first",
	},
	b.SnapshotName: {
		Form: regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_-]{1,39}$`),
		Rule: "2 to 40 letters, digits, hyphens and underscores, a letter first; other words have their place in description",
	},
}
