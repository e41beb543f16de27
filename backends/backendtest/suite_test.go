package backendtest

import (
	"slices"
	"strings"
	"testing"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/catalogues"
)

// TestEveryFeatureIsDecided fails for a feature that the suite could neither
// prove nor see refused.
func TestEveryFeatureIsDecided(t *testing.T) {
	proved := map[backends.Feature]bool{}
	names := map[string]bool{}
	for _, c := range Cases() {
		if names[c.Name] || c.Run == nil {
			t.Errorf("case %q is there twice or does nothing", c.Name)
		}
		names[c.Name] = true
		for _, f := range append(slices.Clone(c.Proves), c.Needs...) {
			if _, known := f.Describe(); !known {
				t.Errorf("case %q names the unknown feature %q", c.Name, f)
			}
		}
		for _, f := range c.Proves {
			proved[f] = true
		}
	}
	refused := map[backends.Feature]bool{}
	for _, r := range Refusals() {
		if refused[r.Feature] || r.Run == nil {
			t.Errorf("the probe for %q is there twice or does nothing", r.Feature)
		}
		refused[r.Feature] = true
	}
	for _, info := range backends.Features() {
		must := slices.Contains(always, info.ID)
		switch {
		case must && refused[info.ID]:
			t.Errorf("%s is listed as something that every hypervisor has, and has a probe", info.ID)
		case must && !proved[info.ID]:
			t.Errorf("%s is something that every hypervisor has, but no case proves it", info.ID)
		case !must && !refused[info.ID]:
			t.Errorf("%s has no probe that sees it refused", info.ID)
		}
		for kind, catalogue := range catalogues.All() {
			s := catalogue.For(info.ID)
			if s.Level.Claimed() && !proved[info.ID] {
				t.Errorf("%s claims %s, but no case could ever prove it", kind, info.ID)
			}
			if must && !s.Level.Claimed() {
				t.Errorf("%s lacks %s, without which nothing is a hypervisor", kind, info.ID)
			}
		}
	}
}

// TestJudge shows each complaint of the honesty rule.
func TestJudge(t *testing.T) {
	table := func(f backends.Feature, s backends.Support) backends.Catalogue {
		c := backends.Catalogue{Backend: "test", Support: map[backends.Feature]backends.Support{}}
		for _, info := range backends.Features() {
			c.Support[info.ID] = backends.Support{Level: backends.NotApplicable, Note: "Not tested here."}
		}
		if s.Level != "" {
			c.Support[f] = s
		} else {
			delete(c.Support, f)
		}
		return c
	}
	const f = backends.FeatureSuspend
	full := backends.Support{Level: backends.Full}
	none := backends.Support{Level: backends.Unavailable, Note: "Why."}
	for name, tt := range map[string]struct {
		support  backends.Support
		proved   map[backends.Feature][]string
		refused  map[backends.Feature]bool
		unable   map[backends.Feature][]string
		unproved map[backends.Feature]string
		want     string // in the only complaint; "" is none
	}{
		"claimed and proved":        {support: full, proved: map[backends.Feature][]string{f: {"a case"}}},
		"claimed without proof":     {support: full, want: "no case that proves it passed"},
		"claimed, case cannot run":  {support: full, unable: map[backends.Feature][]string{f: {"x needs Seed.Host"}}, want: "x needs Seed.Host"},
		"claimed, excused":          {support: full, unproved: map[backends.Feature]string{f: "No hardware."}},
		"excused and proved":        {support: full, unproved: map[backends.Feature]string{f: "No hardware."}, proved: map[backends.Feature][]string{f: {"a case"}}, want: "take it off the list"},
		"excused and not claimed":   {support: none, refused: map[backends.Feature]bool{f: true}, unproved: map[backends.Feature]string{f: "No."}, want: "does not claim it"},
		"unsupported and refused":   {support: none, refused: map[backends.Feature]bool{f: true}},
		"unsupported, not refused":  {support: none, refused: map[backends.Feature]bool{f: false}, want: "no probe saw it refused"},
		"not mentioned":             {want: "does not mention suspend"},
		"unsupported without a why": {support: backends.Support{Level: backends.Unavailable}, refused: map[backends.Feature]bool{f: true}, want: "without a note"},
	} {
		t.Run(name, func(t *testing.T) {
			got := judge(table(f, tt.support), tt.proved, tt.refused, tt.unable, tt.unproved)
			if tt.want == "" && len(got) > 0 || tt.want != "" && (len(got) != 1 || !strings.Contains(got[0], tt.want)) {
				t.Errorf("complaints %q, want one with %q", got, tt.want)
			}
		})
	}
}
