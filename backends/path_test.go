package backends

import (
	"slices"
	"testing"
)

func TestPathSteps(t *testing.T) {
	p := Path("disks").Key("da.ta[1]").Attr("size_gib")
	if p != `disks["da.ta[1]"].size_gib` {
		t.Fatal(p)
	}
	want := []Step{{Name: "disks"}, {Name: "da.ta[1]", IsKey: true}, {Name: "size_gib"}}
	if got := p.Steps(); !slices.Equal(got, want) {
		t.Errorf("got %v", got)
	}
	if got := p.Generic(); got != "disks.size_gib" {
		t.Errorf("got %q", got)
	}
}

func FuzzPathSteps(f *testing.F) {
	for _, s := range []string{"", "cpu.cores", `disks["a"].x`, `["`, "..", "a[", `a["b`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if n := len(Path(s).Steps()); n > len(s) {
			t.Errorf("%d steps in %d bytes", n, len(s))
		}
	})
}
