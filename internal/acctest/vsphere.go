package acctest

import (
	"fmt"
	"testing"

	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/vcsim"
)

// VSphere is a simulated vSphere that Terraform and the test share: Terraform over the network, the test
// in its own process.
type VSphere struct {
	*vcsim.Server
	t      testing.TB
	before []string // what there was at the start
}

// NewVSphere starts a simulator that ends with the test.
func NewVSphere(t testing.TB, o vcsim.Options) *VSphere {
	t.Helper()
	v := &VSphere{Server: vcsim.Start(t, o), t: t}
	v.before = v.left()
	return v
}

// Config is body under a provider block for this vSphere, with the first cluster and datastore of its estate as defaults.
// Options are further lines of its vsphere object.
func (v *VSphere) Config(body string, options ...string) string {
	v.t.Helper()
	more := ""
	if len(v.Seed.Clusters) > 0 {
		more += fmt.Sprintf("\n    datacenter     = %q\n    cluster        = %q", v.Seed.Datacenter, v.Seed.Clusters[0])
	}
	for _, o := range options {
		more += "\n    " + o
	}
	return fmt.Sprintf(`
provider "virtrigaud" {
  vsphere = {
    endpoint       = %q
    username       = %q
    password       = %q
    ca_certificate = <<-EOT
%sEOT
    datastore      = %q
    network        = %q%s
  }
}
%s`, v.Endpoint(), v.Username(), v.Password(), v.CACertificate(), v.Seed.Datastores[0], v.Seed.Network, more, body)
}
