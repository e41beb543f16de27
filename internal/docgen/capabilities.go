package main

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/catalogues"
)

const capabilityHead = `---
page_title: "Capabilities"
subcategory: ""
description: |-
  What each hypervisor can do through this provider.
---

<!-- Generated from the catalogues in backends/catalogues by "make docs". Do not edit. -->

# Capabilities

What each hypervisor can do through this version of the provider. The tables are
generated from the catalogues that the provider itself consults: what they call
unsupported is refused by ` + "`terraform plan`" + `, at the attribute that asks for it. A claim
counts only with a test of that capability which passes on the hypervisor.

The table of the hypervisor that you are connected to may be narrower than the one
here (an old version, a missing firmware image). The data source
[virtrigaud_capabilities](../data-sources/capabilities.md) shows it, and a module can
branch on it.

| Level | Meaning |
|---|---|
| yes (` + "`full`" + `) | Works. |
| restart (` + "`restart`" + `) | Works, at the price of a restart of the VM, which the plan announces. |
| partial (` + "`partial`" + `) | Works within the limits that the note names. |
| no (` + "`unsupported`" + `) | Refused at plan. The note says why. |
| n/a (` + "`not_applicable`" + `) | The hypervisor has no such notion and needs none. |
`

var levelWord = map[backends.Level]string{
	backends.Full:          "yes",
	backends.NeedsRestart:  "restart",
	backends.Partial:       "partial",
	backends.Unavailable:   "no",
	backends.NotApplicable: "n/a",
}

// Capabilities renders the page with one table per group: a row for each
// capability, a column for each driver, and the notes below.
func Capabilities() []byte {
	all := catalogues.All()
	kinds := columns(all)
	var b bytes.Buffer
	b.WriteString(capabilityHead)
	fmt.Fprintf(&b, "\n## Summary\n\n")
	writeSummary(&b, all, kinds)
	for _, group := range groups() {
		fmt.Fprintf(&b, "\n## %s\n\n", group.name)
		writeGroup(&b, group, all, kinds)
	}
	return b.Bytes()
}

// columns puts the mock last: it is nobody's hypervisor.
func columns(all map[backends.Kind]backends.Catalogue) []backends.Kind {
	kinds := make([]backends.Kind, 0, len(all))
	for kind := range all {
		kinds = append(kinds, kind)
	}
	slices.SortFunc(kinds, func(a, b backends.Kind) int {
		if (a == backends.Mock) != (b == backends.Mock) {
			if a == backends.Mock {
				return 1
			}
			return -1
		}
		return strings.Compare(string(a), string(b))
	})
	return kinds
}

type group struct {
	name     string
	features []backends.FeatureInfo
}

// groups keeps the order in which the features are listed.
func groups() []group {
	var out []group
	for _, f := range backends.Features() {
		if len(out) == 0 || out[len(out)-1].name != f.Group {
			out = append(out, group{name: f.Group})
		}
		last := &out[len(out)-1]
		last.features = append(last.features, f)
	}
	return out
}

func writeSummary(b *bytes.Buffer, all map[backends.Kind]backends.Catalogue, kinds []backends.Kind) {
	fmt.Fprintf(b, "| Backend | yes | restart | partial | no | n/a |\n|---|---|---|---|---|---|\n")
	for _, kind := range kinds {
		count := map[backends.Level]int{}
		for _, f := range backends.Features() {
			count[all[kind].For(f.ID).Level]++
		}
		fmt.Fprintf(b, "| %s | %d | %d | %d | %d | %d |\n", kind, count[backends.Full], count[backends.NeedsRestart],
			count[backends.Partial], count[backends.Unavailable], count[backends.NotApplicable])
	}
}

func writeGroup(b *bytes.Buffer, g group, all map[backends.Kind]backends.Catalogue, kinds []backends.Kind) {
	b.WriteString("| Capability | Id |")
	for _, kind := range kinds {
		fmt.Fprintf(b, " %s |", kind)
	}
	b.WriteString("\n|---|---|" + strings.Repeat("---|", len(kinds)) + "\n")
	var notes []string
	for _, f := range g.features {
		fmt.Fprintf(b, "| %s | `%s` |", f.Name, f.ID)
		for _, kind := range kinds {
			s := all[kind].For(f.ID)
			fmt.Fprintf(b, " %s |", levelWord[s.Level])
			if s.Note != "" {
				notes = append(notes, fmt.Sprintf("* %s, %s: %s", f.Name, kind, plain(s.Note)))
			}
		}
		b.WriteString("\n")
	}
	if len(notes) > 0 {
		b.WriteString("\n" + strings.Join(notes, "\n") + "\n")
	}
}

// plain keeps a note from being read as markup.
func plain(note string) string {
	return strings.NewReplacer("|", `\|`, "<", "&lt;", "*", `\*`).Replace(note)
}
