package pve

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	proxmox "github.com/Telmate/proxmox-api-go/proxmox"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/certificate"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/proxmox/fault"
)

// Ages of a ticket. Proxmox VE accepts one for two hours.
const (
	stale   = time.Hour
	expired = 2*time.Hour - 5*time.Minute
	retry   = time.Minute // between attempts to renew a ticket that still works
)

// login is what requests are made with. It does not change.
type login struct {
	session *proxmox.Session
	made    time.Time
	ticket  string // "" for a token
}

// credentials hold the login and make new ones.
type credentials struct {
	c      *Client
	who    string
	fixed  []string // secrets of the configuration
	factor *factor  // nil: none
	now    func() time.Time

	mu      sync.Mutex
	login   *login
	older   []string // tickets before it, which answers that come late may still show
	flight  *flight
	tried   time.Time // when renewing failed last
	refused error     // why no login is tried any more
}

// flight is a login that calls wait for.
type flight struct {
	done chan struct{}
	err  error
}

func newCredentials(c *Client) (*credentials, error) {
	a := &credentials{c: c, who: c.cfg.Username, now: time.Now}
	if c.cfg.APIToken != "" {
		id, secret, err := c.cfg.token()
		if err != nil {
			return nil, err
		}
		a.who, a.fixed = id.String(), []string{secret}
		a.login, err = newLogin(func(s *proxmox.Session) { s.AuthToken = id.String() + "=" + secret })
		return a, err
	}
	a.fixed = []string{c.cfg.Password}
	if c.cfg.OTP != "" {
		f, err := newFactor(c.cfg.OTP)
		if err != nil {
			return nil, err
		}
		a.factor, a.fixed = f, append(a.fixed, c.cfg.OTP)
	}
	return a, nil
}

func newLogin(set func(*proxmox.Session)) (*login, error) {
	s, err := proxmox.NewSession("", &http.Client{}, "", nil)
	if err != nil {
		return nil, err
	}
	set(s)
	return &login{session: s, ticket: s.AuthTicket}, nil
}

// renewable reports whether a new login may help against a 401.
func (a *credentials) renewable() bool { return a.c.cfg.APIToken == "" }

// hider returns what removes the connection's secrets and those of one request from texts.
func (a *credentials) hider(more []string) func(string) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	all := slices.Concat(a.fixed, a.older, more)
	if a.login != nil && a.login.ticket != "" {
		all = append(all, a.login.ticket, a.login.session.CsrfToken)
	}
	return hiding(all)
}

// begin logs in for the first time.
func (a *credentials) begin(ctx context.Context) error {
	if !a.renewable() {
		return nil
	}
	l, err := a.ask(ctx, "")
	if err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.login = l
	return nil
}

// nobody is who asks for a login.
var nobody = &login{session: &proxmox.Session{}}

// current returns the login for a call, renewed where it gets old.
func (a *credentials) current(ctx context.Context, q *call) (*login, error) {
	if q.anonymous {
		return nobody, nil
	}
	a.mu.Lock()
	l, refused := a.login, a.refused
	age, tried := time.Duration(0), a.now().Sub(a.tried)
	if l.ticket != "" {
		age = a.now().Sub(l.made)
	}
	a.mu.Unlock()
	switch {
	case refused != nil:
		return nil, refused
	case age < stale, age < expired && tried < retry:
		return l, nil
	}
	if err := a.renew(ctx, l); err != nil && (age >= expired || backends.CodeOf(err) == backends.Auth || ctx.Err() != nil) {
		return nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.login, nil
}

// renew makes a new login, unless somebody has done so since old was the one. Calls that meet the end of a
// ticket at the same time wait for one login.
func (a *credentials) renew(ctx context.Context, old *login) error {
	a.mu.Lock()
	if a.refused != nil || a.login != old {
		defer a.mu.Unlock()
		return a.refused
	}
	f := a.flight
	if f == nil {
		f = &flight{done: make(chan struct{})}
		a.flight = f
		a.c.work.Go(func() { a.fly(f, old) }) //nolint:contextcheck // one login for all that wait outlives the call that met the end first
	}
	a.mu.Unlock()
	select {
	case <-f.done:
		return f.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// fly makes a new login for all that wait: by the old ticket while that is young, else by password. A login that is refused is
// the last: wrong passwords lock accounts.
func (a *credentials) fly(f *flight, old *login) {
	ctx, cancel := context.WithTimeout(a.c.base, patience+farewell+period)
	defer cancel()
	var l *login
	var err error
	if age := a.now().Sub(old.made); age >= stale && age < expired {
		l, err = a.ask(ctx, old.ticket)
		if err != nil && backends.CodeOf(err) == backends.Auth {
			l, err = a.ask(ctx, "")
		}
	} else {
		l, err = a.ask(ctx, "")
	}
	a.mu.Lock()
	a.flight = nil
	switch {
	case err == nil:
		a.login, a.older = l, []string{old.ticket, old.session.CsrfToken}
	case backends.CodeOf(err) == backends.Auth && a.refused == nil && !errors.Is(err, certificate.ErrRefused): // nobody was asked there
		a.refused = err
	default:
		a.tried = a.now()
	}
	f.err = err
	a.mu.Unlock()
	close(f.done)
}

// close lets no other login begin.
func (a *credentials) close() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.refused == nil {
		a.refused = backends.Errorf(backends.Canceled, "", "", "the connection to Proxmox VE is closed")
	}
}

// ticketAnswer is what a login is answered with.
type ticketAnswer struct {
	Ticket              Text
	CSRFPreventionToken Text
	NeedTFA             Bool
	Username            Text
}

// ask logs in: by an earlier ticket in place of the password, if it is given.
func (a *credentials) ask(ctx context.Context, ticket string) (*login, error) {
	password := a.c.cfg.Password
	if ticket != "" {
		password = ticket
	}
	made := a.now()
	t, err := a.post(ctx, url.Values{"username": {a.who}, "password": {password}, "new-format": {"1"}})
	if err != nil {
		return nil, err
	}
	if bool(t.NeedTFA) || strings.HasPrefix(string(t.Ticket), "PVE:!tfa!") {
		if t, err = a.second(ctx, string(t.Ticket)); err != nil {
			return nil, err
		}
	}
	if t.Ticket == "" {
		return nil, backends.Errorf(backends.Internal, "", "", "Proxmox VE accepted the login and gave no ticket")
	}
	l, err := newLogin(func(s *proxmox.Session) { s.AuthTicket, s.CsrfToken = string(t.Ticket), string(t.CSRFPreventionToken) })
	if l != nil {
		l.made = made
	}
	return l, err
}

// post asks for a ticket.
func (a *credentials) post(ctx context.Context, form url.Values) (t ticketAnswer, err error) {
	q := &call{
		method: http.MethodPost, path: "/access/ticket", body: []byte(form.Encode()), kind: formType,
		anonymous: true, secrets: slices.Concat(form["password"], form["tfa-challenge"]),
	}
	if err = a.c.do(ctx, q, &t); err != nil && backends.CodeOf(err) == backends.Invalid && len(fault.Params(err)) > 0 {
		// A user name or password of an impossible form.
		err = backends.Errorf(backends.Auth, "", "", "Proxmox VE does not accept user name and password: %w", err)
	}
	return t, err
}
