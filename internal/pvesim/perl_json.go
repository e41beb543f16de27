package pvesim

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// perlJSON is what Proxmox VE says of a body that is no JSON object: the words of Perl's parser. The recordings have
// one of them; the others are known from that parser.
func perlJSON(body []byte) string {
	const where = " at /usr/share/perl5/PVE/APIServer/AnyEvent.pm line 917.\n"
	var wrong *json.SyntaxError
	// With a byte behind it that fits nowhere, a text that ends too early is wrong at its end, as Perl has it.
	if err := json.Unmarshal(append(body[:len(body):len(body)], 0), new(any)); !errors.As(err, &wrong) {
		return "malformed JSON string" + where
	}
	at := min(max(int(wrong.Offset)-1, 0), len(body))
	if at == len(body) && json.Valid(body) {
		return "Not a HASH reference" + where
	}
	rest := "(end of string)"
	if at < len(body) {
		rest = string(body[at:])
		if len(rest) > 20 {
			rest = rest[:20] + "..."
		}
	}
	return fmt.Sprintf("%s, at character offset %d (before \"%s\")%s", perlWords(wrong.Error()), utf8.RuneCount(body[:at]), rest, where)
}

// perlWords says in Perl's words what Go's parser found.
func perlWords(found string) string {
	for _, w := range [][2]string{
		{"beginning of object key", `'"' expected`},
		{"after object key:value pair", ", or } expected while parsing object/hash"},
		{"after object key", "':' expected"},
		{"after array element", ", or ] expected while parsing array"},
		{"in string literal", "unexpected end of string while parsing JSON string"},
		{"in string escape", "illegal backslash escape sequence in string"},
		{"after top-level value", "garbage after JSON object"},
	} {
		if strings.Contains(found, w[0]) {
			return w[1]
		}
	}
	return "malformed JSON string, neither tag, array, object, number, string or atom"
}
