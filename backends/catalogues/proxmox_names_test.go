package catalogues_test

import (
	"strings"
	"testing"

	b "github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/catalogues"
)

// A plan refuses names and tags that Proxmox VE does not take, and says what it takes.
func TestProxmoxNames(t *testing.T) {
	cat := catalogues.Proxmox()
	for name, wrong := range map[string]bool{"web": false, "web-1.example.com": false, "web_1": true, "web 1": true, "-web": true, "wéb": true} {
		spec := &b.VMSpec{Name: name, Tags: []string{"blue", "a_b-c.d+e"}}
		found := b.Check(cat, &b.VMSpec{}, spec, b.Requirements(spec), b.CheckOptions{})
		if (len(found) == 1) != wrong || wrong && (found[0].Path != "name" || found[0].Severity != b.SeverityError || !strings.Contains(found[0].Detail, "as in DNS")) {
			t.Errorf("%q: %+v", name, found)
		}
	}
	from := &b.VMSpec{Name: "web", Tags: []string{"blue"}}
	for tag, wrong := range map[string]bool{"red": false, "r d": true, "-red": true, "a;b": true} {
		to := &b.VMSpec{Name: "web", Tags: []string{"blue", tag}}
		found := b.Check(cat, from, to, b.Diff(from, to), b.CheckOptions{})
		if (len(found) == 1) != wrong || wrong && (found[0].Path != "tags" || !strings.Contains(found[0].Detail, tag)) {
			t.Errorf("%q: %+v", tag, found)
		}
	}
	for name, wrong := range map[string]bool{"": false, "s1": false, "before-update_2": false, "s": true, "1st": true, "before the update": true} {
		if f, bad := cat.CheckSpelling(b.SnapshotName, "name", name); bad != wrong || bad && f.Path != "name" {
			t.Errorf("snapshot %q: %+v", name, f)
		}
	}
	if found := b.Check(catalogues.Libvirt(), &b.VMSpec{}, &b.VMSpec{Name: "web_1"}, b.Requirements(&b.VMSpec{Name: "web_1"}), b.CheckOptions{}); len(found) > 0 {
		t.Errorf("libvirt: %+v", found)
	}
}
