package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"
)

// TestRun starts the server as people do, asks it with what it printed, and stops it.
func TestRun(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()

	r, w := io.Pipe()
	done := make(chan error, 1)

	go func() {
		done <- run(ctx, []string{"-listen", "127.0.0.1:0", "-nodes", "a,b", "-version", "9", "-vms", "3"}, w)

		_ = w.Close()
	}()

	buf := make([]byte, 16<<10)

	n, err := r.Read(buf)
	if err != nil {
		t.Fatal(err, <-done)
	}

	text := string(buf[:n])

	endpoint := regexp.MustCompile(`endpoint +[=] "(https://127\.0\.0\.1:\d+)"`).FindStringSubmatch(text)
	token := regexp.MustCompile(`api_token +[=] "([^"]+)"`).FindStringSubmatch(text)
	pem := regexp.MustCompile(`(?s)-----BEGIN.*END CERTIFICATE-----`).FindString(text)
	if endpoint == nil || token == nil || pem == "" || !strings.Contains(text, `"a"`) {
		t.Fatalf("printed %s", text)
	}

	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM([]byte(strings.ReplaceAll(pem, "      ", ""))) {
		t.Fatalf("no certificate in %s", pem)
	}

	client := &http.Client{
		Timeout:   5 * time.Second,
		Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}},
	}

	q, err := http.NewRequestWithContext(ctx, http.MethodGet, endpoint[1]+"/api2/json/cluster/resources?type=vm", nil)
	if err != nil {
		t.Fatal(err)
	}

	q.Header.Set("Authorization", "PVEAPIToken="+token[1])

	a, err := client.Do(q)
	if err != nil {
		t.Fatal(err)
	}

	body, err := io.ReadAll(a.Body)
	if err != nil || a.StatusCode != http.StatusOK || strings.Count(string(body), `"name":"bulk-`) != 3 {
		t.Errorf("%s: %s %v", a.Status, body, err)
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
	for _, args := range [][]string{{"more"}, {"-listen", "nonsense"}, {"-unknown"}, {"-version", "7"}, {"-nodes", "a,a"}, {"-nodes", "a_b"}} {
		if err := run(t.Context(), args, io.Discard); err == nil {
			t.Errorf("%v: no error", args)
		}
	}
}
