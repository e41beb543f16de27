package fault

import (
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// Statuses that the proxy of Proxmox VE answers with when it does not reach a node, beside those of HTTP.
const (
	NoConnection = 595 // the request was not handed on
	Broken       = 596 // the connection broke while it was
	BrokenBody   = 597
	Aborted      = 598
	TimedOut     = 599
)

// Passing reports whether a status tells of trouble between the proxy and a node that passes by itself.
func Passing(status int) bool {
	switch status {
	case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout,
		NoConnection, Broken, BrokenBody, Aborted, TimedOut:
		return true
	}
	return false
}

// ofRefusal judges an answer.
func ofRefusal(r *Refusal) verdict {
	switch {
	case r.Status == http.StatusUnauthorized:
		return ofLogin(r)
	case r.Status == http.StatusForbidden:
		return ofDenial(r)
	case r.Status == Broken && r.Method == http.MethodPost && strings.HasSuffix(r.Path, "/agent/exec"):
		return verdict{code: backends.Invalid, text: "the guest agent could not start the command (596 " + r.Reason + ")", remedy: "Check that the program exists in the guest."}
	case Passing(r.Status):
		return ofProxy(r)
	case r.Status == http.StatusNotImplemented:
		return verdict{code: backends.Unsupported, text: "this version of Proxmox VE cannot do this: " + r.words()}
	case len(r.Params) > 0:
		return ofParams(r)
	}
	if v, ok := ofDenialInside(r.text(), r.Who); ok {
		return v
	}
	if v, ok := byWords(r.text()); ok {
		return v
	}
	if r.Status >= 400 && r.Status < 500 {
		return verdict{code: backends.Invalid}
	}
	return verdict{code: backends.Internal}
}

var node = regexp.MustCompile(`^/nodes/([^/]+)`)

// ofProxy judges what the proxy says when it does not get an answer of a node.
func ofProxy(r *Refusal) verdict {
	v := verdict{code: backends.Transient, remedy: "Check that the node is up and that pvedaemon and pveproxy run there."}
	where := "Proxmox VE"
	if m := node.FindStringSubmatch(r.Path); m != nil {
		where = "node " + m[1]
	}
	v.text = fmt.Sprintf("%s does not answer (%s)", where, strings.TrimSpace(fmt.Sprint(r.Status, " ", r.Reason)))
	return v
}

// ofParams judges what is said of parameters. The first that is about more than its value decides.
func ofParams(r *Refusal) verdict {
	v := verdict{code: backends.Invalid}
	for _, p := range r.params() {
		if w, ok := ofDenialInside(p.Text, r.Who); ok {
			return w
		}
		if w, ok := byWords(p.Text); ok && w.code != backends.Invalid {
			w.text = r.words()
			return w
		} else if ok && v.remedy == "" {
			v.remedy = w.remedy
		}
	}
	return v
}

// text is what the answer says, without what wraps it.
func (r *Refusal) text() string {
	text := clean(r.Message)
	if text == "" || strings.HasPrefix(text, "Parameter verification failed") {
		text = clean(r.Reason)
	}
	return text
}

// words is what the answer says, for people.
func (r *Refusal) words() string {
	if len(r.Params) > 0 {
		all := make([]string, 0, len(r.Params))
		for _, p := range r.params() {
			all = append(all, p.Name+": "+p.Text)
		}
		return strings.Join(all, "; ")
	}
	if text := r.text(); text != "" {
		return text
	}
	return strings.TrimSpace(fmt.Sprintf("Proxmox VE answered %d %s", r.Status, http.StatusText(r.Status)))
}

// Param is what Proxmox VE says of one parameter.
type Param struct {
	Name string // as precise as it is said: net0.tag rather than net0
	Text string
}

// Params returns what err says of parameters, sorted by name; none where no parameter is to blame.
func Params(err error) []Param {
	var r *Refusal
	if !asRefusal(err, &r) {
		return nil
	}
	return r.params()
}

// Blame returns err with the attribute to blame, where err says which parameter is and at knows its attribute. It is asked
// for the precise name first, net0.tag, then for the parameter, net0; "" says that it knows none.
func Blame(err error, at func(param string) backends.Path) error {
	done, ok := asError(err)
	if !ok || done.Path != "" {
		return err
	}
	for _, p := range Params(err) {
		top, _, _ := strings.Cut(p.Name, ".")
		for _, name := range []string{p.Name, top} {
			if path := at(name); path != "" {
				return done.At(path)
			}
		}
	}
	return err
}

var inner = regexp.MustCompile(`^([A-Za-z][A-Za-z0-9_-]*(?:\.[A-Za-z0-9_-]+)+): (.+)$`)

// params puts the texts in order. "invalid format - format error\nnet0.tag: value must ..." becomes what it says of net0.tag.
func (r *Refusal) params() []Param {
	all := make([]Param, 0, len(r.Params))
	for name, text := range r.Params {
		text = strings.TrimSpace(text)
		first, rest, more := strings.Cut(text, "\n")
		if more && strings.HasSuffix(first, "format error") {
			for line := range strings.Lines(rest) {
				if line = strings.TrimSpace(line); line == "" {
					continue
				}
				if m := inner.FindStringSubmatch(line); m != nil {
					all = append(all, Param{m[1], clean(m[2])})
				} else {
					all = append(all, Param{name, clean(line)})
				}
			}
			continue
		}
		all = append(all, Param{name, clean(text)})
	}
	slices.SortFunc(all, func(a, b Param) int { return strings.Compare(a.Name+"\x00"+a.Text, b.Name+"\x00"+b.Text) })
	return all
}

var (
	origin = regexp.MustCompile(` at /usr/(share|lib)/[^ ]+ line \d+\.?`)
	spaces = regexp.MustCompile(`\s*\n\s*`)
)

// clean removes line ends and places in Perl's source from a text.
func clean(text string) string {
	text = origin.ReplaceAllString(text, "")
	return strings.TrimSpace(spaces.ReplaceAllString(strings.TrimSpace(text), "; "))
}
