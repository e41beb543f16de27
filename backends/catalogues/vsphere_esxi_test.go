package catalogues_test

import (
	"strings"
	"testing"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/catalogues"
)

// TestVSphereESXi_notes: nothing that is claimed for a host speaks of what only a vCenter has.
func TestVSphereESXi_notes(t *testing.T) {
	for f, s := range catalogues.VSphereESXi(catalogues.VSphere()).Support {
		if !s.Level.Claimed() {
			continue
		}
		for _, word := range []string{"vCenter", "istributed", "content librar", "datastore cluster", "customization", "template", "clone", "vMotion", "cluster or"} {
			if strings.Contains(s.Note, word) {
				t.Errorf("%s says %q, which speaks of a %s", f, s.Note, word)
			}
		}
	}
}
