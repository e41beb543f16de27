package fault

import (
	"crypto/tls"
	"encoding/xml"
	"errors"
	"io"
	"net"
	"net/url"
	"strconv"
	"strings"
	"syscall"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

const whenReachable = "Check that vSphere is up and that its address can be reached from here; then apply again."

// ofNetwork judges errors of the way to vSphere. What a deadline of the dialler ended is Transient:
// only who has the context can tell whether it was its own.
func ofNetwork(err error) (verdict, bool) {
	text := plain(err)
	if status, ok := httpStatus(err); ok {
		return verdict{code: ofStatus(status), text: text, remedy: remedyOf(status)}, true
	}
	var dns *net.DNSError
	var op *net.OpError
	var record tls.RecordHeaderError
	var syntax *xml.SyntaxError
	switch {
	case errors.As(err, &record):
		return verdict{code: backends.Invalid, text: "what answers there does not speak TLS", remedy: "Check host and port of the endpoint."}, true
	case errors.As(err, &dns), errors.As(err, &op), refused(err),
		errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed),
		errors.As(err, &syntax) && strings.Contains(syntax.Msg, "unexpected EOF"),
		strings.HasSuffix(text, "unexpected EOF"), strings.Contains(text, "server closed idle connection"),
		strings.Contains(text, "TLS handshake timeout"), strings.Contains(text, "http2: client connection lost"):
		return verdict{code: backends.Transient, text: text, remedy: whenReachable}, true
	}
	return verdict{}, false
}

func refused(err error) bool {
	return errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) ||
		errors.Is(err, syscall.EHOSTUNREACH) || errors.Is(err, syscall.ENETUNREACH)
}

// plain returns an error's text without the request's URL, but with the host that it was for.
func plain(err error) string {
	var u *url.Error
	if !errors.As(err, &u) {
		return err.Error()
	}
	text := u.Err.Error()
	if target, e := url.Parse(u.URL); e == nil && target.Host != "" {
		return target.Host + " does not answer: " + text
	}
	return "vSphere does not answer: " + text
}

// httpStatus returns the status that a call to the SDK was answered with, instead of an answer of the SDK. govmomi keeps it in
// an error that is not exported, whose text is the status line.
func httpStatus(err error) (int, bool) {
	var u *url.Error
	if !errors.As(err, &u) {
		return 0, false
	}
	code, _, _ := strings.Cut(u.Err.Error(), " ")
	status, e := strconv.Atoi(code)
	return status, e == nil && status >= 300 && status < 600
}
