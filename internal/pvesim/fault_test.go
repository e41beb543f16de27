package pvesim

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestFaultAfterIsCarriedOut(t *testing.T) {
	s := Start(t, Options{})
	c := newClient(t, s)
	s.Fault(Fault{Route: "POST /pools", After: true, Drop: true, Times: 1})
	if a, err := c.try("POST", "/pools", "poolid=lost"); err == nil {
		t.Fatalf("answered %v", a)
	}
	c.want(500, "create pool failed: pool 'lost' already exists", "POST", "/pools", "poolid=lost")
	s.Fault(Fault{Route: "POST /pools", Drop: true, Times: 1})
	if a, err := c.try("POST", "/pools", "poolid=never"); err == nil {
		t.Fatalf("answered %v", a)
	}
	c.want(200, "OK", "POST", "/pools", "poolid=never")
	if n := s.Requests()["POST /pools"]; n != 4 {
		t.Errorf("%d requests counted", n)
	}
}

func TestFaultHangs(t *testing.T) {
	s := Start(t, Options{})
	c := newClient(t, s)
	matched := make(chan struct{}, 1)
	s.Fault(Fault{Route: "GET", Hang: true, Match: func(h *http.Request) bool {
		matched <- struct{}{}
		return strings.HasSuffix(h.URL.Path, "/version")
	}})
	ctx, cancel := context.WithCancel(t.Context())
	h, err := http.NewRequestWithContext(ctx, "GET", s.URL()+prefix+"/version", nil)
	if err != nil {
		t.Fatal(err)
	}
	h.Header = c.header.Clone()
	go func() {
		<-matched
		cancel()
	}()
	if _, err := c.send(h); !errors.Is(err, context.Canceled) {
		t.Errorf("a hanging request ended with %v", err)
	}
	c.want(200, "OK", "GET", "/access", "")
}

func TestLoginDelay(t *testing.T) {
	s := Start(t, Options{LoginDelay: time.Hour})
	c := newClient(t, s)
	c.want(200, "OK", "GET", "/version", "")
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	h, err := http.NewRequestWithContext(ctx, "GET", s.URL()+prefix+"/version", nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.send(h); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a refusal came at once: %v", err)
	}
}

// TestBodies sends what pveproxy takes and what it does not.
func TestBodies(t *testing.T) {
	s := Start(t, Options{})
	c := newClient(t, s)
	for name, x := range map[string]struct {
		method, kind string
		body         io.Reader
		status       int
		reason       string
	}{
		"JSON":         {"POST", "application/json", strings.NewReader(`{"poolid":"one"}`), 200, "OK"},
		"no type":      {"POST", "", strings.NewReader("poolid=two"), 200, "OK"},
		"damaged JSON": {"POST", "application/json", strings.NewReader(`{`), 500, `'"' expected, at character offset 1 (before "(end of string)") at /usr/share/perl5/PVE/APIServer/AnyEvent.pm line 917.`},
		"other type":   {"POST", "text/plain", strings.NewReader("poolid=three"), 506, "upload 'Content-Type 'text/plain' not implemented"},
		"too large":    {"POST", "application/x-www-form-urlencoded", bytes.NewReader(make([]byte, maxForm+1)), 501, "for data too large"},
		"in chunks":    {"POST", "application/x-www-form-urlencoded", io.MultiReader(strings.NewReader("poolid=four")), 501, "chunked transfer encoding not supported"},
		"of a delete":  {"DELETE", "application/x-www-form-urlencoded", strings.NewReader("a=b"), 501, "Unexpected content for method 'DELETE'"},
	} {
		h, err := http.NewRequestWithContext(t.Context(), x.method, s.URL()+prefix+"/pools", x.body)
		if err != nil {
			t.Fatal(err)
		}
		h.Header = c.header.Clone()
		if x.kind != "" {
			h.Header.Set("Content-Type", x.kind)
		}
		a, err := c.send(h)
		if err != nil || a.status != x.status || a.reason != x.reason {
			t.Errorf("%s: %d %s %v, want %d %s", name, a.status, a.reason, err, x.status, x.reason)
		}
		if x.status >= 500 && strings.TrimSuffix(a.text, "\n") != x.reason {
			t.Errorf("%s: body %q, want the reason", name, a.text)
		}
	}
	c.want(400, "Parameter verification failed.", "GET", "/nodes/pve1/version", "node=pve2").
		fails(t, "node", "duplicate parameter (already defined in URI) with conflicting values!")
}

// TestPerlJSON has the words for what is wrong with a body; the first is recorded.
func TestPerlJSON(t *testing.T) {
	for body, want := range map[string]string{
		`{bad json`:              `'"' expected, at character offset 1 (before "bad json")`,
		`{"a" 1}`:                `':' expected, at character offset 5 (before "1}")`,
		`{"a":1 "b":2}`:          `, or } expected while parsing object/hash, at character offset 7 (before ""b":2}")`,
		`{"a":[1`:                `, or ] expected while parsing array, at character offset 7 (before "(end of string)")`,
		`{"é":x}`:                `malformed JSON string, neither tag, array, object, number, string or atom, at character offset 5 (before "x}")`,
		`{} and much more to it`: `garbage after JSON object, at character offset 3 (before "and much more to it")`,
		`[]`:                     `Not a HASH reference`,
	} {
		if got := perlJSON([]byte(body)); got != want+" at /usr/share/perl5/PVE/APIServer/AnyEvent.pm line 917.\n" {
			t.Errorf("%s: %s", body, got)
		}
	}
}

// TestCompression compresses what is long, for who can read it.
func TestCompression(t *testing.T) {
	c := newClient(t, Start(t, Options{}))
	for path, want := range map[string]string{"/version": "", "/access/roles": "gzip"} {
		h, err := http.NewRequestWithContext(t.Context(), "GET", c.s.URL()+prefix+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		h.Header = c.header.Clone()
		h.Header.Set("Accept-Encoding", "gzip")
		got, err := c.http.Do(h)
		if err != nil {
			t.Fatal(err)
		}
		_ = got.Body.Close()
		if encoding := got.Header.Get("Content-Encoding"); encoding != want {
			t.Errorf("%s: encoding %q, want %q", path, encoding, want)
		}
	}
	if rows := c.want(200, "OK", "GET", "/access/roles", "").rows(); len(rows) < 15 {
		t.Errorf("%d roles", len(rows))
	}
}
