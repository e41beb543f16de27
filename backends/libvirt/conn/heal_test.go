package conn

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/digitalocean/go-libvirt"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/libvirtlab"
)

const procNodeGetFreeMemory = 102

// stuck asks for what the fake does not answer.
func stuck(l *libvirt.Libvirt) error {
	_, err := l.NodeGetFreeMemory()
	return err
}

func version(l *libvirt.Libvirt) error {
	_, err := l.ConnectGetLibVersion()
	return err
}

func TestAReadSurvivesARestartOfLibvirtd(t *testing.T) {
	l := libvirtlab.Start(t)
	c := open(t, Config{URI: l.URI()})
	l.Restart(t)
	if names, err := pools(t.Context(), c); err != nil || len(names) != 1 {
		t.Errorf("after a restart: %q, %v", names, err)
	}

	// While libvirtd is away, and many ask.
	l.StopDaemon(t)
	var asking sync.WaitGroup
	for range 10 {
		asking.Go(func() {
			if names, err := pools(t.Context(), c); err != nil || len(names) != 1 {
				t.Errorf("during a restart: %q, %v", names, err)
			}
		})
	}
	time.Sleep(200 * time.Millisecond) // let them find out
	l.StartDaemon(t)
	asking.Wait()

	if err := c.Call(t.Context(), version); err != nil {
		t.Errorf("a write after a restart: %v", err)
	}
}

func TestLibvirtdThatStaysAwayIsTransient(t *testing.T) {
	l := libvirtlab.Start(t)
	c := open(t, Config{URI: l.URI(), RedialTimeout: time.Second})
	l.StopDaemon(t)
	for name, err := range map[string]error{"read": c.Read(t.Context(), version), "call": c.Call(t.Context(), version)} {
		if backends.CodeOf(err) != backends.Transient || !strings.Contains(err.Error(), "connection refused") && !strings.Contains(err.Error(), "no such file") {
			t.Errorf("%s: %q, %v", name, backends.CodeOf(err), err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	err := c.Read(ctx, version)
	if backends.CodeOf(err) != backends.Timeout || !strings.Contains(err.Error(), "there is no connection to libvirtd") {
		t.Errorf("%q, %v", backends.CodeOf(err), err)
	}
}

func TestACutConnectionHealsOverEveryTransport(t *testing.T) {
	noHome(t)
	l := libvirtlab.Shared(t)
	s := l.SSHServer(t)
	for name, c := range map[string]struct {
		uri string
		cut func()
	}{"tcp": {l.TCPURI(), l.CutConnections}, "tls": {l.TLSURI(), l.CutConnections}, "ssh": {s.URI(), s.CutConnections}} {
		t.Run(name, func(t *testing.T) {
			conn := open(t, Config{URI: c.uri})
			for range 3 {
				c.cut()
				if names, err := pools(t.Context(), conn); err != nil || len(names) != 1 {
					t.Errorf("%q, %v", names, err)
				}
			}
		})
	}
}

func TestNothingIsSentTwice(t *testing.T) {
	var f *fake
	f = newFake(t, func(procedure uint32) bool {
		if procedure == procNodeGetFreeMemory {
			f.cut() // it was received, and nobody will know what came of it
			return false
		}
		return true
	})
	c := open(t, Config{URI: f.uri(), RedialTimeout: 500 * time.Millisecond})
	err := c.Call(t.Context(), stuck)
	if backends.CodeOf(err) != backends.Transient || !strings.Contains(err.Error(), "broke before it answered") {
		t.Errorf("%q, %v", backends.CodeOf(err), err)
	}
	if n := f.count(procNodeGetFreeMemory); n != 1 {
		t.Errorf("a write was sent %d times", n)
	}
	err = c.Read(t.Context(), stuck)
	if n := f.count(procNodeGetFreeMemory); backends.CodeOf(err) != backends.Transient || n < 3 {
		t.Errorf("a read was sent %d times, %v", n-1, err)
	}
}

func TestAStuckCallHoldsUpNobody(t *testing.T) {
	f := newFake(t, func(procedure uint32) bool { return procedure != procNodeGetFreeMemory })
	c := open(t, Config{URI: f.uri()})
	ctx, cancel := context.WithCancel(t.Context())
	var waiting sync.WaitGroup
	for range 10 {
		waiting.Go(func() {
			if err := c.Call(ctx, stuck); backends.CodeOf(err) != backends.Canceled {
				t.Errorf("%q, %v", backends.CodeOf(err), err)
			}
		})
	}
	for f.count(procNodeGetFreeMemory) < 10 {
		time.Sleep(time.Millisecond)
	}
	// libvirtd works on few calls of one connection at a time, so these are spread.
	if n := f.open(); n < 3 || n > maxSessions {
		t.Errorf("there are %d connections for 10 stuck calls", n)
	}
	if err := c.Read(t.Context(), version); err != nil {
		t.Error(err)
	}
	cancel()
	waiting.Wait()
	if err := c.Read(t.Context(), version); err != nil {
		t.Error(err)
	}
}

func TestConnectionsWithStuckCallsAreGivenUp(t *testing.T) {
	f := newFake(t, func(procedure uint32) bool { return procedure != procNodeGetFreeMemory })
	c := open(t, Config{URI: f.uri(), KeepAlive: -1})
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if err := c.Call(ctx, stuck); backends.CodeOf(err) != backends.Timeout {
		t.Errorf("%q, %v", backends.CodeOf(err), err)
	}
	for deadline := time.Now().Add(10 * grace); f.open() > 0; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the connection is still open")
		}
	}
	if err := c.Read(t.Context(), version); err != nil {
		t.Error(err)
	}
}

func TestCloseEndsEverything(t *testing.T) {
	f := newFake(t, func(procedure uint32) bool { return procedure != procNodeGetFreeMemory })
	before := runtime.NumGoroutine()
	c, err := Open(t.Context(), Config{URI: f.uri()})
	if err != nil {
		t.Fatal(err)
	}
	var failed atomic.Int32
	var waiting sync.WaitGroup
	for range 6 {
		waiting.Go(func() {
			if err := c.Call(context.WithoutCancel(t.Context()), stuck); err != nil {
				failed.Add(1)
			}
		})
	}
	for f.count(procNodeGetFreeMemory) < 6 {
		time.Sleep(time.Millisecond)
	}
	if _, err := c.Bulk(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	waiting.Wait()
	if failed.Load() != 6 {
		t.Errorf("%d of 6 calls failed", failed.Load())
	}
	for deadline := time.Now().Add(10 * time.Second); runtime.NumGoroutine() > before; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			buf := make([]byte, 1<<16)
			t.Fatalf("goroutines are left:\n%s", buf[:runtime.Stack(buf, true)])
		}
	}
	if err := c.Read(t.Context(), version); backends.CodeOf(err) != backends.Canceled {
		t.Errorf("after Close: %q, %v", backends.CodeOf(err), err)
	}
}

func TestSilenceEndsAConnection(t *testing.T) {
	f := newFake(t, func(uint32) bool { return true })
	c := open(t, Config{URI: f.uri(), KeepAlive: 10 * time.Millisecond})
	time.Sleep(20 * keepAliveTries * time.Millisecond) // pings are answered
	if n := f.open(); n != 1 {
		t.Fatalf("%d connections are open, although pings are answered", n)
	}
	_ = c

	mute := newFake(t, func(procedure uint32) bool { return procedure == procGetLibVersion })
	c = open(t, Config{URI: mute.uri(), KeepAlive: 10 * time.Millisecond})
	err := c.Call(t.Context(), stuck)
	if backends.CodeOf(err) != backends.Transient || !strings.Contains(err.Error(), "has not answered for") {
		t.Errorf("%q, %v", backends.CodeOf(err), err)
	}
}

func TestPausesGrowAndEndWithTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPause()
		var longest time.Duration
		for range 20 {
			before := time.Now()
			if err := p.wait(t.Context()); err != nil {
				t.Fatal(err)
			}
			longest = max(longest, time.Since(before))
		}
		if longest < time.Second || longest > 3*time.Second {
			t.Errorf("the longest of 20 pauses is %s", longest)
		}
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(errors.New("enough"))
		if err := p.wait(ctx); err == nil || err.Error() != "enough" {
			t.Error(err)
		}
	})
}
