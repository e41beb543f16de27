// Package conn is the driver's connection to a vCenter or a stand-alone ESXi host: one
// session, which every operation shares.
package conn

import (
	"context"
	"net/url"

	"github.com/vmware/govmomi"
	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/pbm"
	"github.com/vmware/govmomi/vapi/rest"
	"github.com/vmware/govmomi/vim25"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"

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

// Conn is a session. It is safe for parallel use.
type Conn struct {
	cfg    Config
	client *govmomi.Client
}

// Open connects and logs in.
func Open(ctx context.Context, cfg Config) (*Conn, error) {
	u, err := soap.ParseURL(cfg.Endpoint)
	if err != nil {
		return nil, fault.Wrap(err, "connect to vSphere", "")
	}
	u.User = url.UserPassword(cfg.Username, cfg.Password)
	client, err := govmomi.NewClient(ctx, u, cfg.Insecure)
	if err != nil {
		return nil, fault.Wrap(err, "connect to vSphere", "")
	}
	return &Conn{cfg: cfg, client: client}, nil
}

// VIM returns the client of the vSphere API. Calls that fail because the session ended
// are made again, once, in a new one.
func (c *Conn) VIM() *vim25.Client { return c.client.Client }

// REST returns the client of vCenter's REST API (tags, content libraries), logged in.
// A stand-alone ESXi has none: Unsupported.
func (c *Conn) REST(ctx context.Context) (*rest.Client, error) {
	r := rest.NewClient(c.client.Client)
	return r, fault.Wrap(r.Login(ctx, url.UserPassword(c.cfg.Username, c.cfg.Password)), "log in", "")
}

// PBM returns the client of vCenter's storage policies. A stand-alone ESXi has none: Unsupported.
func (c *Conn) PBM(ctx context.Context) (*pbm.Client, error) {
	p, err := pbm.NewClient(ctx, c.client.Client)
	return p, fault.Wrap(err, "reach the storage policies", "")
}

// About says what answers: product, version, whether it is a vCenter.
func (c *Conn) About() types.AboutInfo { return c.client.ServiceContent.About }

// VCenter reports whether a vCenter answers, not a stand-alone ESXi.
func (c *Conn) VCenter() bool { return c.client.IsVC() }

// Endpoint is where vSphere answers, without secrets.
func (c *Conn) Endpoint() string { return c.cfg.Endpoint }

// Await starts a task and waits for its end, reporting its progress. Its result is returned also
// next to an error, as far as there is one: a creation that was cancelled too late has made its object.
//
// A request that was sent is not given up, so that no task runs unknown: start gets a context that outlives ctx by
// a little. When ctx ends while the task runs, the task is cancelled, awaited for a few seconds more,
// and the error is Canceled or Timeout.
func (c *Conn) Await(ctx context.Context, op, object string, start func(context.Context) (*object.Task, error)) (*types.TaskInfo, error) {
	task, err := start(ctx)
	if err != nil {
		return nil, fault.Wrap(err, op, object)
	}
	info, err := task.WaitForResult(ctx)
	return info, fault.Wrap(err, op, object)
}

// Close logs out.
func (c *Conn) Close() error {
	return fault.Wrap(c.client.Logout(context.Background()), "log out", "")
}
