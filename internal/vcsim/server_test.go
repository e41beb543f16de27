package vcsim_test

import (
	"context"
	"crypto/x509"
	"testing"
	"time"

	"github.com/vmware/govmomi"
	"github.com/vmware/govmomi/find"
	"github.com/vmware/govmomi/session"
	"github.com/vmware/govmomi/vim25"
	"github.com/vmware/govmomi/vim25/soap"

	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/vcsim"
)

// connect logs in to the server, whose certificate is verified.
func connect(t *testing.T, s *vcsim.Server) *govmomi.Client {
	t.Helper()

	c, err := dial(t, s)
	if err != nil {
		t.Fatal(err)
	}

	if err := c.Login(t.Context(), s.URL().User); err != nil {
		t.Fatal(err)
	}

	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()

		_ = c.Logout(ctx)
	})

	return c
}

func dial(t *testing.T, s *vcsim.Server) (*govmomi.Client, error) {
	t.Helper()

	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM([]byte(s.CACertificate())) {
		t.Fatal("no authority")
	}

	sc := soap.NewClient(s.URL(), false)
	sc.DefaultTransport().TLSClientConfig.RootCAs = roots

	vc, err := vim25.NewClient(t.Context(), sc)
	if err != nil {
		return nil, err
	}

	return &govmomi.Client{Client: vc, SessionManager: session.NewManager(vc)}, nil
}

func TestEstate(t *testing.T) {
	s := vcsim.Start(t, vcsim.Options{})
	c := connect(t, s)
	f := find.NewFinder(c.Client)

	if _, err := f.VirtualMachineList(t.Context(), "/DC0/vm/*"); err != nil {
		t.Fatal(err)
	}

	for kind, path := range map[string]string{
		"cluster":     "/DC0/host/" + s.Seed.Clusters[1],
		"host":        "/DC0/host/" + s.Seed.Clusters[1] + "/" + s.Seed.Hosts[1][1],
		"datastore":   "/DC0/datastore/" + s.Seed.DatastoreCluster + "/" + s.Seed.ClusterDatastore,
		"network":     "/DC0/network/" + s.Seed.VLANPortGroup,
		"opaque":      "/DC0/network/" + s.Seed.OpaqueNetwork,
		"folder":      "/DC0/vm/" + s.Seed.Folder + "/" + s.Seed.ChildFolder,
		"same folder": "/DC1/vm/" + s.Seed.Folder,
		"template":    "/DC0/vm/" + s.Seed.Template,
	} {
		if l, err := f.ManagedObjectList(t.Context(), path); err != nil || len(l) != 1 {
			t.Errorf("%s %s: %v, %v", kind, path, l, err)
		}
	}
}

func TestESXi(t *testing.T) {
	s := vcsim.Start(t, vcsim.Options{ESXi: true})
	c := connect(t, s)

	if c.IsVC() {
		t.Error("a host says that it is a vCenter")
	}

	f := find.NewFinder(c.Client)
	if l, err := f.NetworkList(t.Context(), "/ha-datacenter/network/*"); err != nil || len(l) != 4 {
		t.Errorf("networks: %v, %v", l, err)
	}

	if l, err := f.DatastoreList(t.Context(), "/ha-datacenter/datastore/*"); err != nil || len(l) != 2 {
		t.Errorf("datastores: %v, %v", l, err)
	}
}

func BenchmarkStart(b *testing.B) {
	for range b.N {
		s, err := vcsim.New(vcsim.Options{})
		if err != nil {
			b.Fatal(err)
		}

		s.Close()
	}
}
