package pve

import (
	"net/url"
	"regexp"
	"strings"
)

// mask stands for a secret in a text.
const mask = "(hidden)"

// tickets are secrets that can be told by their form.
var tickets = regexp.MustCompile(`PVE(VNC)?:[^\s"']*::[A-Za-z0-9+/=%]+|PVE(APIToken|AuthCookie)=[^\s"']+`)

// hiding returns what removes secrets from texts.
func hiding(secrets []string) func(string) string {
	var forms []string
	for _, s := range secrets {
		forms = append(forms, s, strings.TrimSpace(s), url.QueryEscape(s), url.PathEscape(s))
		if plain, err := url.PathUnescape(s); err == nil {
			forms = append(forms, plain, strings.TrimSpace(plain))
		}
		for _, line := range strings.FieldsFunc(s, func(r rune) bool { return r == '\n' || r == '\r' }) {
			forms = append(forms, strings.TrimSpace(line))
		}
	}
	return func(text string) string {
		text = tickets.ReplaceAllString(text, mask)
		for _, form := range forms {
			switch {
			case len(form) >= 4:
				text = strings.ReplaceAll(text, form, mask)
			case form != "" && strings.Contains(text, form):
				return mask // so short that masking it alone would show where it stands in words
			}
		}
		return text
	}
}
