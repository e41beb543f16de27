package inventory

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// vSphere stores these characters escaped in names, so that a slash in a path always separates.
var (
	unescaper = strings.NewReplacer("%2f", "/", "%2F", "/", "%5c", `\`, "%5C", `\`, "%25", "%")
	escaper   = strings.NewReplacer("%", "%25", "/", "%2f", `\`, "%5c")
)

// Unescape returns a name as people see it: "a/b" where vSphere stores "a%2fb".
func Unescape(name string) string { return unescaper.Replace(name) }

// Escape returns a name as vSphere stores it.
func Escape(name string) string { return escaper.Replace(name) }

// canonical spells the escapes of a path in one way.
func canonical(path string) string {
	parts := strings.Split(path, "/")
	for i, p := range parts {
		parts[i] = Escape(Unescape(p))
	}
	return strings.Join(parts, "/")
}

// quoted lists names, a few of many.
func quoted(names []string) string {
	const most = 8
	names = slices.Compact(slices.Sorted(slices.Values(names)))
	more := ""
	if len(names) > most {
		more = fmt.Sprintf(" and %d more", len(names)-most)
		names = names[:most]
	}
	out := make([]string, len(names))
	for i, n := range names {
		out[i] = strconv.Quote(n)
	}
	return strings.Join(out, ", ") + more
}

// near returns those of names that somebody who wrote name may have meant: the same
// in other letter case, else what looks like it.
func near(name string, names []string) []string {
	for _, n := range names {
		if strings.EqualFold(n, name) {
			return []string{n}
		}
	}
	base := strings.ToLower(name[strings.LastIndex(name, "/")+1:])
	var out []string
	for _, n := range names {
		last := strings.ToLower(n[strings.LastIndex(n, "/")+1:])
		if base != "" && last != "" && (strings.Contains(last, base) || strings.Contains(base, last) || distance(base, last) <= 1+len(base)/4) {
			out = append(out, n)
		}
	}
	return out
}

// distance is the number of letters to change, add or drop to get from a to b.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
