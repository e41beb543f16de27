package pve

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/proxmox/fault"
)

func TestForms(t *testing.T) {
	f := newFake(t)
	c := connected(t, f.config())
	f.on("PUT /nodes/pve1/qemu/100/config", ok(nil))
	seven, none := 7, (*int)(nil)
	form := map[string]any{
		"text": "a b&c=ä+%", "empty": "", "int": 5, "big": int64(1) << 53, "float": 0.5, "whole": 4.0, "yes": true, "no": false,
		"list": []string{"a", "b"}, "nil": nil, "pointer": &seven, "none": none, "ours": Int(9), "flag": Bool(true), "word": Text("x"), "no list": []string(nil),
	}
	if err := c.Put(t.Context(), Path("nodes", "pve1", "qemu", 100, "config"), form, nil); err != nil {
		t.Fatal(err)
	}
	got := f.got("PUT /nodes/pve1/qemu/100/config")[0].form
	want := url.Values{
		"text": {"a b&c=ä+%"}, "empty": {""}, "int": {"5"}, "big": {"9007199254740992"}, "float": {"0.5"}, "whole": {"4"}, "yes": {"1"}, "no": {"0"},
		"list": {"a", "b"}, "pointer": {"7"}, "ours": {"9"}, "flag": {"1"}, "word": {"x"},
	}
	if got.Encode() != want.Encode() {
		t.Errorf("%v, want %v", got, want)
	}
	wants(t, c.Put(t.Context(), "/x", map[string]any{"odd": struct{}{}}, nil), backends.Internal, "odd")

	// A DELETE has no body.
	f.on("DELETE /nodes/pve1/qemu/100", reply{handle: func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if r.URL.Query().Get("purge") != "1" || len(body) > 0 || r.Header.Get("Content-Type") != "" {
			t.Errorf("%v %q %v", r.URL, body, r.Header)
		}
		ok("UPID:x").play(w, r)
	}})
	var upid string
	if err := c.Delete(t.Context(), "/nodes/pve1/qemu/100", map[string]any{"purge": true}, &upid); err != nil || upid != "UPID:x" {
		t.Error(upid, err)
	}
}

func TestPath(t *testing.T) {
	if got := Path("nodes", "pve1", "storage", "local", "content", "local:iso/a b?.iso"); got != "/nodes/pve1/storage/local/content/local:iso%2Fa%20b%3F.iso" {
		t.Error(got)
	}
}

func TestRefusalsKeepWhatIsSaid(t *testing.T) {
	f := newFake(t)
	c := connected(t, f.config())
	for body, words := range map[string]string{
		`{"data":null,"message":"VM is locked (backup)\n"}`: "VM is locked (backup)",
		`{"data":null}`:                  "VM is locked (from reason)",
		``:                               "VM is locked (from reason)",
		`null`:                           "VM is locked (from reason)",
		`{"errors":null,"message":null}`: "VM is locked (from reason)",
		`{"errors":[],"message":["x"]}`:  `["x"]`,
		`{"errors":"text","message":"VM is locked (1)"}`:        "VM is locked (1)",
		`{"errors":{"net0":null},"message":"VM is locked (2)"}`: "VM is locked (2)",
		`{"errors":{"net0":{"a":1}}}`:                           `net0: {"a":1}`,
		`VM is locked (plain)`:                                  "VM is locked (plain)",
		`<html><h1>500</h1></html>`:                             "VM is locked (from reason)",
	} {
		f.on("PUT /x", reply{status: 500, reason: "VM is locked (from reason)", body: body})
		err := c.Put(t.Context(), "/x", nil, nil)
		if err == nil || !strings.Contains(err.Error(), words) {
			t.Errorf("%s: %v", body, err)
		}
		var r *fault.Refusal
		if !errors.As(err, &r) || r.Status != 500 || r.Method != "PUT" || r.Path != "/x" {
			t.Errorf("%+v", r)
		}
	}
}

func TestReadsAreRepeated(t *testing.T) {
	f := newFake(t)
	c := connected(t, f.config())
	for name, replies := range map[string][]reply{
		"dropped": {drop, ok("x")}, "dropped twice": {drop, drop, ok("x")},
		"502": {bare(502, "Bad Gateway"), ok("x")}, "503": {bare(503, ""), ok("x")}, "595": {bare(595, "Connection refused"), ok("x")},
		"596": {bare(596, "Broken pipe"), ok("x")}, "596 with a body": {no(596, "Broken pipe"), ok("x")}, "599": {bare(599, "Too many redirections"), ok("x")},
		"cut off": {{handle: cut}, ok("x")}, "pmxcfs": {no(500, "ipcc_send_rec[1] failed: Connection refused"), ok("x")},
	} {
		f.on("GET /x", replies...)
		var text string
		if err := c.Get(t.Context(), "/x", nil, &text); err != nil || text != "x" {
			t.Errorf("%s: %q %v", name, text, err)
		}
	}
	before := f.count("GET /x")
	f.on("GET /x", bare(595, "No route to host"))
	wants(t, c.Get(t.Context(), "/x", nil, nil), backends.Transient, "595 No route to host")
	if n := f.count("GET /x") - before; n != tries {
		t.Errorf("%d tries", n)
	}
	before = f.count("GET /x")
	f.on("GET /x", no(500, "VM is locked (backup)"))
	wants(t, c.Get(t.Context(), "/x", nil, nil), backends.Locked)
	if n := f.count("GET /x") - before; n != 1 {
		t.Errorf("%d tries of what Proxmox VE refuses", n)
	}
}

// cut breaks off in the middle of an answer.
func cut(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Length", "100")
	_, _ = w.Write([]byte(`{"data":`))
	_ = http.NewResponseController(w).Flush()
	panic(http.ErrAbortHandler)
}

func TestWritesAreSentOnce(t *testing.T) {
	for name, broken := range map[string]reply{"dropped": drop, "cut off": {handle: cut}, "596": bare(596, "Broken pipe"), "502": bare(502, "Bad Gateway"), "599": bare(599, "x")} {
		f := newFake(t)
		c := connected(t, f.config())
		for _, method := range []string{"POST", "PUT", "DELETE"} {
			f.on(method+" /x", broken)
			err := c.do(t.Context(), &call{method: method, path: "/x"}, nil)
			wants(t, err, backends.Transient)
			if n := f.count(method + " /x"); n != 1 {
				t.Errorf("%s: %s was sent %d times", name, method, n)
			}
			if name == "dropped" && !strings.Contains(told(err).Remedy, "not known") {
				t.Error(told(err).Remedy)
			}
		}
	}
	// 595 is before anybody heard of it.
	f := newFake(t)
	c := connected(t, f.config())
	f.on("POST /x", bare(595, "Connection refused"), ok("x"))
	if err := c.Post(t.Context(), "/x", nil, nil); err != nil || f.count("POST /x") != 2 {
		t.Error(err)
	}
}

func TestRestartOfTheProxy(t *testing.T) {
	f := newFake(t)
	c := connected(t, f.config())
	address := f.Listener.Addr().String()
	f.on("POST /x", ok("x"))
	f.Server.Close()
	back := make(chan *fake)
	time.AfterFunc(300*time.Millisecond, func() {
		again := &fake{t: t, replies: f.replies}
		l, err := listen(address)
		if err != nil {
			t.Error(err)
		}
		again.Server = startAt(again, l, f.TLS.Certificates)
		back <- again
	})
	// Neither a read nor a write is lost: nobody was there to hear it.
	err := c.Post(t.Context(), "/x", nil, nil)
	again := <-back
	defer again.Close()
	if err != nil || again.count("POST /x") != 1 {
		t.Error(err, again.count("POST /x"))
	}
}

func TestFailOver(t *testing.T) {
	one, two := newFake(t), newFake(t)
	cfg := one.config()
	cfg.Endpoints = []string{one.URL, two.URL}
	c := connected(t, cfg)
	one.on("GET /x", ok("one"))
	two.on("GET /x", ok("two"))
	two.on("POST /x", ok("two"))
	var who string
	if err := c.Get(t.Context(), "/x", nil, &who); err != nil || who != "one" {
		t.Fatal(who, err)
	}
	one.Close()
	var wg sync.WaitGroup
	for range 10 {
		wg.Go(func() {
			if err := c.Post(t.Context(), "/x", nil, nil); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if err := c.Get(t.Context(), "/x", nil, &who); err != nil || who != "two" || c.Endpoint() != two.URL {
		t.Error(who, err)
	}
	if n := two.count("POST /x"); n != 10 {
		t.Errorf("%d requests", n)
	}
}

// An endpoint that takes requests and drops them is left for the next as well.
func TestFailOverOfReads(t *testing.T) {
	one, two := newFake(t), newFake(t)
	cfg := one.config()
	cfg.Endpoints = []string{one.URL, two.URL}
	c := connected(t, cfg)
	one.on("GET /x", drop)
	two.on("GET /x", ok("two"))
	var who string
	if err := c.Get(t.Context(), "/x", nil, &who); err != nil || who != "two" {
		t.Error(who, err)
	}
}

// An endpoint whose own services are in trouble is left for the next, other than one that does not reach a node.
func TestFailOverFromAnEndpointInTrouble(t *testing.T) {
	for what, trouble := range map[string]reply{
		"daemon": bare(595, "Connection refused"), "balancer": bare(503, "Service Unavailable"), "minority": no(500, "cluster not ready - no quorum?"),
	} {
		one, two := newFake(t), newFake(t)
		cfg := one.config()
		cfg.Endpoints = []string{one.URL, two.URL}
		c := connected(t, cfg)
		one.on("GET /x", trouble)
		one.on("GET /nodes/n/x", bare(595, "No route to host"))
		two.on("GET /x", ok("two"))
		if err := c.Get(t.Context(), "/nodes/n/x", nil, nil); backends.CodeOf(err) != backends.Transient || c.Endpoint() != one.URL {
			t.Errorf("%s: at %s: %v", what, c.Endpoint(), err)
		}
		var who string
		if err := c.Get(t.Context(), "/x", nil, &who); err != nil || who != "two" {
			t.Errorf("%s: %s %v", what, who, err)
		}
	}
}

// An endpoint that is not trusted is refused, and does not take the place of one that is for good.
func TestFailOverToAnUntrustedEndpoint(t *testing.T) {
	one, two := newFake(t), newFake(t)
	cfg := one.config()
	cfg.Endpoints = []string{one.URL, strings.Replace(two.URL, "127.0.0.1", "localhost", 1)}
	c := connected(t, cfg)
	one.on("GET /x", drop, ok("one"))
	two.on("GET /x", ok("two"))
	wants(t, c.Get(t.Context(), "/x", nil, nil), backends.Auth, "another name")
	var who string
	if err := c.Get(t.Context(), "/x", nil, &who); err != nil || who != "one" {
		t.Error(who, err)
	}
}

func TestHangingServer(t *testing.T) {
	f := newFake(t)
	cfg := f.config()
	cfg.RequestTimeout = 50 * time.Millisecond
	c := connected(t, cfg)
	f.on("GET /x", hang)
	f.on("POST /x", hang)
	wants(t, c.Get(t.Context(), "/x", nil, nil), backends.Transient, "no answer in time")
	wants(t, c.Post(t.Context(), "/x", nil, nil), backends.Transient, "no answer in time", "not known")
	if r, w := f.count("GET /x"), f.count("POST /x"); r != 2 || w != 1 {
		t.Errorf("%d reads, %d writes", r, w)
	}
}

func TestInterruptedRequests(t *testing.T) {
	f := newFake(t)
	c := connected(t, f.config())
	f.on("GET /x", hang)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- c.Get(ctx, "/x", nil, nil) }()
	for f.count("GET /x") < 1 {
		time.Sleep(time.Millisecond)
	}
	cancel()
	wants(t, <-done, backends.Canceled)
	ctx, cancel = context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	wants(t, c.Get(ctx, "/x", nil, nil), backends.Timeout)
}

func TestNoMoreRequestsThanAllowed(t *testing.T) {
	f := newFake(t)
	c := connected(t, f.config())
	var now, most atomic.Int32
	f.on("GET /x", reply{handle: func(w http.ResponseWriter, r *http.Request) {
		n := now.Add(1)
		for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
		}
		time.Sleep(5 * time.Millisecond)
		now.Add(-1)
		ok("x").play(w, r)
	}})
	var wg sync.WaitGroup
	for range 100 {
		wg.Go(func() {
			if err := c.Get(t.Context(), "/x", nil, nil); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if m := most.Load(); m > parallel || m < 2 {
		t.Errorf("%d at a time", m)
	}
}

// A redirect is not followed: it would carry the credentials elsewhere.
func TestRedirectIsNotFollowed(t *testing.T) {
	f, other := newFake(t), newFake(t)
	c := connected(t, f.config())
	f.on("GET /x", reply{handle: func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, other.URL+"/api2/json/version", http.StatusMovedPermanently)
	}})
	if err := c.Get(t.Context(), "/x", nil, nil); err == nil || other.count("GET /version") != 0 {
		t.Error(err)
	}
}
