package fault

import (
	"strings"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// most is how many of a log's lines an error shows.
const most = 3

// ofFailure judges how a task ended. Where its exit status says nothing, its log does: that QEMU could not be
// started is said at the end, why in the lines before.
func ofFailure(f *Failure) verdict {
	exit := clean(f.Exit)
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
	var lines []string
	for _, l := range f.Log {
		l = clean(l)
		if l == "" || strings.Contains(exit, l) || strings.HasPrefix(l, "TASK ") {
			continue
		}
		lines = append(lines, l)
	}
	if v, ok := byWords(exit); ok && !v.vague || len(lines) == 0 {
		return exit
	}
	return exit + " (its log: " + strings.Join(lines[max(0, len(lines)-most):], "; ") + ")"
}
