package diskimage

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

const imageBytes = 3 << 20

// Faults of servers: what the reader of the image gets to see.
func TestDownload(t *testing.T) {
	body := noise(7, imageBytes)
	other := noise(8, imageBytes)
	full := fmt.Sprintf("of %d bytes", imageBytes)
	for _, tc := range []struct {
		name string
		// serve handles request number n, counted from 1.
		serve    func(w http.ResponseWriter, r *http.Request, n int)
		checksum Checksum
		limits   Limits
		kind     Kind // 0: the whole body arrives
		words    []string
		requests int // 0: not counted
	}{
		{
			name:     "plain",
			serve:    func(w http.ResponseWriter, r *http.Request, _ int) { serveContent(w, r, body) },
			checksum: sum256(body),
			requests: 1,
		},
		{
			name: "unknown length",
			serve: func(w http.ResponseWriter, r *http.Request, _ int) {
				w.Write(body[:1000])
				w.(http.Flusher).Flush()
				w.Write(body[1000:])
			},
			checksum: sum256(body),
			requests: 1,
		},
		{
			name: "cut twice and taken up again",
			serve: func(w http.ResponseWriter, r *http.Request, n int) {
				if n <= 2 {
					w = &limited{w, 1 << 20}
				}
				serveContent(w, r, body)
			},
			checksum: sum256(body),
			requests: 3,
		},
		{
			name: "cut more often than tries are allowed, but with progress",
			serve: func(w http.ResponseWriter, r *http.Request, n int) {
				if n <= 5 {
					w = &limited{w, 500_000}
				}
				serveContent(w, r, body)
			},
			requests: 6,
		},
		{
			name: "cut with Last-Modified only",
			serve: func(w http.ResponseWriter, r *http.Request, n int) {
				if n > 1 && r.Header.Get("If-Range") != time.Unix(1700000000, 0).UTC().Format(http.TimeFormat) {
					t.Errorf("If-Range %q", r.Header.Get("If-Range"))
				}
				if n == 1 {
					w = &limited{w, 1 << 20}
				}
				http.ServeContent(w, r, "", time.Unix(1700000000, 0), bytes.NewReader(body))
			},
			requests: 2,
		},
		{
			name: "cut, unknown length, total learned by the range",
			serve: func(w http.ResponseWriter, r *http.Request, n int) {
				w.Header().Set("ETag", `"x"`)
				if n == 1 {
					cutAfter(w, body, 1<<20)
				}
				http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(body))
			},
			requests: 2,
		},
		{
			name: "only the end mark lost",
			serve: func(w http.ResponseWriter, r *http.Request, n int) {
				w.Header().Set("ETag", `"x"`)
				if n == 1 {
					cutAfter(w, body, len(body))
				}
				http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(body))
			},
			requests: 2,
		},
		{
			name: "errors of the server that pass",
			serve: func(w http.ResponseWriter, r *http.Request, n int) {
				switch n {
				case 1:
					w.WriteHeader(http.StatusServiceUnavailable)
				case 2:
					w = &limited{w, 1 << 20}
					serveContent(w, r, body)
				case 3:
					w.WriteHeader(http.StatusBadGateway)
				default:
					serveContent(w, r, body)
				}
			},
			requests: 4,
		},
		{
			name: "stalls, then goes on",
			serve: func(w http.ResponseWriter, r *http.Request, n int) {
				if n == 1 {
					w.Header().Set("ETag", `"`+sum256(body).Hex[:8]+`"`)
					w.Header().Set("Content-Length", fmt.Sprint(len(body)))
					w.Write(body[:1<<20])
					w.(http.Flusher).Flush()
					<-r.Context().Done()
					return
				}
				serveContent(w, r, body)
			},
			limits:   Limits{IdleTimeout: 50 * time.Millisecond},
			requests: 2,
		},
		{
			name: "stalls for ever",
			serve: func(w http.ResponseWriter, r *http.Request, n int) {
				if n == 1 {
					w.Header().Set("ETag", `"x"`)
					w.Header().Set("Content-Length", fmt.Sprint(len(body)))
					w.Write(body[:1<<20])
					w.(http.Flusher).Flush()
				}
				<-r.Context().Done()
			},
			limits: Limits{IdleTimeout: 30 * time.Millisecond, ConnectTimeout: 30 * time.Millisecond},
			kind:   Incomplete,
			words:  []string{"download cut short: 1048576 " + full, "no further byte in 3 tries", "did not answer within 60ms"},
		},
		{
			name: "never answers",
			serve: func(w http.ResponseWriter, r *http.Request, _ int) {
				<-r.Context().Done()
			},
			limits:   Limits{IdleTimeout: 30 * time.Millisecond, ConnectTimeout: 30 * time.Millisecond},
			kind:     Unreachable,
			words:    []string{"did not answer within 60ms", "tried 3 times"},
			requests: 3,
		},
		{
			name: "no ranges",
			serve: func(w http.ResponseWriter, r *http.Request, _ int) {
				w.Header().Set("ETag", `"x"`)
				w.Header().Set("Content-Length", fmt.Sprint(len(body)))
				cutAfter(w, body, 1<<20)
			},
			kind:     Incomplete,
			words:    []string{"download cut short: 1048576 " + full, "does not continue a download"},
			requests: 2,
		},
		{
			name: "says that it has no ranges",
			serve: func(w http.ResponseWriter, r *http.Request, _ int) {
				w.Header().Set("Accept-Ranges", "none")
				w.Header().Set("Content-Length", fmt.Sprint(len(body)))
				cutAfter(w, body, 1<<20)
			},
			kind:     Incomplete,
			words:    []string{"1048576 " + full, "cannot continue a download"},
			requests: 1,
		},
		{
			name: "no validator and no checksum",
			serve: func(w http.ResponseWriter, r *http.Request, _ int) {
				w.Header().Set("Content-Length", fmt.Sprint(len(body)))
				cutAfter(w, body, 1<<20)
			},
			kind:     Incomplete,
			words:    []string{"1048576 " + full, "neither ETag nor Last-Modified", "no checksum is set"},
			requests: 1,
		},
		{
			name: "no validator but a checksum",
			serve: func(w http.ResponseWriter, r *http.Request, n int) {
				if n == 1 {
					w = &limited{w, 1 << 20}
				}
				http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(body))
			},
			checksum: sum256(body),
			requests: 2,
		},
		{
			name: "promises more than it has",
			serve: func(w http.ResponseWriter, r *http.Request, n int) {
				w.Header().Set("ETag", `"x"`)
				if n == 1 {
					w.Header().Set("Content-Length", fmt.Sprint(len(body)+1000))
					cutAfter(w, body, len(body))
				}
				http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(body))
			},
			kind:  Incomplete,
			words: []string{fmt.Sprintf("download cut short: %d of %d bytes", imageBytes, imageBytes+1000), "no more than that"},
		},
		{
			name: "another file after the drop",
			serve: func(w http.ResponseWriter, r *http.Request, n int) {
				if n == 1 {
					serveContent(&limited{w, 1 << 20}, r, body)
				}
				serveContent(w, r, other)
			},
			kind:     Changed,
			words:    []string{"replaced on the server", "1048576 " + full},
			requests: 2,
		},
		{
			name: "another range than asked for",
			serve: func(w http.ResponseWriter, r *http.Request, n int) {
				if n == 1 {
					serveContent(&limited{w, 1 << 20}, r, body)
				}
				w.Header().Set("Content-Range", fmt.Sprintf("bytes 0-%d/%d", imageBytes-1, imageBytes))
				w.WriteHeader(http.StatusPartialContent)
				w.Write(body)
			},
			kind:  Incomplete,
			words: []string{"another place than it was asked to"},
		},
		{
			name:     "wrong checksum",
			serve:    func(w http.ResponseWriter, r *http.Request, _ int) { serveContent(w, r, other) },
			checksum: sum256(body),
			kind:     Mismatch,
			words:    []string{"sha256", "expected " + sum256(body).Hex, "got " + sum256(other).Hex},
		},
		{
			name:   "larger than allowed, known",
			serve:  func(w http.ResponseWriter, r *http.Request, _ int) { serveContent(w, r, body) },
			limits: Limits{MaxBytes: 2 << 20},
			kind:   TooLarge,
			words:  []string{"has 3145728 bytes", "limit is 2097152"},
		},
		{
			name: "larger than allowed, unknown",
			serve: func(w http.ResponseWriter, r *http.Request, _ int) {
				w.Write(body[:1000])
				w.(http.Flusher).Flush()
				w.Write(body[1000:])
			},
			limits: Limits{MaxBytes: 2 << 20},
			kind:   TooLarge,
			words:  []string{"limit of 2097152 bytes"},
		},
		{
			name:     "404",
			serve:    func(w http.ResponseWriter, r *http.Request, _ int) { http.NotFound(w, r) },
			kind:     NotFound,
			words:    []string{"no such file", "404"},
			requests: 1,
		},
		{
			name:     "401",
			serve:    func(w http.ResponseWriter, r *http.Request, _ int) { w.WriteHeader(401) },
			kind:     Denied,
			words:    []string{"credentials", "401"},
			requests: 1,
		},
		{
			name:     "403",
			serve:    func(w http.ResponseWriter, r *http.Request, _ int) { w.WriteHeader(403) },
			kind:     Denied,
			words:    []string{"refuses", "403"},
			requests: 1,
		},
		{
			name:     "500 for ever",
			serve:    func(w http.ResponseWriter, r *http.Request, _ int) { w.WriteHeader(500) },
			kind:     Unreachable,
			words:    []string{"500 Internal Server Error", "tried 3 times"},
			requests: 3,
		},
		{
			name:  "a teapot",
			serve: func(w http.ResponseWriter, r *http.Request, _ int) { w.WriteHeader(418) },
			kind:  Invalid,
			words: []string{"unexpected answer", "418"},
		},
		{
			name: "a login page",
			serve: func(w http.ResponseWriter, r *http.Request, _ int) {
				io.WriteString(w, "\n<!DOCTYPE html><title>Log in</title>")
			},
			kind:  Unsupported,
			words: []string{"web page", "login"},
		},
		{
			name:  "redirects in a circle",
			serve: func(w http.ResponseWriter, r *http.Request, _ int) { http.Redirect(w, r, r.URL.Path, 302) },
			kind:  Invalid,
			words: []string{"redirects more than 10 times"},
			// The first and ten redirects.
			requests: 11,
		},
		{
			name:  "redirects to a local file",
			serve: func(w http.ResponseWriter, r *http.Request, _ int) { http.Redirect(w, r, "file:///etc/passwd", 302) },
			kind:  Invalid,
			words: []string{`"file"`, "only http and https"},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var requests atomic.Int32
			s := serve(t, func(w http.ResponseWriter, r *http.Request) {
				tc.serve(w, r, int(requests.Add(1)))
			})
			limits := tc.limits
			limits.MaxTries, limits.RetryDelay = fast.MaxTries, fast.RetryDelay
			if limits.IdleTimeout == 0 {
				limits.IdleTimeout = fast.IdleTimeout
			}
			secret := strings.Replace(s.URL, "://", "://someone:hunter2@", 1) + "/disk.img?sig=hunter2"
			var done, total int64
			_, got, err := readAll(t, Source{URL: secret, Checksum: tc.checksum, Limits: limits, Progress: func(d, n int64) {
				if d < done {
					t.Errorf("progress went back from %d to %d", done, d)
				}
				done, total = d, n
			}})
			if tc.kind != 0 {
				wantError(t, err, tc.kind, append(tc.words, "image "+s.URL+"/disk.img")...)
				if err != nil && strings.Contains(err.Error(), "hunter2") {
					t.Errorf("the error shows secrets: %v", err)
				}
			} else {
				if err != nil {
					t.Fatal(err)
				}
				if !bytes.Equal(got, body) {
					t.Errorf("%d bytes arrived, and not the right ones", len(got))
				}
				if done != imageBytes || total != imageBytes && total != -1 {
					t.Errorf("progress ended with %d of %d", done, total)
				}
			}
			if n := int(requests.Load()); tc.requests != 0 && n != tc.requests {
				t.Errorf("%d requests, want %d", n, tc.requests)
			}
		})
	}
}

// limited lets a number of bytes of the body through, then hangs up.
type limited struct {
	http.ResponseWriter
	left int
}

func (l *limited) Write(p []byte) (int, error) {
	if len(p) < l.left {
		l.left -= len(p)
		return l.ResponseWriter.Write(p)
	}
	l.ResponseWriter.Write(p[:l.left])
	l.ResponseWriter.(http.Flusher).Flush()
	panic(http.ErrAbortHandler)
}

func TestDownloadCancel(t *testing.T) {
	body := noise(7, imageBytes)
	for name, handler := range map[string]http.HandlerFunc{
		"while it stalls": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", fmt.Sprint(len(body)))
			w.Write(body[:1<<20])
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		},
		"while it waits for another try": func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Range") != "" {
				w.WriteHeader(503)
				return
			}
			serveContent(&limited{w, 1 << 20}, r, body)
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, handler)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			limits := Limits{IdleTimeout: time.Hour, RetryDelay: time.Hour}
			im, err := Open(ctx, Source{URL: s.URL + "/a", Limits: limits, Progress: func(done, _ int64) {
				if done >= 1<<20 {
					cancel()
				}
			}})
			if err != nil {
				t.Fatal(err)
			}
			defer im.Close()
			if err := im.Verify(); !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), s.URL) {
				t.Errorf("got %v, want context.Canceled and the URL", err)
			}
		})
	}
}

// The user's credentials go to the host they were given for and no further, and
// neither do secret URLs travel in Referer.
func TestCredentials(t *testing.T) {
	body := noise(1, 100)
	seen := map[string]http.Header{}
	record := func(name string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			seen[name+r.URL.Path] = r.Header.Clone()
			switch r.URL.Path {
			case "/same":
				http.Redirect(w, r, "/image", 302)
			case "/foreign", "/planted":
				http.Redirect(w, r, r.URL.Query().Get("to"), 302)
			default:
				w.Write(body)
			}
		}
	}
	home, away := serve(t, record("home")), serve(t, record("away"))
	// Same machine, other name: the port differs, and so does the host.
	foreign := strings.Replace(away.URL, "127.0.0.1", "localhost", 1)
	get := func(path string, q url.Values) {
		t.Helper()
		clear(seen)
		u := strings.Replace(home.URL, "://", "://someone:hunter2@", 1) + path + "?" + q.Encode()
		if _, _, err := readAll(t, Source{URL: u, Limits: fast}); err != nil {
			t.Fatal(err)
		}
	}
	user := func(name string) string {
		t.Helper()
		h, ok := seen[name]
		if !ok {
			t.Fatalf("%s was not asked", name)
		}
		if h.Get("Referer") != "" || h.Get("Cookie") != "" {
			t.Errorf("%s got %v", name, h)
		}
		u, _, _ := (&http.Request{Header: h}).BasicAuth()
		return u
	}
	get("/same", nil)
	if user("home/same") != "someone" || user("home/image") != "someone" {
		t.Error("the own host did not get the credentials")
	}
	get("/foreign", url.Values{"to": {foreign + "/image"}})
	if user("home/foreign") != "someone" || user("away/image") != "" {
		t.Error("a foreign host got credentials")
	}
	get("/planted", url.Values{"to": {strings.Replace(foreign, "://", "://planted:pw@", 1) + "/image"}})
	if user("away/image") != "" {
		t.Error("credentials from a redirect were sent")
	}
}

func TestTLS(t *testing.T) {
	plain := serve(t, func(w http.ResponseWriter, r *http.Request) { w.Write(noise(1, 100)) })
	s := httptest.NewUnstartedServer(http.RedirectHandler(plain.URL+"/image?sig=hunter2", 302))
	s.Config.ErrorLog = log.New(io.Discard, "", 0) // it complains of the refused certificate
	s.StartTLS()
	t.Cleanup(s.Close)

	_, _, err := readAll(t, Source{URL: s.URL, Transport: s.Client().Transport, Limits: fast})
	wantError(t, err, Denied, "from https to "+plain.URL+"/image", "gives up the encryption")
	if err != nil && strings.Contains(err.Error(), "hunter2") {
		t.Errorf("the error shows secrets: %v", err)
	}
	_, _, err = readAll(t, Source{URL: s.URL, Limits: fast})
	wantError(t, err, Denied, "certificate", "not trusted")
	_, _, err = readAll(t, Source{URL: strings.Replace(plain.URL, "http:", "https:", 1), Limits: fast})
	wantError(t, err, Unreachable, "http")
}

func TestUnreachable(t *testing.T) {
	s := httptest.NewServer(http.NotFoundHandler())
	s.Close()
	_, _, err := readAll(t, Source{URL: s.URL + "/a?hunter2", Limits: fast})
	wantError(t, err, Unreachable, "cannot be reached", "refused", "tried 3 times")
	if err != nil && strings.Contains(err.Error(), "hunter2") {
		t.Errorf("the error shows secrets: %v", err)
	}
}

type roundTripFunc func(*http.Request) (*http.Response, error)

func (f roundTripFunc) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// A timeout of the network is tried again and is not taken for the end of the
// caller's own time, which callers report in another way.
func TestNetworkTimeout(t *testing.T) {
	tries := 0
	_, _, err := readAll(t, Source{URL: "http://h/a", Limits: fast, Transport: roundTripFunc(func(*http.Request) (*http.Response, error) {
		tries++
		return nil, fmt.Errorf("dial: %w", context.DeadlineExceeded)
	})})
	wantError(t, err, Unreachable, "cannot be reached: dial")
	if tries != 3 || errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%d tries, %v", tries, err)
	}
}

func TestSameOrigin(t *testing.T) {
	for _, tc := range []struct {
		a, b string
		want bool
	}{
		{"http://h/x", "http://H/y", true},
		{"http://h/x", "http://h:80/y", true},
		{"http://h/x", "https://h/y", true},
		{"http://h:8080/x", "https://h/y", false},
		{"https://h/x", "https://h:8443/y", false},
		{"https://h/x", "http://h/y", false},
		{"https://h/x", "https://evil.h/y", false},
	} {
		a, _ := url.Parse(tc.a)
		b, _ := url.Parse(tc.b)
		if got := sameOrigin(a, b); got != tc.want {
			t.Errorf("sameOrigin(%s, %s) = %v", a, b, got)
		}
	}
}

func TestContentRange(t *testing.T) {
	for h, want := range map[string]struct {
		start, total int64
		ok           bool
	}{
		"bytes 100-199/200":              {100, 200, true},
		"bytes 100-199/*":                {100, -1, true},
		"bytes */200":                    {-1, 200, true},
		"":                               {-1, -1, false},
		"bytes 100/200":                  {-1, -1, false},
		"bytes -5-9/200":                 {-1, -1, false},
		"bytes 1-2/99999999999999999999": {-1, -1, false},
		"items 1-2/3":                    {-1, -1, false},
	} {
		start, total, ok := contentRange(h)
		if start != want.start || total != want.total || ok != want.ok {
			t.Errorf("contentRange(%q) = %d, %d, %v", h, start, total, ok)
		}
	}
}
