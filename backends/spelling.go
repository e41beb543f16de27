package backends

import (
	"fmt"
	"regexp"
)

// Spelling is how a hypervisor has names written.
type Spelling struct {
	Form *regexp.Regexp
	Rule string // what it takes, for the user: "letters and digits"
}

// SnapshotName is the key of Catalogue.Spelled for the names of snapshots, whose paths are not those of a VM.
const SnapshotName = "snapshot.name"

// CheckSpelling holds names against the spelling that the hypervisor has for key. The first that it does not take is a
// finding at the path; "" is no name, and taken.
func (c Catalogue) CheckSpelling(key string, at Path, names ...string) (Finding, bool) {
	s, ok := c.Spelled[key]
	if !ok {
		return Finding{}, false
	}
	for _, name := range names {
		if name == "" || s.Form.MatchString(name) {
			continue
		}
		return Finding{
			Path: at, Severity: SeverityError,
			Summary: fmt.Sprintf("%s does not take this value", c.Backend),
			Detail:  fmt.Sprintf("%s: the %s backend does not take %q. It takes %s.", at, c.Backend, name, s.Rule),
		}, true
	}
	return Finding{}, false
}

func checkSpelling(cat Catalogue, c Change) (Finding, bool) {
	if c.Action == Remove {
		return Finding{}, false
	}
	switch to := c.To.(type) {
	case string:
		return cat.CheckSpelling(c.Path.Generic(), c.Path, to)
	case []string:
		return cat.CheckSpelling(c.Path.Generic(), c.Path, to...)
	}
	return Finding{}, false
}
