package pvesim

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"strings"
	"time"
)

const prefix = "/api2/json"

// rawAnswer is data that a handler returns to write the answer itself, for what is no JSON. It runs without mu.
type rawAnswer func(w http.ResponseWriter, r *http.Request)

// answer is the way of every request: faults and delays, authentication, the schema, privileges, the node that it
// is for, its parameters, and the handler. The order is that of Proxmox VE's pveproxy.
func (s *Server) answer(w http.ResponseWriter, h *http.Request) {
	path, isAPI := strings.CutPrefix(h.URL.Path, prefix)
	if !isAPI {
		refuse(w, h, &refusal{status: http.StatusNotFound, reason: "File not found", empty: true})
		return
	}
	path = strings.TrimSuffix(path, "/")
	if path == "" {
		path = "/"
	}
	t, matched := s.match(h.Method, path)
	route := h.Method + " " + path
	if matched {
		route = t.Route()
	}
	s.counts.add(route)
	rule, goOn := s.disturb(w, h, route)
	if !goOn {
		return
	}
	r, data, err := s.serveAPI(h, t, matched, path)
	if rule != nil {
		rule.apply(w, h)
		return
	}
	if r != nil {
		defer r.cleanup()
	}
	var raw rawAnswer
	switch raw, _ = data.(rawAnswer); {
	case err != nil:
		s.delayRefusal(h, err)
		refuse(w, h, err)
	case raw != nil:
		raw(w, h)
	default:
		success(w, h, r, data)
	}
}

// delayRefusal keeps who guesses waiting.
func (s *Server) delayRefusal(h *http.Request, err error) {
	var r *refusal
	if s.opts.LoginDelay <= 0 || !errors.As(err, &r) || r.status != http.StatusUnauthorized {
		return
	}
	timer := time.NewTimer(s.opts.LoginDelay)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-h.Context().Done():
	case <-s.faults.released:
	}
}

// serveAPI answers one request.
func (s *Server) serveAPI(h *http.Request, t target, matched bool, path string) (*request, any, error) {
	switch {
	case !known[h.Method]:
		return nil, nil, proxied(http.StatusNotImplemented, fmt.Sprintf("method '%s' not available", h.Method))
	case len(h.TransferEncoding) > 0:
		return nil, nil, unread(http.StatusNotImplemented, "chunked transfer encoding not supported")
	}
	user, byToken, err := s.authenticate(h, path)
	if err != nil {
		return nil, nil, err
	}
	if h.ContentLength > 0 && h.Method != http.MethodPost && h.Method != http.MethodPut {
		return nil, nil, unread(http.StatusNotImplemented, fmt.Sprintf("Unexpected content for method '%s'", h.Method))
	}
	in, file, err := readParams(h)
	r := &request{cluster: s.cluster, ctx: h.Context(), http: h, user: user, upload: file}
	if err != nil {
		return r, nil, err
	}
	if !matched {
		return r, nil, notImplemented(h.Method, path)
	}
	if byToken && !bool(t.AllowToken) {
		return r, nil, forbidden(fmt.Sprintf("URI '%s' not available with API token, need proper ticket.\n", path))
	}
	data, err := s.perform(r, t, in)
	return r, data, err
}

var known = map[string]bool{http.MethodGet: true, http.MethodPost: true, http.MethodPut: true, http.MethodDelete: true, http.MethodHead: true}

func notImplemented(method, path string) error {
	text := fmt.Sprintf("Method '%s %s' not implemented", method, path)
	return &refusal{status: http.StatusNotImplemented, reason: text, message: text}
}

// perform is what follows the authentication.
func (s *Server) perform(r *request, t target, in map[string]any) (data any, err error) {
	delete(in, "_dc")
	for name, value := range t.vars {
		if sent, twice := in[name]; twice && plain(sent) != value {
			return nil, wrongParam(name, "duplicate parameter (already defined in URI) with conflicting values!")
		}
		in[name] = value
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	defer func() {
		if p := recover(); p != nil {
			s.panicked(fmt.Sprintf("%s: %v\n%s", t.Route(), p, debug.Stack()))
			data, err = nil, die("panic: %v", p)
		}
	}()
	if err := s.allowed(r, t.Permissions, in); err != nil {
		return nil, err
	}
	if err := s.proxy(t, in); err != nil {
		return nil, err
	}
	if r.p, err = t.verify(in); err != nil {
		return nil, err
	}
	h := handlers[t.Route()]
	if h == nil {
		return nil, raise(http.StatusNotImplemented, "'%s' is not simulated", t.Route())
	}
	return h(r)
}

// proxy is what comes of a request for another node: an answer where that is not there. It holds mu.
func (s *Server) proxy(t target, in map[string]any) error {
	name, _ := in[t.Proxyto].(string)
	if t.Proxyto == "" || name == "" || name == "localhost" {
		return nil
	}
	n := s.node(name)
	switch {
	case n == nil:
		return die("hostname lookup '%s' failed - failed to get address info for: %s: Temporary failure in name resolution", name, name)
	case !n.online && n.refuses:
		return proxied(595, "Connection refused")
	case !n.online:
		return proxied(595, "No route to host")
	}
	return nil
}

// call performs a request in the process, as root@pam with a ticket.
func (s *Server) call(method, path string, p params) (any, error) {
	in := make(map[string]any, len(p))
	for k, v := range p {
		in[k] = v
	}
	t, matched := s.match(method, path)
	if !matched {
		return nil, notImplemented(method, path)
	}
	h, err := http.NewRequestWithContext(context.Background(), method, s.URL()+prefix+path, nil)
	if err != nil {
		return nil, err
	}
	return s.perform(&request{cluster: s.cluster, ctx: h.Context(), http: h, user: &login{name: "root@pam"}}, t, in)
}
