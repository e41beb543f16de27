package main

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"flag"
	"io"
	"net/http"
	"os"
	"path/filepath"
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
	ca := filepath.Join(t.TempDir(), "ca.pem")
	done := make(chan error, 1)

	go func() {
		done <- run(ctx, []string{"-listen", "127.0.0.1:0", "-nodes", "a,b", "-version", "9", "-vms", "3", "-ca", ca}, w)

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
	fingerprint := regexp.MustCompile(`fingerprint +[=] "([0-9A-F:]+)"`).FindStringSubmatch(text)
	if endpoint == nil || token == nil || fingerprint == nil {
		t.Fatalf("printed %s", text)
	}

	for name, value := range map[string]string{"ENDPOINT": endpoint[1], "API_TOKEN": token[1], "FINGERPRINT": fingerprint[1]} {
		if line := "\n# export PROXMOX_VE_" + name + "='" + value + "'\n"; !strings.Contains(text, line) {
			t.Errorf("printed without %q", line)
		}
	}

	pem, err := os.ReadFile(ca)
	if err != nil {
		t.Fatal(err)
	}

	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
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

	sum := sha256.Sum256(a.TLS.PeerCertificates[0].Raw)
	if shown := strings.ReplaceAll(fingerprint[1], ":", ""); !strings.EqualFold(shown, hex.EncodeToString(sum[:])) {
		t.Errorf("printed the fingerprint %s of a certificate with %x", fingerprint[1], sum)
	}

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

// TestRunEverywhere listens on all addresses: what it prints is one that a client can use.
func TestRunEverywhere(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()

	r, w := io.Pipe()
	done := make(chan error, 1)

	go func() {
		done <- run(ctx, []string{"-listen", ":0"}, w)
		_ = w.Close()
	}()

	buf := make([]byte, 16<<10)

	n, err := r.Read(buf)
	if err != nil {
		t.Fatal(err, <-done)
	}

	if !regexp.MustCompile(`"https://127\.0\.0\.1:\d+"`).Match(buf[:n]) {
		t.Errorf("printed %s", buf[:n])
	}

	cancel()

	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestHelp(t *testing.T) {
	var out strings.Builder
	if err := run(t.Context(), []string{"-help"}, &out); !errors.Is(err, flag.ErrHelp) || !strings.Contains(out.String(), "-stats-lag") {
		t.Errorf("%v %s", err, out.String())
	}
}

func TestRunRefuses(t *testing.T) {
	for _, args := range [][]string{{"more"}, {"-listen", "nonsense"}, {"-unknown"}, {"-version", "7"}, {"-nodes", "a,a"}, {"-nodes", "a_b"}, {"-vms", "-1"}, {"-task-time", "-1s"}} {
		if err := run(t.Context(), args, io.Discard); err == nil {
			t.Errorf("%v: no error", args)
		}
	}
}
