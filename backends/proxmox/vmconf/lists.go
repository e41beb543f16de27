package vmconf

import (
	"net/url"
	"slices"
	"strings"
)

// ParseTags splits tags, which stand in any order between ";", "," or blanks. It is never nil.
func ParseTags(text string) []string {
	tags := strings.FieldsFunc(text, func(r rune) bool { return r == ';' || r == ',' || r == ' ' || r == 0 || r == '\t' || r == '\n' })
	slices.Sort(tags)
	tags = slices.Compact(tags)
	if tags == nil {
		tags = []string{}
	}
	return tags
}

// FormatTags writes tags as an update keeps them: lower case, sorted, without doubles. A creation keeps
// them verbatim, so they are sent that way.
func FormatTags(tags []string) string {
	lower := make([]string, len(tags))
	for i, tag := range tags {
		lower[i] = strings.ToLower(tag)
	}
	slices.Sort(lower)
	return strings.Join(slices.Compact(lower), ";")
}

// EncodeSSHKeys writes public keys as the parameter sshkeys wants them: one a line, percent-encoded, with no
// "+" for a blank.
func EncodeSSHKeys(keys []string) string {
	if len(keys) == 0 {
		return ""
	}
	return strings.ReplaceAll(url.QueryEscape(strings.Join(keys, "\n")+"\n"), "+", "%20")
}

// DecodeSSHKeys reads sshkeys. What is no encoding is taken as it is. It is never nil.
func DecodeSSHKeys(text string) []string {
	if plain, err := url.PathUnescape(text); err == nil {
		text = plain
	}
	keys := []string{}
	for line := range strings.SplitSeq(text, "\n") {
		if line = strings.TrimSpace(line); line != "" {
			keys = append(keys, line)
		}
	}
	return keys
}

// ParseWords splits a list between blanks, commas or semicolons ("nameserver"), in its order. It is never nil.
func ParseWords(text string) []string {
	words := strings.FieldsFunc(text, func(r rune) bool { return r == ' ' || r == ',' || r == ';' || r == '\t' || r == '\n' || r == 0 })
	if words == nil {
		words = []string{}
	}
	return words
}
