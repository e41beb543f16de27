package diskimage

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"
)

// Kind is the class of an Error, for callers that have error codes of their own.
type Kind int

const (
	// Invalid: the description of the source is wrong (URL, path, checksum).
	Invalid Kind = iota + 1
	// NotFound: there is no such file, here or on the server.
	NotFound
	// Denied: the server or the file system refuses to hand the file out.
	Denied
	// Unreachable: the server did not answer, or only with errors, also after retries.
	Unreachable
	// Incomplete: fewer bytes arrived than were promised.
	Incomplete
	// Mismatch: the checksum of what was transferred is not the expected one.
	Mismatch
	// Changed: the image was replaced while it was read.
	Changed
	// TooLarge: a limit of the source was exceeded.
	TooLarge
	// Unsupported: the content is not a disk image that can be used as it is.
	Unsupported
	// Damaged: the content contradicts itself (decompression failed, impossible header).
	Damaged
)

// Error is what this package returns, except for the errors of a context,
// which are wrapped and can be found with errors.Is.
type Error struct {
	Kind  Kind
	Image string // what was read, as Source.String shows it; may be empty
	Msg   string // cause and remedy
	Err   error  // what lies beneath, already part of Msg; may be nil
}

func (e *Error) Error() string {
	if e.Image == "" {
		return e.Msg
	}
	return "image " + e.Image + ": " + e.Msg
}

func (e *Error) Unwrap() error { return e.Err }

// KindOf returns the Kind of the first Error in the chain of err, or 0.
func KindOf(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return 0
}

func errorf(kind Kind, format string, args ...any) *Error {
	return &Error{Kind: kind, Msg: fmt.Sprintf(format, args...)}
}

// about names the image in an error that does not name one yet.
func about(image string, err error) error {
	var e *Error
	if !errors.As(err, &e) {
		return fmt.Errorf("image %s: %w", image, err)
	}
	if e.Image != "" {
		return err
	}
	named := *e
	named.Image = image
	return &named
}

// cause returns what went wrong beneath an HTTP request. The *url.Error around
// it is dropped because it repeats the URL with its query string.
func cause(err error) error {
	var u *url.Error
	for errors.As(err, &u) {
		err = u.Err
	}
	return err
}

var urlInText = regexp.MustCompile(`(?i)[a-z][a-z0-9+.-]*://[^\s"'<>]+`)

// scrub removes credentials and query strings from the URLs in a text that was
// made elsewhere.
func scrub(text string) string {
	return urlInText.ReplaceAllStringFunc(text, redact)
}

// redact shows a URL without user name, password, query and fragment. It does
// not rely on the URL being well-formed.
func redact(raw string) string {
	u, err := url.Parse(raw)
	if err == nil && u.Opaque == "" {
		query := ""
		if u.RawQuery != "" {
			query = "?(hidden)"
		}
		u.User, u.RawQuery, u.ForceQuery, u.Fragment, u.RawFragment = nil, "", false, "", ""
		return u.String() + query
	}
	scheme, rest, ok := strings.Cut(raw, "://")
	if !ok {
		return "(hidden URL)"
	}
	if i := strings.IndexAny(rest, "?#"); i >= 0 {
		rest = rest[:i]
	}
	// The last "@" ends the user information, also where a password holds "/".
	if i := strings.LastIndex(rest, "@"); i >= 0 {
		rest = rest[i+1:]
	}
	return scheme + "://" + rest
}
