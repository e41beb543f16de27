package vsphere

import (
	"context"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/catalogues"
)

// Info says what answers and what it can do. That the session was granted proved the credentials, and the answer
// to that said all of this.
func (b *Backend) Info(context.Context) (backends.Info, error) {
	about := b.conn.About()
	return backends.Info{
		Backend:   backends.VSphere,
		Product:   about.Name,
		Version:   about.Version,
		Endpoint:  b.conn.Endpoint(),
		Catalogue: b.catalogue(),
	}, nil
}

// catalogue is what the vSphere that is connected can do.
func (b *Backend) catalogue() backends.Catalogue {
	c := catalogues.VSphere()
	if !b.conn.VCenter() {
		c = catalogues.VSphereESXi(c)
	}
	return c
}
