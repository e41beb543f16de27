package conn

import (
	"context"

	"github.com/vmware/govmomi/pbm"
	pbmmethods "github.com/vmware/govmomi/pbm/methods"
	pbmtypes "github.com/vmware/govmomi/pbm/types"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/vsphere/fault"
)

// policySession is the client of the storage policies, which use the session of the SOAP API.
type policySession struct {
	turn   mutex
	client *pbm.Client
}

// PBM returns the client of vCenter's storage policies. A stand-alone ESXi has none: Unsupported.
func (c *Conn) PBM(ctx context.Context) (*pbm.Client, error) {
	const op = "reach the storage policies"
	if !c.VCenter() {
		return nil, backends.Errorf(backends.Unsupported, op, "", "a stand-alone ESXi has no storage policies").
			Advise("Connect to a vCenter, or leave policy unset.")
	}
	p := &c.policy
	if err := p.turn.lock(ctx); err != nil {
		return nil, fault.Wrap(err, op, "")
	}
	defer p.turn.unlock()
	if p.client != nil {
		return p.client, nil
	}
	sc := c.soap.NewServiceClient(pbm.Path, pbm.Namespace)
	sc.Transport, sc.Jar = c.soap.Transport, c.session
	sc.Cookie = c.soap.SessionCookie // the service wants the session in the envelope's header
	rt := &caller{conn: c, next: sc}
	res, err := pbmmethods.PbmRetrieveServiceContent(ctx, rt, &pbmtypes.PbmRetrieveServiceContent{This: pbm.ServiceInstance})
	if err != nil {
		return nil, fault.Wrap(err, op, "")
	}
	p.client = &pbm.Client{Client: sc, ServiceContent: res.Returnval, RoundTripper: rt}
	return p.client, nil
}
