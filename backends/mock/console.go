package mock

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// ticketLife is how long the address of a console serves.
const ticketLife = 10 * time.Minute

var consoleTypes = []string{"vnc", "spice", "serial", "none"}

// settleConsole gives a console the values that it has where nobody said
// otherwise. A password is not kept: its version stands for it.
func (b *Backend) settleConsole(s *backends.VMSpec) {
	if !b.catalogue.Supports(backends.FeatureConsoleOptions) {
		s.Console = nil
		return
	}
	c := value(s.Console)
	c.Password, c.Port = nil, limit(c.Port)
	c.Type = or(c.Type, *b.accepted("console.type", "vnc"))
	if screen := *c.Type == "vnc" || *c.Type == "spice"; screen {
		if b.catalogue.Lacks["console.address"] == "" {
			c.Address = or(c.Address, "127.0.0.1")
		}
		if b.catalogue.Lacks["console.tls"] == "" {
			c.TLS = or(c.TLS, false)
		}
	}
	s.Console = &c
}

func validateConsole(c *backends.ConsoleSpec) *backends.Error {
	switch {
	case c == nil:
		return nil
	case !slices.Contains(consoleTypes, *c.Type):
		return refusal(backends.Invalid, "console.type", "%q is none of %q", *c.Type, consoleTypes)
	case c.Port != nil && (*c.Port < 1 || *c.Port > 65535):
		return refusal(backends.Invalid, "console.port", "port %d is not between 1 and 65535, or 0 for any", *c.Port)
	}
	return nil
}

func applyConsole(s *backends.VMSpec, d *backends.ConsoleSpec, c backends.Change) error {
	if d == nil {
		return unknown(c)
	}
	have := clone(value(s.Console))
	switch c.Path {
	case "console.type":
		have.Type = d.Type
	case "console.address":
		have.Address = d.Address
	case "console.port":
		have.Port = d.Port
	case "console.tls":
		have.TLS = d.TLS
	case "console.password_wo_version":
		have.PasswordVersion = d.PasswordVersion
	default:
		return unknown(c)
	}
	s.Console = &have
	return nil
}

// consoleType is the kind of console that a VM has, "" for none.
func (b *Backend) consoleType(m *machine) string {
	if !b.catalogue.Supports(backends.FeatureConsoleURL) {
		return ""
	}
	kind := value(value(m.now().Console).Type)
	switch kind {
	case "none":
		return ""
	case "":
		if b.catalogue.Backend == backends.VSphere {
			return "webmks"
		}
		return *b.accepted("console.type", "vnc")
	}
	return kind
}

// Console makes the address of a VM's console, with a ticket of its own. Nobody
// answers there.
func (b *Backend) Console(ctx context.Context, id backends.ID) (backends.Console, error) {
	const op = "open the console"
	c, err := b.onVM(id, "Console", "", op)
	if err != nil {
		return backends.Console{}, err
	}
	if err := b.catalogue.Require(backends.FeatureConsoleURL, op, c.object); err != nil {
		return backends.Console{}, err
	}
	if err := b.read(ctx, "Console", op, c.object, c.names...); err != nil {
		return backends.Console{}, err
	}
	var made backends.Console
	err = b.store.view(func(w *world) error {
		m := w.Machines[id]
		if m == nil {
			return noVM(id)
		}
		kind := b.consoleType(m)
		switch {
		case m.Power != backends.Running && m.Power != backends.Paused:
			return backends.Errorf(backends.Precondition, "", "", "the VM is %s, so it has no console", m.Power).Advise("Start the VM.")
		case kind == "":
			return backends.Errorf(backends.Precondition, "", "", "the VM was made without a console").
				Advise(`Set another console.type than "none".`)
		}
		now := b.clock.Now()
		ticket := w.digest("ticket", id, now.UnixNano(), b.tickets.Add(1))
		port := value(value(m.now().Console).Port)
		if port == 0 {
			port = int64(5900 + w.pick(1000, "console", id))
		}
		made = backends.Console{
			Type: kind, URL: fmt.Sprintf("%s://%s:%d/%s?ticket=%x", kind, m.Host, port, id, ticket[:16]), Expires: now.Add(ticketLife),
		}
		return nil
	})
	return made, backends.Wrap(err, op, c.object)
}
