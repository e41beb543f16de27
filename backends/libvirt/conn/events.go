package conn

import (
	"context"
	"sync"

	"github.com/digitalocean/go-libvirt"
)

// Event is something that happened to a domain.
type Event struct {
	Domain libvirt.Domain
	Kind   EventKind

	// Lifecycle and Detail say what happened, for the kind Lifecycle; Detail's
	// meaning depends on Lifecycle.
	Lifecycle libvirt.DomainEventType
	Detail    int32
	// Device is the alias of the device, for the kinds that are about one.
	Device string
	// Connected is whether the guest's agent is there now, for the kind Agent.
	Connected bool
}

// EventKind says what an Event is about.
type EventKind int

// The kinds.
const (
	Lifecycle EventKind = iota + 1
	DeviceAdded
	DeviceRemoved
	DeviceRemovalFailed
	Agent
)

// eventBuffer is how far a subscriber may fall behind.
const eventBuffer = 256

// Events subscribes to what happens to all domains, until ctx ends. The channel is closed
// then, and also when the connection breaks or the subscriber falls far behind: events
// may have been lost, so whoever waits for one looks at the domain itself and may
// subscribe again. To miss nothing, subscribe first and look then.
func (c *Conn) Events(ctx context.Context) (<-chan Event, error) {
	h := &c.events
	select {
	case h.busy <- struct{}{}:
	case <-ctx.Done():
		return nil, Classify(context.Cause(ctx))
	}
	defer func() { <-h.busy }()
	if h.session == nil || h.session.conn.isClosed() {
		s, err := c.listen(ctx)
		if err != nil {
			return nil, err
		}
		h.session = s
	}
	ch := make(chan Event, eventBuffer)
	if !h.add(h.session, ch) {
		close(ch) // the connection broke just now
		return ch, nil
	}
	context.AfterFunc(ctx, func() { h.remove(ch) })
	return ch, nil
}

// hub hands events out. They come over a session of their own, because go-libvirt cannot
// end a subscription safely while events arrive: it ends with the connection.
type hub struct {
	busy    chan struct{} // held by who opens the session
	session *session

	mu   sync.Mutex
	subs map[chan Event]*session
}

func newHub() hub {
	return hub{busy: make(chan struct{}, 1), subs: map[chan Event]*session{}}
}

var eventIDs = []libvirt.DomainEventID{
	libvirt.DomainEventIDLifecycle,
	libvirt.DomainEventIDDeviceAdded,
	libvirt.DomainEventIDDeviceRemoved,
	libvirt.DomainEventIDDeviceRemovalFailed,
	libvirt.DomainEventIDAgentLifecycle,
}

// listen opens a session on which events arrive.
func (c *Conn) listen(ctx context.Context) (*session, error) {
	s, err := c.connect(ctx)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { s.conn.closeFor(context.Cause(ctx)) })
	defer stop()
	for _, id := range eventIDs {
		// Ends with the connection, not with ctx.
		ch, err := s.virt.SubscribeEvents(context.WithoutCancel(ctx), id, nil)
		if err == nil && !c.start(func() { c.events.pump(s, ch) }) {
			err = errClosed
		}
		if err != nil {
			s.conn.closeFor(err)
			if ctx.Err() != nil {
				err = context.Cause(ctx)
			}
			return nil, Classify(err)
		}
	}
	return s, nil
}

// pump hands out the events of one kind until their connection ends, and then closes
// the channels of those who listened.
func (h *hub) pump(s *session, from <-chan any) {
	for msg := range from {
		if ev, ok := event(msg); ok {
			h.publish(ev)
		}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for ch, of := range h.subs {
		if of == s {
			delete(h.subs, ch)
			close(ch)
		}
	}
}

func event(msg any) (Event, bool) {
	switch m := msg.(type) {
	case *libvirt.DomainEventCallbackLifecycleMsg:
		return Event{Kind: Lifecycle, Domain: m.Msg.Dom, Lifecycle: libvirt.DomainEventType(m.Msg.Event), Detail: m.Msg.Detail}, true
	case *libvirt.DomainEventCallbackDeviceAddedMsg:
		return Event{Kind: DeviceAdded, Domain: m.Dom, Device: m.DevAlias}, true
	case *libvirt.DomainEventCallbackDeviceRemovedMsg:
		return Event{Kind: DeviceRemoved, Domain: m.Msg.Dom, Device: m.Msg.DevAlias}, true
	case *libvirt.DomainEventCallbackDeviceRemovalFailedMsg:
		return Event{Kind: DeviceRemovalFailed, Domain: m.Dom, Device: m.DevAlias}, true
	case *libvirt.DomainEventCallbackAgentLifecycleMsg:
		connected := libvirt.ConnectDomainEventAgentLifecycleState(m.State) == libvirt.ConnectDomainEventAgentLifecycleStateConnected
		return Event{Kind: Agent, Domain: m.Dom, Connected: connected}, true
	}
	return Event{}, false
}

func (h *hub) publish(ev Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for ch := range h.subs {
		select {
		case ch <- ev:
		default: // too slow: it must not go on as if it had seen everything
			delete(h.subs, ch)
			close(ch)
		}
	}
}

// add reports false where the session is closed: then nobody would close ch.
func (h *hub) add(s *session, ch chan Event) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.subs[ch] = s
	if s.conn.isClosed() {
		delete(h.subs, ch)
		return false
	}
	return true
}

func (h *hub) remove(ch chan Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if _, ok := h.subs[ch]; ok {
		delete(h.subs, ch)
		close(ch)
	}
}
