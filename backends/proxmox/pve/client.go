// Package pve is the driver's connection to a Proxmox VE cluster: one login, which every operation shares,
// requests, uploads and tasks. It knows nothing of what the driver does with them.
//
// # Sessions
//
// Open proves the credentials. A ticket is renewed an hour before its end, and once where a call finds it ended; the
// call is made again then: it was not executed. An API token needs neither. Nothing needs a logout.
//
// # Endpoints
//
// All endpoints are nodes of one cluster. The first that answers is used until it does not any more; then the next.
//
// # Repetition
//
// A call is repeated where it cannot have been executed: no connection, none from the proxy to a node, no session.
// Reads are repeated a few times more when their connection breaks or the proxy loses its own. Everything else is
// left to the caller, as a Transient: a creation whose answer is lost may have happened.
//
// Errors are *backends.Error, see package fault.
package pve

import (
	"context"
	"sync"
	"time"

	proxmox "github.com/Telmate/proxmox-api-go/proxmox"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/proxmox/fault"
)

// Bounds of what happens side by side, and of what waits without being asked how long.
const (
	parallel  = 16               // requests
	transfers = 4                // uploads, beside requests
	patience  = 20 * time.Second // for endpoints that are away, before a call gives up
	farewell  = 5 * time.Second  // for a task that is stopped, and for Close
)

// opening is what errors of Open say was being done.
const opening = "connect to Proxmox VE"

// Client is a connection to a cluster. It is safe for parallel use.
type Client struct {
	cfg     Config
	places  *places
	creds   *credentials
	version Version
	sdk     *proxmox.Client
	slots   chan struct{}
	uploads chan struct{}
	wait    time.Duration // how long endpoints may be away; shorter while Open is at work

	base    context.Context // ends with the connection
	stop    context.CancelFunc
	work    sync.WaitGroup
	closing sync.Once
}

// Open connects and logs in. Wrong credentials are Auth, and so is a certificate that is not trusted; where nobody answers is
// Transient, and where something else than Proxmox VE does is Invalid.
func Open(ctx context.Context, cfg Config) (*Client, error) {
	c, err := open(ctx, cfg)
	if err != nil {
		return nil, fault.Wrap(err, opening, "")
	}
	return c, nil
}

func open(ctx context.Context, cfg Config) (*Client, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	if cfg.RequestTimeout <= 0 {
		cfg.RequestTimeout = requestTimeout
	}
	c := &Client{cfg: cfg, slots: make(chan struct{}, parallel), uploads: make(chan struct{}, transfers), wait: time.Second}
	var err error
	if c.places, err = newPlaces(&cfg); err != nil {
		return nil, err
	}
	if c.creds, err = newCredentials(c); err != nil {
		return nil, err
	}
	c.base, c.stop = context.WithCancel(context.WithoutCancel(ctx))
	if err = c.begin(ctx); err != nil {
		_ = c.Close()
		return nil, err
	}
	c.wait = patience
	c.sdk, err = newSDK(c)
	return c, err
}

// begin logs in and asks for the version, which proves the credentials.
func (c *Client) begin(ctx context.Context) error {
	if err := c.creds.begin(ctx); err != nil {
		return err
	}
	var answer versionAnswer
	if err := c.Get(ctx, "/version", nil, &answer); err != nil {
		return err
	}
	version, err := parseVersion(answer)
	if err != nil {
		return backends.Errorf(backends.Invalid, "", "", "what answers at %s is not Proxmox VE: %w", c.Endpoint(), err).
			Advise("Check host and port of the endpoint: Proxmox VE answers at port 8006.")
	}
	c.version = version
	return nil
}

// Version is that of the node that answered first.
func (c *Client) Version() Version { return c.version }

// Endpoint is the address in use: https://pve1:8006.
func (c *Client) Endpoint() string { return c.places.current().name() }

// User is who the requests are made as: root@pam, or root@pam!tf for a token.
func (c *Client) User() string { return c.creds.who }

// SDK is a client of github.com/Telmate/proxmox-api-go whose requests go through this connection: with its login, endpoints, limits and
// repetition. Its answers are made such that it does not panic, and its errors hold what Proxmox VE says. Do not use its waiting for
// tasks, nor Login, SetTicket or SetAPIToken.
func (c *Client) SDK() *proxmox.Client { return c.sdk }

// Close gives up what the connection does in the background and closes its idle connections. Awaited tasks go on.
func (c *Client) Close() error {
	c.closing.Do(func() {
		c.creds.close()
		c.stop()
		c.work.Wait()
		c.places.close()
	})
	return nil
}
