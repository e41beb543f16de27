package pve

import (
	"context"
	"encoding/base32"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// ticket is an answer to a login.
func ticket(name string) reply {
	return ok(map[string]any{"ticket": "PVE:tester@pve:6B02A28A::" + name, "CSRFPreventionToken": "6B02A28A:csrf-" + name, "username": "tester@pve"})
}

func byPassword(f *fake) Config {
	cfg := f.config()
	cfg.APIToken, cfg.Username, cfg.Password = "", "tester@pve", "Secret123!"
	return cfg
}

// onlyWith answers requests with a ticket, and refuses others as pveproxy does.
func onlyWith(name string, data any) reply {
	return reply{handle: func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "PVEAuthCookie=PVE:tester@pve:6B02A28A::"+name {
			bare(401, "Authentication failed!").play(w, r)
			return
		}
		ok(data).play(w, r)
	}}
}

func TestOneLogin(t *testing.T) {
	f := newFake(t)
	f.on("POST /access/ticket", ticket("one"))
	f.on("POST /nodes/pve1/qemu", ok("UPID:x"))
	c := connected(t, byPassword(f))
	for range 5 {
		if err := c.Post(t.Context(), "/nodes/pve1/qemu", map[string]any{"vmid": 100}, nil); err != nil {
			t.Fatal(err)
		}
	}
	logins := f.got("POST /access/ticket")
	if len(logins) != 1 || logins[0].form.Get("username") != "tester@pve" || logins[0].form.Get("password") != "Secret123!" {
		t.Errorf("%+v", logins)
	}
	for _, r := range f.got("POST /nodes/pve1/qemu") {
		if r.header.Get("CSRFPreventionToken") != "6B02A28A:csrf-one" {
			t.Error(r.header)
		}
	}
}

func TestExpiredTicketInTheMiddle(t *testing.T) {
	f := newFake(t)
	f.on("POST /access/ticket", ticket("one"), ticket("two"))
	c := connected(t, byPassword(f))
	f.on("POST /nodes/pve1/qemu", onlyWith("two", "UPID:x"))
	f.on("GET /nodes", onlyWith("two", []any{}))
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			var err error
			if i%2 == 0 {
				err = c.Get(t.Context(), "/nodes", nil, nil)
			} else {
				err = c.Post(t.Context(), "/nodes/pve1/qemu", nil, nil)
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := f.count("POST /access/ticket"); n != 2 {
		t.Errorf("%d logins", n)
	}
	// The password works: what was there an hour ago is no longer used.
	if got := f.got("POST /access/ticket")[1].form.Get("password"); got != "Secret123!" {
		t.Errorf("logged in again with %q", got)
	}
}

func TestWrongPasswordIsNotTriedTwice(t *testing.T) {
	f := newFake(t)
	f.on("POST /access/ticket", no(401, "authentication failure"))
	_, err := Open(t.Context(), byPassword(f))
	wants(t, err, backends.Auth, "does not accept user name and password", "lock accounts")
	if n := f.count("POST /access/ticket"); n != 1 || strings.Contains(err.Error(), "Secret123!") {
		t.Errorf("%d logins: %v", n, err)
	}

	// Neither is one that was changed meanwhile.
	f.on("POST /access/ticket", ticket("one"), no(401, "authentication failure"))
	c := connected(t, byPassword(f))
	f.on("GET /nodes", bare(401, "Authentication failed!"))
	for range 5 {
		wants(t, c.Get(t.Context(), "/nodes", nil, nil), backends.Auth)
	}
	if n := f.count("POST /access/ticket"); n != 3 {
		t.Errorf("%d logins", n-1)
	}
}

// An endpoint whose certificate is not trusted has refused no login.
func TestRenewalMeetsAnUntrustedEndpoint(t *testing.T) {
	one, two := newFake(t), newFake(t)
	one.on("POST /access/ticket", ticket("one"), drop, ticket("two"))
	cfg := byPassword(one)
	cfg.Endpoints = []string{one.URL, strings.Replace(two.URL, "127.0.0.1", "localhost", 1)}
	c := connected(t, cfg)
	one.on("GET /x", onlyWith("two", nil))
	clock := time.Now().Add(3 * time.Hour)
	c.creds.now = func() time.Time { return clock }
	wants(t, c.Get(t.Context(), "/x", nil, nil), backends.Transient)
	wants(t, c.Get(t.Context(), "/x", nil, nil), backends.Auth, "another name")
	if err := c.Get(t.Context(), "/x", nil, nil); err != nil {
		t.Error(err)
	}
}

func TestTicketIsRenewedInTime(t *testing.T) {
	f := newFake(t)
	f.on("POST /access/ticket", ticket("one"), ticket("two"), no(500, "trouble"), ticket("three"))
	c := connected(t, byPassword(f))
	f.on("GET /nodes", ok([]any{}))
	clock := time.Now()
	c.creds.now = func() time.Time { return clock }
	ask := func(after time.Duration, logins int) {
		t.Helper()
		clock = clock.Add(after)
		if err := c.Get(t.Context(), "/nodes", nil, nil); err != nil {
			t.Error(err)
		}
		if n := f.count("POST /access/ticket"); n != logins {
			t.Errorf("%d logins, want %d", n, logins)
		}
	}
	ask(50*time.Minute, 1)
	ask(20*time.Minute, 2) // by the old ticket: a second factor is not asked for again
	if got := f.got("POST /access/ticket")[1].form.Get("password"); got != "PVE:tester@pve:6B02A28A::one" {
		t.Errorf("renewed with %q", got)
	}
	ask(10*time.Minute, 2)
	ask(61*time.Minute, 3) // fails, but the ticket is good for a while
	ask(10*time.Second, 3) // and that is not tried with each request
	ask(55*time.Minute, 4)
}

func TestRenewedTicketAfterALongPause(t *testing.T) {
	f := newFake(t)
	f.on("POST /access/ticket", ticket("one"), ticket("two"))
	c := connected(t, byPassword(f))
	f.on("GET /nodes", onlyWith("two", []any{}))
	clock := time.Now().Add(3 * time.Hour)
	c.creds.now = func() time.Time { return clock }
	if err := c.Get(t.Context(), "/nodes", nil, nil); err != nil {
		t.Error(err)
	}
	if got := f.got("POST /access/ticket")[1].form.Get("password"); got != "Secret123!" {
		t.Errorf("an expired ticket was used to log in: %q", got)
	}
}

// challenging plays a second factor that takes one code.
func challenging(f *fake, accept func(string) bool) {
	f.on("POST /access/ticket", reply{handle: func(w http.ResponseWriter, r *http.Request) {
		switch answer := r.Form.Get("password"); {
		case r.Form.Get("tfa-challenge") == "":
			ok(map[string]any{"ticket": "PVE:!tfa!%7B%22totp%22%3Atrue%7D:6B02A28A::abc", "NeedTFA": 1, "username": "tester@pve"}).play(w, r)
		case r.Form.Get("tfa-challenge") == "PVE:!tfa!%7B%22totp%22%3Atrue%7D:6B02A28A::abc" && accept(answer):
			ticket("one").play(w, r)
		default:
			no(401, "authentication failure").play(w, r)
		}
	}})
}

func TestSecondFactor(t *testing.T) {
	f := newFake(t)
	challenging(f, func(s string) bool { return s == "totp:123456" })
	_, err := Open(t.Context(), byPassword(f))
	wants(t, err, backends.Auth, "second factor", "otp")

	cfg := byPassword(f)
	cfg.OTP = "123456"
	connected(t, cfg)
	cfg.OTP = "654321"
	_, err = Open(t.Context(), cfg)
	wants(t, err, backends.Auth, "does not accept the second factor")
	if strings.Contains(err.Error(), "654321") {
		t.Error(err)
	}
}

func TestTOTP(t *testing.T) {
	// RFC 6238, appendix B, of which SHA-1 has eight digits with the secret 12345678901234567890.
	f, err := newFactor("otpauth://totp/pve?digits=8&secret=" + base32.StdEncoding.EncodeToString([]byte("12345678901234567890")))
	if err != nil {
		t.Fatal(err)
	}
	for at, want := range map[int64]string{59: "94287082", 1111111109: "07081804", 1234567890: "89005924", 20000000000: "65353130"} {
		if got := f.at(f.counter(time.Unix(at, 0))); got != want {
			t.Errorf("at %d: %s, want %s", at, got, want)
		}
	}
	for _, bad := range []string{"otpauth://hotp/x?secret=AAAA", "otpauth://totp/x?secret=AAAA&algorithm=MD5", "otpauth://totp/x", "1", "~"} {
		if _, err := newFactor(bad); backends.CodeOf(err) != backends.Invalid {
			t.Errorf("%s: %v", bad, err)
		}
	}
}

// A code that another run has used already is refused; the next one is not.
func TestTOTPCodeThatWasUsed(t *testing.T) {
	f := newFake(t)
	var codes []string
	challenging(f, func(s string) bool {
		codes = append(codes, s)
		return len(codes) == 2
	})
	cfg := byPassword(f)
	cfg.OTP = "otpauth://totp/x?period=1&secret=JBSWY3DPEHPK3PXP"
	connected(t, cfg)
	if len(codes) != 2 || codes[0] == codes[1] {
		t.Error(codes)
	}
}

func TestCloseEndsRequests(t *testing.T) {
	f := newFake(t)
	c := connected(t, f.config())
	f.on("GET /nodes", ok([]any{}))
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	wants(t, c.Get(t.Context(), "/nodes", nil, nil), backends.Canceled, "closed")
}

func TestRenewalIsInterrupted(t *testing.T) {
	f := newFake(t)
	f.on("POST /access/ticket", ticket("one"), hang)
	c := connected(t, byPassword(f))
	f.on("GET /nodes", bare(401, "Authentication failed!"))
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- c.Get(ctx, "/nodes", nil, nil) }()
	for f.count("POST /access/ticket") < 2 {
		time.Sleep(time.Millisecond)
	}
	cancel()
	wants(t, <-done, backends.Canceled)
	f.CloseClientConnections() // the login that hangs
}
