package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/catalogues"
)

// The committed page is what the catalogues say now.
func TestCapabilityPage_isCurrent(t *testing.T) {
	got, err := os.ReadFile(filepath.Join("..", "..", "docs", "guides", "capabilities.md"))
	if err != nil {
		t.Fatalf("%v: run make docs", err)
	}
	if !bytes.Equal(bytes.TrimSpace(got), bytes.TrimSpace(Capabilities())) {
		t.Error("docs/guides/capabilities.md is not what the catalogues say: run make docs")
	}
}

func TestCapabilities_everyFeatureOfEveryDriver(t *testing.T) {
	page := string(Capabilities())
	rows := map[string]string{}
	for _, line := range strings.Split(page, "\n") {
		if cells := strings.Split(line, "|"); len(cells) > 3 {
			rows[strings.Trim(cells[2], " `")] = line
		}
	}
	all := catalogues.All()
	kinds := columns(all)
	if len(kinds) != len(all) || kinds[len(kinds)-1] != backends.Mock {
		t.Fatalf("columns are %v", kinds)
	}
	for _, f := range backends.Features() {
		row, ok := rows[string(f.ID)]
		if !ok {
			t.Errorf("no row for %s", f.ID)
			continue
		}
		cells := strings.Split(row, "|")
		for i, kind := range kinds {
			if got, want := strings.TrimSpace(cells[3+i]), levelWord[all[kind].For(f.ID).Level]; got != want || want == "" {
				t.Errorf("%s on %s is shown as %q, want %q", f.ID, kind, got, want)
			}
		}
	}
}

func TestWrite(t *testing.T) {
	root := t.TempDir()
	if err := write(root); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(filepath.Join(root, capabilityPage))
	if err != nil || !bytes.Equal(got, Capabilities()) {
		t.Errorf("got %d bytes, %v", len(got), err)
	}
}
