package tfx

import (
	"errors"
	"fmt"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// Operation is what Terraform was doing, named as in the timeouts attribute.
type Operation string

// The operations.
const (
	Create Operation = "create"
	Read   Operation = "read"
	Update Operation = "update"
	Delete Operation = "delete"
	Plan   Operation = "plan"
	Import Operation = "import"
)

// AddError adds err as an error, at the attribute that it blames where it names
// one. The detail has the cause, the hypervisor and what the user can do.
func (d *ProviderData) AddError(diags *diag.Diagnostics, op Operation, err error) {
	if err == nil {
		return
	}
	var e *backends.Error
	if !errors.As(err, &e) {
		e = &backends.Error{Code: backends.CodeOf(err), Op: string(op), Err: err}
	}
	detail := d.detail(e, op, err)
	if p := Path(e.Path); !p.Equal(path.Empty()) {
		diags.AddAttributeError(p, e.Summary(), detail)
		return
	}
	diags.AddError(e.Summary(), detail)
}

func (d *ProviderData) detail(e *backends.Error, op Operation, err error) string {
	var parts []string
	if cause := cause(e, err); cause != "" {
		parts = append(parts, sentence(cause))
	}
	if e.Remedy != "" {
		parts = append(parts, sentence(e.Remedy))
	}
	if advice := d.advice(e.Code, op); advice != "" {
		parts = append(parts, advice)
	}
	text := strings.Join(parts, " ")
	return strings.TrimSpace(text + "\n\n" + "Backend: " + d.describe() + ", error code: " + string(e.Code) + ".")
}

// cause is the first cause; where several errors were joined, all of them.
func cause(e *backends.Error, err error) string {
	var joined interface{ Unwrap() []error }
	if errors.As(err, &joined) && !errors.As(e.Err, &joined) {
		var all []string
		for _, one := range joined.Unwrap() {
			all = append(all, one.Error())
		}
		return strings.Join(all, "; then: ")
	}
	if e.Err == nil {
		return ""
	}
	return e.Err.Error()
}

func (d *ProviderData) advice(code backends.Code, op Operation) string {
	switch code {
	case backends.Auth:
		return fmt.Sprintf("Check the credentials and privileges in the provider block (%q) or its environment variables.", d.Kind())
	case backends.Timeout:
		if op != Plan && op != Import {
			return fmt.Sprintf("What exists is kept in state. If the operation needs longer, raise timeouts.%s.", op)
		}
	case backends.Canceled:
		return "The operation was interrupted. What exists already is kept in state."
	case backends.Locked:
		return "Another operation holds the object; try again when it has finished."
	case backends.Internal:
		return "This looks like a fault of the provider; please report it with this message."
	default: // cause and remedy say it
	}
	return ""
}

// describe names the hypervisor as well as it is known.
func (d *ProviderData) describe() string {
	if d == nil {
		return "not configured"
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	text := string(d.kind)
	if d.info.Product != "" {
		text = strings.TrimSpace(fmt.Sprintf("%s (%s %s", text, d.info.Product, d.info.Version))
		if d.info.Endpoint != "" {
			text += " at " + d.info.Endpoint
		}
		text += ")"
	}
	return text
}

// AddFindings adds what a plan check found, each at its attribute.
func AddFindings(diags *diag.Diagnostics, findings []backends.Finding) {
	for _, f := range findings {
		p := Path(f.Path)
		switch {
		case f.Severity == backends.SeverityError && p.Equal(path.Empty()):
			diags.AddError(f.Summary, f.Detail)
		case f.Severity == backends.SeverityError:
			diags.AddAttributeError(p, f.Summary, f.Detail)
		case p.Equal(path.Empty()):
			diags.AddWarning(f.Summary, f.Detail)
		default:
			diags.AddAttributeWarning(p, f.Summary, f.Detail)
		}
	}
}

// AddWarnings adds what an operation wants the user to know.
func AddWarnings(diags *diag.Diagnostics, warnings []backends.Warning) {
	for _, w := range warnings {
		if p := Path(w.Path); !p.Equal(path.Empty()) {
			diags.AddAttributeWarning(p, w.Summary, w.Detail)
			continue
		}
		diags.AddWarning(w.Summary, w.Detail)
	}
}

// sentence starts with a capital letter, where it does not start with a name, and ends with a full stop.
func sentence(s string) string {
	s = strings.TrimSpace(s)
	if s == "" {
		return s
	}
	if first := s[0]; first >= 'a' && first <= 'z' && !strings.ContainsAny(strings.SplitN(s, " ", 2)[0], `_./:"[@!=-0123456789`) {
		s = strings.ToUpper(s[:1]) + s[1:]
	}
	if !strings.ContainsRune(".!?", rune(s[len(s)-1])) {
		s += "."
	}
	return s
}
