package fault

import (
	"regexp"
	"strings"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// most is how many of a log's lines an error shows.
const most = 3

// stamp is what begins the lines of a migration's log.
var stamp = regexp.MustCompile(`^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d (ERROR: )?`)

// ofFailure judges how a task ended. Where its exit status says nothing, its log does: that QEMU could not be
// started is said at the end, why in the lines before.
func ofFailure(f *Failure) verdict {
	exit := clean(f.Exit)
	if v, ok := ofDenialInside(exit, f.Who); ok {
		return v
	}
	if v, ok := byWords(exit); ok && !v.vague {
		return v
	}
	for i := len(f.Log) - 1; i >= 0; i-- {
		if v, ok := byWords(clean(f.Log[i])); ok && !v.vague {
			if v.code == backends.NotFound {
				v.code = backends.Precondition // something that the object needs
			}
			return v
		}
	}
	if v, ok := byWords(exit); ok {
		return v
	}
	return verdict{code: backends.Internal}
}

func (f *Failure) words() string {
	exit := clean(f.Exit)
	var lines, causes []string
	for _, l := range f.Log {
		l = stamp.ReplaceAllString(clean(l), "")
		if l == "" || strings.Contains(exit, l) || strings.HasPrefix(l, "TASK ") {
			continue
		}
		lines = append(lines, l)
		if strings.HasPrefix(l, "can't ") {
			causes = append(causes, l)
		}
	}
	if len(causes) > 0 {
		return exit + ": " + strings.Join(causes, "; ")
	}
	if v, ok := byWords(exit); ok && !v.vague || len(lines) == 0 {
		return exit
	}
	return exit + " (its log: " + strings.Join(lines[max(0, len(lines)-most):], "; ") + ")"
}
