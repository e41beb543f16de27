package catalogues_test

import (
	"encoding/csv"
	"os"
	"slices"
	"testing"

	b "github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/catalogues"
)

// gaps are the promises of the matrix that a driver does not keep yet. One that
// is kept must leave the list: the test says so.
var gaps = map[b.Kind][]b.Feature{
	b.Mock: {
		b.FeatureHighAvailability,
		b.FeatureDRS, b.FeatureFaultTolerance, b.FeatureAffinityRules, b.FeatureMetrics, b.FeatureEvents, b.FeatureHealth,
		b.FeatureAlerting, b.FeatureHistoricalMetrics,
	},
	b.VSphere: {
		b.FeatureHighAvailability, b.FeatureDRS, b.FeatureFaultTolerance, b.FeatureAffinityRules,
		b.FeatureMetrics, b.FeatureEvents, b.FeatureHealth, b.FeatureAlerting, b.FeatureHistoricalMetrics,
	},
	b.Proxmox: {
		b.FeatureStoragePolicies, // it has none
		b.FeatureHighAvailability, b.FeatureAffinityRules,
		b.FeatureMetrics, b.FeatureEvents, b.FeatureHealth, b.FeatureAlerting, b.FeatureHistoricalMetrics,
	},
	b.Libvirt: {
		b.FeatureStoragePools,
		b.FeatureMetrics, b.FeatureEvents, b.FeatureHealth,
	},
}

func TestTablesAreTotal(t *testing.T) {
	for kind, c := range catalogues.All() {
		if c.Backend != kind {
			t.Errorf("the catalogue of %s calls itself %s", kind, c.Backend)
		}
		for _, f := range b.Features() {
			s, ok := c.Support[f.ID]
			switch {
			case !ok:
				t.Errorf("%s does not mention %s", kind, f.ID)
			case s.Level != b.Full && s.Note == "":
				t.Errorf("%s has %s at level %q without saying why", kind, f.ID, s.Level)
			case !slices.Contains([]b.Level{b.Full, b.NeedsRestart, b.Partial, b.Unavailable, b.NotApplicable}, s.Level):
				t.Errorf("%s has %s at the unknown level %q", kind, f.ID, s.Level)
			}
		}
		for f := range c.Support {
			if _, known := f.Describe(); !known {
				t.Errorf("%s mentions the unknown feature %q", kind, f)
			}
		}
		for path, values := range c.Accepts {
			if len(values) == 0 || b.Path(path).Generic() != path {
				t.Errorf("%s: Accepts[%q] = %q is not a list for a generic path", kind, path, values)
			}
		}
	}
}

func matrix(t *testing.T) []map[string]string {
	t.Helper()
	f, err := os.Open("../testdata/capability-matrix.csv")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var out []map[string]string
	for _, row := range rows[1:] {
		m := map[string]string{}
		for i, column := range rows[0] {
			m[column] = row[i]
		}
		out = append(out, m)
	}
	return out
}

func TestFeaturesAreTheMatrix(t *testing.T) {
	rows := matrix(t)
	if len(rows) != 63 {
		t.Fatalf("the matrix has %d rows, want 63", len(rows))
	}
	features := b.Features()
	for i, row := range rows {
		if f := features[i]; f.Group != row["group"] || f.Name != row["capability"] {
			t.Errorf("feature %d is %s / %s, the matrix has %s / %s", i, f.Group, f.Name, row["group"], row["capability"])
		}
	}
	for _, f := range features[len(rows):] {
		if f.Group != b.BeyondMatrix {
			t.Errorf("%s is not in the matrix, but in its group %q", f.ID, f.Group)
		}
	}
}

// TestAtLeastTheMatrix: what the matrix promises is claimed at its level or a
// better one, except for the gaps that are listed.
func TestAtLeastTheMatrix(t *testing.T) {
	promises := map[string][]b.Level{
		"yes":     {b.Full, b.NeedsRestart},
		"partial": {b.Full, b.NeedsRestart, b.Partial},
		"no":      nil, // promises nothing
		"n/a":     nil,
	}
	for kind, c := range catalogues.All() {
		for i, row := range matrix(t) {
			f := b.Features()[i].ID
			cell, ok := row[string(kind)]
			enough, known := promises[cell]
			if !ok || !known {
				t.Fatalf("the matrix says %q of %s on %s", cell, f, kind)
			}
			kept := enough == nil || slices.Contains(enough, c.For(f).Level)
			listed := slices.Contains(gaps[kind], f)
			switch {
			case !kept && !listed:
				t.Errorf("the matrix promises %s on %s (%s), the catalogue says %s", f, kind, cell, c.For(f).Level)
			case kept && listed:
				t.Errorf("%s on %s is no gap any more: take it off the list", f, kind)
			}
		}
	}
}
