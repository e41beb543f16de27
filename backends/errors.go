package backends

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// Code classifies an error by what a caller can do about it. Each driver maps
// its hypervisor's errors to codes in one place.
type Code string

// The codes.
const (
	// NotFound: the object does not exist. Only this removes a resource from state.
	NotFound Code = "not_found"
	// Conflict: the name, address or id is taken.
	Conflict Code = "conflict"
	// Locked: another operation holds the object; the same call may succeed later.
	Locked Code = "locked"
	// Invalid: the hypervisor or the driver refuses a value.
	Invalid Code = "invalid"
	// Unsupported: the hypervisor cannot do this at all.
	Unsupported Code = "unsupported"
	// Precondition: the object is in a state that forbids this now.
	Precondition Code = "precondition"
	// Auth: the credentials are wrong or lack a privilege.
	Auth Code = "auth"
	// Exhausted: no space, memory, address or licence is left.
	Exhausted Code = "exhausted"
	// Transient: a dropped connection or a busy service; idempotent calls are retried.
	Transient Code = "transient"
	// Timeout: the time allowed for the operation is over; the object is kept.
	Timeout Code = "timeout"
	// Canceled: the user interrupted.
	Canceled Code = "canceled"
	// Internal: a fault of the driver or an answer that makes no sense.
	Internal Code = "internal"
)

// Error is what every Backend method returns when it fails.
type Error struct {
	Code   Code
	Op     string // what was being done: a verb, "create", or a phrase, `resize disk "data"`
	Object string // on what: `VM "web"`, `image "debian-12"`
	Path   Path   // the attribute to blame, or ""
	Remedy string // what the user can do, a sentence, or ""
	Err    error  // the first cause
}

// Error reads `Unable to resize disk "data" of VM "web": cause`.
func (e *Error) Error() string {
	cause := string(e.Code)
	if e.Err != nil {
		cause = e.Err.Error()
	}
	return e.Summary() + ": " + cause
}

// Summary is the message without its cause: `Unable to create VM "web"` where Op
// is one verb, `Unable to resize disk "data" of VM "web"` where it is a phrase.
func (e *Error) Summary() string {
	op := e.Op
	if op == "" {
		op = "finish an operation"
	}
	switch {
	case e.Object == "" || strings.Contains(op, e.Object):
		return "Unable to " + op
	case !strings.Contains(op, " "):
		return "Unable to " + op + " " + e.Object
	default:
		return "Unable to " + op + " of " + e.Object
	}
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Is reports whether target is an *Error without a cause and of the same code,
// so that errors.Is(err, ErrNotFound) asks for the code.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Err == nil && t.Op == "" && t.Code == e.Code
}

// Sentinels for errors.Is.
var (
	ErrNotFound     = &Error{Code: NotFound}
	ErrConflict     = &Error{Code: Conflict}
	ErrLocked       = &Error{Code: Locked}
	ErrInvalid      = &Error{Code: Invalid}
	ErrUnsupported  = &Error{Code: Unsupported}
	ErrPrecondition = &Error{Code: Precondition}
	ErrTransient    = &Error{Code: Transient}
	ErrCanceled     = &Error{Code: Canceled}
)

// CodeOf returns the code of err: that of the outermost *Error in its chain,
// Canceled and Timeout for the context's errors, Internal for anything else,
// "" for nil.
func CodeOf(err error) Code {
	if err == nil {
		return ""
	}
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	switch {
	case errors.Is(err, context.Canceled):
		return Canceled
	case errors.Is(err, context.DeadlineExceeded):
		return Timeout
	}
	return Internal
}

// Errorf makes an *Error whose cause is formatted like fmt.Errorf.
func Errorf(code Code, op, object, format string, args ...any) *Error {
	return &Error{Code: code, Op: op, Object: object, Err: fmt.Errorf(format, args...)}
}

// Wrap gives err an operation and an object. An *Error keeps its code, path,
// remedy and first cause, and gets Op and Object where it has none; the
// context's errors become Canceled or Timeout; anything else is Internal.
// Wrap(nil) is nil.
func Wrap(err error, op, object string) error {
	if err == nil {
		return nil
	}
	var e *Error
	if !errors.As(err, &e) {
		return &Error{Code: CodeOf(err), Op: op, Object: object, Err: err}
	}
	c := *e
	if c.Op == "" {
		c.Op = op
	}
	if c.Object == "" {
		c.Object = object
	}
	return &c
}

// At returns a copy of err that blames the attribute at path.
func (e *Error) At(path Path) *Error { c := *e; c.Path = path; return &c }

// Advise returns a copy of err with a remedy.
func (e *Error) Advise(format string, args ...any) *Error {
	c := *e
	c.Remedy = fmt.Sprintf(format, args...)
	return &c
}
