package pvesim

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
)

// refusal is an answer that is no success: what Proxmox VE says with a status,
// a reason phrase and a body.
type refusal struct {
	status  int
	reason  string            // "" is the status's own, or the first line of message
	message string            // in the body; "" is reason
	errors  map[string]string // by parameter
	empty   bool              // no body at all, as the proxy in front answers
	bare    bool              // the reason is all of the body, without a type
}

func (e *refusal) Error() string {
	if e.message != "" {
		return strings.TrimSpace(e.message)
	}
	if e.reason != "" {
		return e.reason
	}
	return http.StatusText(e.status)
}

// die is what Perl's die comes to: status 500 with the text as reason and message. In a task the
// same error is how the task ends.
func die(format string, args ...any) error {
	return &refusal{status: http.StatusInternalServerError, reason: fmt.Sprintf(format, args...)}
}

// raise refuses with another status.
func raise(status int, format string, args ...any) error {
	return &refusal{status: status, reason: fmt.Sprintf(format, args...)}
}

// wrong refuses parameters: status 400 with a text for each.
func wrong(params map[string]string) error {
	return &refusal{status: http.StatusBadRequest, reason: "Parameter verification failed.", errors: params}
}

// wrongParam is wrong for one parameter.
func wrongParam(name, format string, args ...any) error {
	return wrong(map[string]string{name: fmt.Sprintf(format, args...)})
}

// proxied refuses as the proxy does, with a reason phrase and an empty body.
func proxied(status int, reason string) error {
	return &refusal{status: status, reason: reason, empty: true}
}

// unread refuses a body, as the server does that reads it: with a reason phrase that is all there is to the answer.
func unread(status int, reason string) error {
	return &refusal{status: status, reason: reason, bare: true}
}

// text is what a task that ends with err says of it.
func text(err error) string {
	var r *refusal
	if errors.As(err, &r) {
		if r.status == http.StatusInternalServerError || r.empty || r.bare {
			return r.Error()
		}
		// An exception, and not only words, begins with its status.
		all := fmt.Sprintf("%d %s", r.status, r.Error())
		for _, name := range slices.Sorted(maps.Keys(r.errors)) {
			all += fmt.Sprintf("\n%s: %s", name, strings.TrimSpace(r.errors[name]))
		}
		return all
	}
	if errors.Is(err, context.Canceled) {
		return "received interrupt"
	}
	return err.Error()
}
