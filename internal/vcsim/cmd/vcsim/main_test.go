package main

import (
	"context"
	"crypto/tls"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"
)

// TestRun starts the server as people do, and stops it.
func TestRun(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()

	r, w := io.Pipe()
	done := make(chan error, 1)

	go func() {
		done <- run(ctx, []string{"-listen", "127.0.0.1:0", "-esxi"}, w)

		_ = w.Close()
	}()

	buf := make([]byte, 4096)

	n, err := r.Read(buf)
	if err != nil {
		t.Fatal(err, <-done)
	}

	text := string(buf[:n])

	endpoint := regexp.MustCompile(`endpoint +[=] "(https://127\.0\.0\.1:\d+/sdk)"`).FindStringSubmatch(text)
	if endpoint == nil || !strings.Contains(text, `"root"`) {
		t.Fatalf("printed %s", text)
	}

	client := &http.Client{
		Timeout:   5 * time.Second,
		Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}, //nolint:gosec // Not looked at here.
	}

	q, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(endpoint[1], "/sdk")+"/about", nil)
	if err != nil {
		t.Fatal(err)
	}

	a, err := client.Do(q)
	if err != nil {
		t.Fatal(err)
	}

	_ = a.Body.Close()

	cancel()

	select {
	case err := <-done:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(5 * time.Second):
		t.Error("it does not stop")
	}
}

func TestRunRefuses(t *testing.T) {
	for _, args := range [][]string{{"more"}, {"-listen", "nonsense"}, {"-unknown"}} {
		if err := run(t.Context(), args, io.Discard); err == nil {
			t.Errorf("%v: no error", args)
		}
	}
}
