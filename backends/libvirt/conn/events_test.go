package conn

import (
	"context"
	"testing"
	"time"

	"github.com/digitalocean/go-libvirt"

	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/libvirtlab"
)

const idleDomain = `<domain type='qemu'><name>idle</name><memory unit='MiB'>16</memory><os><type arch='x86_64' machine='q35'>hvm</type></os></domain>`

// waitFor reads events until one of a kind comes; false when the channel is closed.
func waitFor(t *testing.T, events <-chan Event, what libvirt.DomainEventType) (Event, bool) {
	t.Helper()
	limit := time.After(time.Minute)
	for {
		select {
		case ev, ok := <-events:
			if !ok {
				return Event{}, false
			}
			if ev.Kind == Lifecycle && ev.Lifecycle == what {
				return ev, true
			}
		case <-limit:
			t.Fatalf("no event of type %d", what)
		}
	}
}

func TestEvents(t *testing.T) {
	l := libvirtlab.Start(t)
	c := open(t, Config{URI: l.URI()})
	ctx, cancel := context.WithCancel(t.Context())
	first, err := c.Events(ctx)
	if err != nil {
		t.Fatal(err)
	}
	second, err := c.Events(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	l.Define(t, "", idleDomain)
	l.Virsh(t, "start", "idle")
	for _, events := range []<-chan Event{first, second} {
		if ev, ok := waitFor(t, events, libvirt.DomainEventStarted); !ok || ev.Domain.Name != "idle" {
			t.Errorf("%+v, %v", ev, ok)
		}
	}
	cancel()
	if _, ok := waitFor(t, first, libvirt.DomainEventStopped); ok {
		t.Error("a subscription outlives its context")
	}

	l.Virsh(t, "destroy", "idle")
	if ev, ok := waitFor(t, second, libvirt.DomainEventStopped); !ok || ev.Domain.Name != "idle" {
		t.Errorf("%+v, %v", ev, ok)
	}

	// Events may be lost now, which the closed channel says.
	l.Restart(t)
	if _, ok := waitFor(t, second, libvirt.DomainEventStarted); ok {
		t.Error("an event came over a broken connection")
	}
	third, err := c.Events(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	l.Virsh(t, "start", "idle")
	if _, ok := waitFor(t, third, libvirt.DomainEventStarted); !ok {
		t.Error("no event after a restart of libvirtd")
	}
	l.Virsh(t, "destroy", "idle")
}

func TestASlowSubscriberIsToldSo(t *testing.T) {
	h := newHub()
	s := &session{conn: newGuard(nil)}
	ch := make(chan Event, eventBuffer)
	h.add(s, ch)
	for range eventBuffer + 1 {
		h.publish(Event{Kind: Lifecycle})
	}
	n := 0
	for range ch {
		n++
	}
	if n != eventBuffer {
		t.Errorf("%d events came, want %d and then the end", n, eventBuffer)
	}
	h.publish(Event{Kind: Lifecycle}) // harms nobody
	h.remove(ch)
}
