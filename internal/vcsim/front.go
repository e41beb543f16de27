package vcsim

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"regexp"
	"strings"

	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// request is what the front knows of a client's call before anybody has
// answered it.
type request struct {
	method string // of the SDK, or the verb and path
	soap   bool
	this   types.ManagedObjectReference
	body   []byte
}

var (
	soapMethod = regexp.MustCompile(`<(?:[A-Za-z0-9_-]+:)?Body[^>]*>\s*<(?:[A-Za-z0-9_-]+:)?([A-Za-z0-9_]+)`)
	soapThis   = regexp.MustCompile(`<(?:[A-Za-z0-9_-]+:)?_this\b[^>]*\btype="([A-Za-z]+)"[^>]*>([^<]+)<`)
	identifier = regexp.MustCompile(`(?i)(id:|urn:)[^/?]+|[0-9a-f]{8}-[0-9a-f-]{27,}`)
)

// transfers are the paths whose bodies are files.
var transfers = []string{"/nfc/", "/folder/", "/guestFile"}

// read finds out what the client asks.
func read(r *http.Request) (*request, error) {
	for _, prefix := range transfers {
		if strings.HasPrefix(r.URL.Path, prefix) {
			return &request{method: r.Method + " " + strings.TrimSuffix(prefix, "/")}, nil
		}
	}

	if strings.Contains(r.URL.Path, "/updatesession/") || strings.Contains(r.URL.Path, "/library/item/update-session") {
		return &request{method: r.Method + " " + generic(r.URL.Path)}, nil
	}

	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}

	r.Body = io.NopCloser(bytes.NewReader(body))
	q := &request{method: r.Method + " " + generic(r.URL.Path), body: body}

	if m := soapMethod.FindSubmatch(body); m != nil && r.Method == http.MethodPost {
		q.method, q.soap = string(m[1]), true
	}

	if m := soapThis.FindSubmatch(body); q.soap && m != nil {
		q.this = types.ManagedObjectReference{Type: string(m[1]), Value: string(m[2])}
	}

	return q, nil
}

// generic returns the path without what identifies one object.
func generic(path string) string { return identifier.ReplaceAllString(path, "{id}") }

// answer is the front of the server: it counts, delays and breaks what clients
// ask, and hands on the rest.
func (s *Server) answer(w http.ResponseWriter, r *http.Request) {
	defer loud()

	sent := &countingReader{ReadCloser: r.Body, traffic: &s.traffic}
	r.Body = sent

	q, err := read(r)
	if err != nil {
		return // The client is gone.
	}

	s.traffic.call(q.method)

	if !s.pause(r, q) {
		return
	}

	if f := s.faults.take(s, q); f != nil {
		s.fail(w, r, q, f)

		return
	}

	if q.method == "WaitForUpdatesEx" {
		defer context.AfterFunc(r.Context(), func() { s.cancelWait(q.this) })()
	}

	s.forward(w, r, q)
}

// forward hands the call on to the simulator and watches the answer.
func (s *Server) forward(w http.ResponseWriter, r *http.Request, q *request) {
	rest := strings.HasPrefix(r.URL.Path, "/rest") || strings.HasPrefix(r.URL.Path, "/api")
	if rest && !s.authorized(r) {
		writeREST(w, http.StatusUnauthorized, "unauthenticated", "Authentication required.")

		return
	}

	if rest && !s.options.Lax && s.refuseREST(w, r, q.body) {
		return
	}

	out := &watched{ResponseWriter: w, server: s, rewrite: rest || q.soap, keep: isSession(r)}
	s.service.ServeMux.ServeHTTP(out, r)
	s.noteSession(r, q, out)
}

// isSession reports whether the call opens or ends a session of REST.
func isSession(r *http.Request) bool {
	p := r.URL.Path

	return (p == "/rest/com/vmware/cis/session" || p == "/api/session") && r.URL.Query().Get("~action") == ""
}

const sessionHeader = "vmware-api-session-id"

// authorized reports whether a call to REST comes with a session that has not
// been ended behind the client's back, or needs none.
func (s *Server) authorized(r *http.Request) bool {
	if isSession(r) && r.Method == http.MethodPost {
		return true
	}

	token := restToken(r)

	// Transfers of library sessions carry their own token in the path.
	if strings.Contains(r.URL.Path, "/updatesession/") || strings.Contains(r.URL.Path, "/file/data/") || strings.Contains(r.URL.Path, "/files-data/") {
		return true
	}

	s.logins.mu.Lock()
	defer s.logins.mu.Unlock()

	return s.logins.restTokens[token]
}

func restToken(r *http.Request) string {
	if id := r.Header.Get(sessionHeader); id != "" {
		return id
	}

	if c, err := r.Cookie(sessionHeader); err == nil {
		return c.Value
	}

	return ""
}

// noteSession keeps account of sessions that were opened and ended.
func (s *Server) noteSession(r *http.Request, q *request, out *watched) {
	if out.status >= http.StatusBadRequest {
		return
	}

	s.logins.mu.Lock()
	defer s.logins.mu.Unlock()

	switch {
	case q.soap && (strings.HasPrefix(q.method, "Login") || q.method == "CloneSession"):
		s.logins.in++
	case q.soap && q.method == "Logout":
		s.logins.out++
	case isSession(r) && r.Method == http.MethodPost:
		if s.logins.restTokens == nil {
			s.logins.restTokens = make(map[string]bool)
		}

		s.logins.restIn++
		s.logins.restTokens[tokenOf(out.kept.Bytes())] = true
	case isSession(r) && r.Method == http.MethodDelete:
		s.logins.restOut++
		delete(s.logins.restTokens, restToken(r))
	}
}

// tokenOf returns the token in the answer to a login of REST, which is a
// string in itself or within an object.
func tokenOf(body []byte) string {
	var token string
	if json.Unmarshal(body, &token) == nil {
		return token
	}

	var wrapped struct {
		Value string `json:"value"`
	}

	_ = json.Unmarshal(body, &wrapped)

	return wrapped.Value
}

// sessionOf returns the key of the SDK session that the client names.
func sessionOf(r *http.Request) string {
	if c, err := r.Cookie(soap.SessionCookieName); err == nil {
		return strings.Trim(c.Value, `"`)
	}

	return ""
}

// watched is a response that is counted, and in which the simulator's inner
// address is replaced by the front's.
type watched struct {
	http.ResponseWriter

	server  *Server
	rewrite bool
	keep    bool
	status  int
	kept    bytes.Buffer
}

// WriteHeader notes the status.
func (w *watched) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

// Write sends what the client is to see.
func (w *watched) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}

	if w.keep {
		w.kept.Write(p)
	}

	out := p
	if w.rewrite && bytes.Contains(p, []byte(w.server.inner.URL.Host)) {
		out = bytes.ReplaceAll(p, []byte("http://"+w.server.inner.URL.Host), []byte("https://"+w.server.address))
	}

	w.server.traffic.add(len(out))

	if n, err := w.ResponseWriter.Write(out); err != nil { //nolint:gosec // What the simulator answers.
		return min(n, len(p)), err
	}

	return len(p), nil
}

// Unwrap lets http.ResponseController see the response beneath.
func (w *watched) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// countingReader counts what the client sends.
type countingReader struct {
	io.ReadCloser

	traffic *traffic
}

func (r *countingReader) Read(p []byte) (int, error) {
	n, err := r.ReadCloser.Read(p)
	r.traffic.add(n)

	return n, err
}
