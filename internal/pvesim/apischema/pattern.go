package apischema

import (
	"regexp"
	"strings"
	"sync"
)

// patterns keeps what perl compiled.
var patterns sync.Map // string → *regexp.Regexp

// notation is how Perl writes what Go writes otherwise. Go repeats at most a thousand times; where Perl's limit is
// larger, the length is not what anybody checks.
var notation = strings.NewReplacer("(?^:", "(?:", "(?^i:", "(?i:", "{,", "{0,", "{0,4096}", "*")

// perl compiles one of the API's patterns, anchored as Proxmox VE does. One that Go cannot read accepts everything.
func perl(pattern string) *regexp.Regexp {
	if re, ok := patterns.Load(pattern); ok {
		return re.(*regexp.Regexp)
	}
	re, err := regexp.Compile(`^(?:` + notation.Replace(pattern) + `)\n?$`)
	if err != nil {
		re = regexp.MustCompile("")
	}
	patterns.Store(pattern, re)
	return re
}
