package pve

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// trail remembers what went wrong at which endpoint.
type trail struct {
	order []string
	said  map[string]string
}

func (t *trail) add(p *place, err error) {
	if err == nil {
		return
	}
	if t.said == nil {
		t.said = map[string]string{}
	}
	if _, known := t.said[p.url.Host]; !known {
		t.order = append(t.order, p.url.Host)
	}
	t.said[p.url.Host] = inWords(err)
}

// explain makes an error of what happened to a request whose last attempt ended with err.
func (t *trail) explain(q *call, err error) error {
	parts := make([]string, len(t.order))
	for i, host := range t.order {
		parts[i] = host + ": " + t.said[host]
	}
	text := strings.Join(parts, "; ")
	if unsent(err) {
		return backends.Errorf(backends.Transient, "", "", "Proxmox VE does not answer (%s)%w", text, hidden{err}).
			Advise("Check endpoint and network, and that pveproxy runs on the node.")
	}
	e := backends.Errorf(backends.Transient, "", "", "the connection to Proxmox VE broke (%s)%w", text, hidden{err})
	if !q.reads() {
		e = e.Advise("Whether the request was executed is not known: it was not sent again.")
	}
	return e
}

// hidden wraps an error without showing it.
type hidden struct{ err error }

func (h hidden) Error() string { return "" }
func (h hidden) Unwrap() error { return h.err }

// inWords says what a connection met.
func inWords(err error) string {
	var dns *net.DNSError
	switch {
	case errors.As(err, &dns) && dns.IsNotFound:
		return fmt.Sprintf("the name %s is not known", dns.Name)
	case errors.Is(err, syscall.ECONNREFUSED):
		return "connection refused"
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return "connection reset"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "connection closed without an answer"
	case errors.Is(err, os.ErrDeadlineExceeded):
		return "connection timed out"
	}
	return err.Error()
}
