package backendtest

import (
	"fmt"
	"strings"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// judge compares what a catalogue says with what was seen, and returns one
// sentence for each disagreement.
func judge(cat backends.Catalogue, proved map[backends.Feature][]string, refused map[backends.Feature]bool,
	unable map[backends.Feature][]string, unproved map[backends.Feature]string,
) []string {
	var complaints []string
	say := func(format string, args ...any) { complaints = append(complaints, fmt.Sprintf(format, args...)) }
	for _, info := range backends.Features() {
		s, ok := cat.Support[info.ID]
		excuse, excused := unproved[info.ID]
		switch {
		case !ok:
			say("the %s catalogue does not mention %s (%s)", cat.Backend, info.ID, info.Name)
		case s.Level.Claimed() && len(proved[info.ID]) == 0 && !excused:
			why := "no case that proves it passed"
			if u := unable[info.ID]; len(u) > 0 {
				why = "the harness lets no case prove it: " + strings.Join(u, "; ")
			}
			say("%s claims %s (%s) as %s, but %s", cat.Backend, info.ID, info.Name, s.Level, why)
		case excused && len(proved[info.ID]) > 0:
			say("%s is listed as unproved (%s), but %s proved it: take it off the list",
				info.ID, excuse, strings.Join(proved[info.ID], ", "))
		case excused && !s.Level.Claimed():
			say("%s is listed as unproved, but %s does not claim it: take it off the list", info.ID, cat.Backend)
		case s.Level == backends.Unavailable && !refused[info.ID]:
			say("%s does not support %s (%s), but no probe saw it refused", cat.Backend, info.ID, info.Name)
		case s.Level != backends.Full && s.Note == "":
			say("%s has %s at level %q without a note that says why", cat.Backend, info.ID, s.Level)
		}
	}
	return complaints
}
