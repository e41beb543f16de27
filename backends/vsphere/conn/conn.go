// Package conn is the driver's connection to a vCenter or a stand-alone ESXi host: one
// session, which every operation shares.
//
// # Sessions
//
// Open logs in once; the SOAP API and storage policies share that session, REST gets one of its own on first use. A
// call that finds the session ended logs in again, once for all calls that meet this at
// the same time, and is made again: it was not executed. Close logs out.
//
// # Repetition
//
// A call is repeated where it cannot have been executed: no session, no connection, a
// proxy without a service behind it. Reads are repeated a few times more when
// their connection breaks. Everything else is left to the caller, as a Transient.
package conn

import (
	"context"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/vmware/govmomi/vim25"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/vsphere/fault"
)

// Config says where vSphere answers and who asks.
type Config struct {
	Endpoint string // host, host:port or URL of a vCenter or ESXi
	Username string
	Password string // secret

	Insecure      bool   // TLS certificates are not verified
	CACertificate string // PEM, trusted beside the system's
	Thumbprint    string // of the server's certificate, SHA-256 or SHA-1 in hexadecimal
	SessionCache  string // directory in which the session is kept for later runs; "" keeps none
}

// Bounds of what waits for vSphere without being asked how long.
const (
	farewell = 5 * time.Second  // Close, and a task that is cancelled
	patience = 20 * time.Second // for a service that is away, before a call gives up
	idle     = 5 * time.Minute  // between calls that keep a session alive; vCenter ends it after 30
)

// opening is what errors of Open say was being done.
const opening = "connect to vSphere"

// Conn is a session. It is safe for parallel use.
type Conn struct {
	cfg     Config
	at      *url.URL
	soap    *soap.Client
	vim     *vim25.Client
	session *session
	rest    restSession
	policy  policySession
	tasks   *poller
	cache   *cache // nil keeps none
	names   sync.Map

	base    context.Context // ends with the connection
	stop    context.CancelFunc
	work    sync.WaitGroup
	closing sync.Once
	closed  error
}

// Open connects and logs in. Wrong credentials are Auth, and so is a certificate that is not trusted; an address
// at which nobody answers is Transient, and one at which no vSphere does is Invalid.
func Open(ctx context.Context, cfg Config) (*Conn, error) {
	at, err := parseEndpoint(cfg)
	if err != nil {
		return nil, backends.Wrap(err, opening, "")
	}
	trust, err := newTrust(cfg, at)
	if err != nil {
		return nil, backends.Wrap(err, opening, "")
	}
	c := &Conn{cfg: cfg, at: at, soap: newClient(at, trust)}
	c.base, c.stop = context.WithCancel(context.WithoutCancel(ctx))
	c.session = newSession(c)
	c.soap.Jar = c.session
	c.rest.conn, c.rest.turn = c, newMutex()
	c.policy.turn = newMutex()
	c.tasks = newPoller(c)
	if cfg.SessionCache != "" {
		if c.cache, err = openCache(cfg, at); err != nil {
			return nil, backends.Wrap(err, opening, "")
		}
	}
	if err := c.begin(ctx); err != nil {
		c.stop()
		c.soap.CloseIdleConnections()
		return nil, fault.Wrap(err, opening, "")
	}
	c.work.Go(c.keepAlive)
	return c, nil
}

// begin finds out what answers, and gets a session.
func (c *Conn) begin(ctx context.Context) error {
	content, err := c.greet(ctx)
	if err != nil {
		return err
	}
	c.soap.Namespace, c.soap.Version = "urn:"+vim25.Namespace, speak(content.About.ApiVersion)
	c.vim = &vim25.Client{Client: c.soap, ServiceContent: content}
	c.vim.RoundTripper = &caller{conn: c, next: c.soap}
	if c.resume(ctx) {
		return nil
	}
	return c.session.begin(ctx)
}

// VIM returns the client of the vSphere API. Calls that fail because the session ended
// are made again, once, in a new one.
func (c *Conn) VIM() *vim25.Client { return c.vim }

// About says what answers: product, version, whether it is a vCenter.
func (c *Conn) About() types.AboutInfo { return c.vim.ServiceContent.About }

// VCenter reports whether a vCenter answers, not a stand-alone ESXi.
func (c *Conn) VCenter() bool { return c.vim.IsVC() }

// Endpoint is where vSphere answers, without secrets.
func (c *Conn) Endpoint() string { return c.at.String() }

// Close logs out, or keeps the session where there is a cache, and waits for what the connection started. Awaited
// tasks go on without being awaited. It takes at most a few seconds, also where vSphere is gone.
func (c *Conn) Close() error {
	c.closing.Do(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(c.base), farewell)
		defer cancel()
		cookie := c.session.end(ctx)
		c.stop()
		c.work.Wait()
		if c.cache != nil {
			c.cache.save(cookie, c.rest.id())
		} else {
			rest := make(chan error, 1)
			go func() { rest <- c.rest.logout(ctx) }()
			err := c.logout(ctx, cookie)
			if e := <-rest; err == nil {
				err = e
			}
			c.closed = fault.Wrap(err, "log out", "")
		}
		c.soap.CloseIdleConnections()
	})
	return c.closed
}

// logout ends the session; one that has ended already is no error.
func (c *Conn) logout(ctx context.Context, cookie *http.Cookie) error {
	if cookie == nil {
		return nil
	}
	_, err := methods.Logout(ctx, c.soap, &types.Logout{This: *c.vim.ServiceContent.SessionManager})
	if err != nil && sessionLost(err, c.vim.ServiceContent.PropertyCollector) {
		return nil
	}
	return err
}

// keepAlive makes calls now and then, so that sessions do not end while nothing happens.
func (c *Conn) keepAlive() {
	tick := time.NewTicker(idle)
	defer tick.Stop()
	for {
		select {
		case <-c.base.Done():
			return
		case <-tick.C:
			c.touch(c.base)
		}
	}
}

// touch uses the sessions. One that ended is renewed; what else fails, the next real call tells.
func (c *Conn) touch(ctx context.Context) {
	_, _ = methods.GetCurrentTime(ctx, c.vim)
	c.rest.touch(ctx)
}
