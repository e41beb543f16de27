package conn

import (
	"context"
	"reflect"
	"strings"
	"time"

	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/vsphere/fault"
)

// caller makes the calls of the SOAP API, and makes them again where that is safe.
type caller struct {
	conn *Conn
	next soap.RoundTripper
}

// tries is how often a read is made whose connection breaks.
const tries = 4

// RoundTrip makes one call.
func (c *caller) RoundTrip(ctx context.Context, req, res soap.HasFault) error {
	name := method(req)
	start := time.Now()
	pause := 50 * time.Millisecond
	for try, renewed := 1, false; ; try++ {
		epoch, err := c.conn.session.current()
		if err != nil {
			return err
		}
		err = c.next.RoundTrip(ctx, req, res)
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil && !soap.IsSoapFault(err):
			return ctx.Err()
		case !renewed && sessionLost(err, c.conn.vim.ServiceContent.PropertyCollector):
			renewed = true
			if err := c.conn.session.renew(ctx, epoch); err != nil {
				return err
			}
			if name == "ContinueRetrievePropertiesEx" {
				// The pages belonged to the old session.
				return backends.Errorf(backends.Transient, "", "", "the session ended in the middle of a read")
			}
		case unsent(err) && time.Since(start) < patience,
			reads(name) && try < tries && fault.Code(err) == backends.Transient:
			if !sleep(ctx, pause) {
				return ctx.Err()
			}
			pause = min(2*pause, 2*time.Second)
		default:
			return c.conn.explain(ctx, err)
		}
		reflect.ValueOf(res).Elem().SetZero() // it holds the fault
	}
}

// method returns the name of the method that a request calls.
func method(req soap.HasFault) string {
	return strings.TrimSuffix(reflect.TypeOf(req).Elem().Name(), "Body")
}

// reads reports whether a method changes nothing and may be called again.
func reads(method string) bool {
	for _, p := range []string{"Retrieve", "Query", "Find", "Current", "PbmQuery", "PbmRetrieve", "PbmCheck"} {
		if strings.HasPrefix(method, p) {
			return true
		}
	}
	return false
}

// explain finds the names of the objects on which the account lacks privileges, if it may.
func (c *Conn) explain(ctx context.Context, err error) error {
	refs := fault.Denied(err)
	if len(refs) == 0 {
		return err
	}
	names := make(map[types.ManagedObjectReference]string)
	for _, ref := range refs {
		name, ok := c.names.Load(ref)
		if !ok {
			name = c.nameOf(ctx, ref)
			c.names.Store(ref, name)
		}
		if s, _ := name.(string); s != "" {
			names[ref] = s
		}
	}
	return fault.WithNames(err, names)
}

// nameOf returns the name of an object, or "" where it cannot be read.
func (c *Conn) nameOf(ctx context.Context, ref types.ManagedObjectReference) string {
	ctx, cancel := context.WithTimeout(ctx, farewell)
	defer cancel()
	res, err := methods.RetrievePropertiesEx(ctx, c.soap, &types.RetrievePropertiesEx{
		This: c.vim.ServiceContent.PropertyCollector,
		SpecSet: []types.PropertyFilterSpec{{
			PropSet:   []types.PropertySpec{{Type: ref.Type, PathSet: []string{"name"}}},
			ObjectSet: []types.ObjectSpec{{Obj: ref}},
		}},
	})
	if err != nil || res.Returnval == nil || len(res.Returnval.Objects) == 0 {
		return ""
	}
	for _, p := range res.Returnval.Objects[0].PropSet {
		if name, ok := p.Val.(string); ok {
			return name
		}
	}
	return ""
}
