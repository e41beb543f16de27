package inventory_test

import (
	"testing"

	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/vim25/types"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/vsphere/inventory"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/vcsim"
)

type placement = backends.PlacementSpec

// where is a place in paths.
type where struct{ folder, pool, host, compute, datastore string }

func paths(p inventory.Place) where {
	w := where{folder: p.Folder.Path, pool: p.Pool.Path, compute: p.Compute.Path}
	if p.Host != nil {
		w.host = p.Host.Path
	}
	if p.Datastore != nil {
		w.datastore = p.Datastore.Path
	}
	return w
}

func TestPlace(t *testing.T) {
	const (
		a, b = "/DC0/host/cluster-a", "/DC0/host/cluster-b"
		b2   = b + "/esx-b2"
		c    = "/DC0/host/esx-c1"
		fast = "/DC0/datastore/fast"
	)
	for _, test := range []struct {
		name     string
		defaults inventory.Defaults
		asked    placement
		want     where
	}{
		{"a cluster", inventory.Defaults{}, placement{Cluster: new("cluster-a")}, where{"/DC0/vm", a + "/Resources", "", a, ""}},
		{"a host", inventory.Defaults{}, placement{Host: new("esx-b2")}, where{"/DC0/vm", b + "/Resources", b2, b, ""}},
		{"a stand-alone host", inventory.Defaults{}, placement{Host: new("esx-c1")}, where{"/DC0/vm", c + "/Resources", c + "/esx-c1", c, ""}},
		{"a nested pool", inventory.Defaults{}, placement{ResourcePool: new("production/web")}, where{"/DC0/vm", a + "/Resources/production/web", "", a, ""}},
		{"a pool of the cluster", inventory.Defaults{}, placement{Cluster: new("cluster-b"), ResourcePool: new("Resources")}, where{"/DC0/vm", b + "/Resources", "", b, ""}},
		{"a folder of the cluster's datacenter", inventory.Defaults{}, placement{Cluster: new("cluster-a"), Folder: new("prod")}, where{"/DC0/vm/prod", a + "/Resources", "", a, ""}},
		{"a nested folder", inventory.Defaults{}, placement{Cluster: new("cluster-a"), Folder: new("prod/web")}, where{"/DC0/vm/prod/web", a + "/Resources", "", a, ""}},
		{"storage", inventory.Defaults{}, placement{Cluster: new("cluster-a"), Storage: new("fast")}, where{"/DC0/vm", a + "/Resources", "", a, fast}},
		{"the only datacenter's host", inventory.Defaults{Datacenter: "DC1"}, placement{}, where{"/DC1/vm", "/DC1/host/esx-d1/Resources", "/DC1/host/esx-d1/esx-d1", "/DC1/host/esx-d1", "/DC1/datastore/datastore-d"}},
		{
			"all by default",
			inventory.Defaults{Datacenter: "DC0", Cluster: "cluster-a", ResourcePool: "production", Host: "esx-a2", Datastore: "fast", Folder: "prod"},
			placement{},
			where{"/DC0/vm/prod", a + "/Resources/production", a + "/esx-a2", a, fast},
		},
		{
			"defaults that do not fit are left out",
			inventory.Defaults{Datacenter: "DC0", Cluster: "cluster-a", ResourcePool: "production", Host: "esx-a2", Datastore: "fast", Folder: "prod"},
			placement{Host: new("esx-b2")},
			where{"/DC0/vm/prod", b + "/Resources", b2, b, fast},
		},
		{"the default pool of the cluster asked for", inventory.Defaults{ResourcePool: "production"}, placement{Cluster: new("cluster-a")}, where{"/DC0/vm", a + "/Resources/production", "", a, ""}},
		{"a default pool decides the cluster", inventory.Defaults{ResourcePool: "production"}, placement{}, where{"/DC0/vm", a + "/Resources/production", "", a, ""}},
	} {
		t.Run(test.name, func(t *testing.T) {
			e := start(t, vcsim.Options{}, test.defaults)
			got, err := e.Place(t.Context(), test.asked)
			if err != nil || paths(got) != test.want {
				t.Errorf("the place is\n%+v (%v), want\n%+v", paths(got), err, test.want)
			}
			if n := e.calls(); n != 2 {
				t.Errorf("it took %d calls: %v", n, e.server.Calls())
			}
		})
	}
}

func TestPlaceRefuses(t *testing.T) {
	for _, test := range []struct {
		name     string
		defaults inventory.Defaults
		asked    placement
		code     backends.Code
		path     backends.Path
		words    []string
	}{
		{"several clusters", inventory.Defaults{}, placement{}, backends.Invalid, "placement.cluster", []string{"/DC0/host/cluster-a", "/DC1/host/esx-d1", "vsphere.cluster"}},
		{"no such host", inventory.Defaults{}, placement{Host: new("esx-a7")}, backends.NotFound, "placement.host", []string{"esx-a7", "esx-a1"}},
		{"no such cluster", inventory.Defaults{}, placement{Cluster: new("cluster-c")}, backends.NotFound, "placement.cluster", []string{"cluster-a"}},
		{"no such pool", inventory.Defaults{}, placement{ResourcePool: new("prodution")}, backends.NotFound, "placement.resource_pool", []string{"production"}},
		{"no such folder", inventory.Defaults{Cluster: "cluster-a"}, placement{Folder: new("team")}, backends.NotFound, "placement.folder", []string{"team"}},
		{"no such storage", inventory.Defaults{Cluster: "cluster-a"}, placement{Storage: new("slow")}, backends.NotFound, "placement.storage", []string{"slow", "fast"}},
		{"a host of another cluster", inventory.Defaults{}, placement{Cluster: new("cluster-a"), Host: new("esx-b1")}, backends.Invalid, "placement.host", []string{"esx-b1", "cluster-a", "/DC0/host/cluster-b"}},
		{"a pool of another cluster", inventory.Defaults{}, placement{Cluster: new("cluster-b"), ResourcePool: new("production")}, backends.Invalid, "placement.resource_pool", []string{"production", "/DC0/host/cluster-b"}},
		{"a pool of another host", inventory.Defaults{}, placement{Host: new("esx-c1"), ResourcePool: new("production")}, backends.Invalid, "placement.resource_pool", []string{"production"}},
		{"a folder of another datacenter", inventory.Defaults{}, placement{Host: new("esx-d1"), Folder: new("prod/web")}, backends.Invalid, "placement.folder", []string{"/DC0/vm/prod/web"}},
		{"storage of another datacenter", inventory.Defaults{}, placement{Host: new("esx-d1"), Storage: new("fast")}, backends.Invalid, "placement.storage", []string{"another datacenter"}},
		{"a default that is not there", inventory.Defaults{Cluster: "cluster-x"}, placement{}, backends.NotFound, "", []string{"vsphere.cluster", "cluster-x"}},
		{"a default datacenter that is not there", inventory.Defaults{Datacenter: "DC7"}, placement{Host: new("esx-a1")}, backends.NotFound, "", []string{"vsphere.datacenter", "DC7", "DC0"}},
		{"defaults that do not fit", inventory.Defaults{Cluster: "cluster-b", Host: "esx-a1"}, placement{}, backends.Invalid, "", []string{"vsphere.host", "esx-a1", "cluster-b"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			e := start(t, vcsim.Options{}, test.defaults)
			_, err := e.Place(t.Context(), test.asked)
			t.Log(err)
			wantRefused(t, err, test.code, test.path, test.words...)
		})
	}
}

// An ESXi needs no setting at all.
func TestPlaceOnESXi(t *testing.T) {
	e := start(t, vcsim.Options{ESXi: true}, inventory.Defaults{})
	got, err := e.Place(t.Context(), placement{})
	if err != nil {
		t.Fatal(err)
	}
	want := where{
		"/ha-datacenter/vm", "/ha-datacenter/host/localhost.localdomain/Resources",
		"/ha-datacenter/host/localhost.localdomain/localhost.localdomain", "/ha-datacenter/host/localhost.localdomain",
		"/ha-datacenter/datastore/datastore1", // has most room
	}
	if paths(got) != want {
		t.Errorf("the place is %+v", paths(got))
	}
	if o, _, vlan, err := e.NetworkBacking(t.Context(), got, nil); err != nil || o.Name != "VM Network" || vlan != 0 {
		t.Errorf("the network is %+v, VLAN %d (%v)", o, vlan, err)
	}
	if o, err := e.Storage(t.Context(), got, nil, 1<<30); err != nil || o.Name != "datastore1" {
		t.Errorf("the storage is %+v (%v)", o, err)
	}
}

// With DRS the cluster chooses the host.
func TestPlaceWithDRS(t *testing.T) {
	e := start(t, vcsim.Options{}, inventory.Defaults{})
	got, err := e.Place(t.Context(), placement{Cluster: new("cluster-a")})
	if err != nil || got.Host != nil || got.Pool.Path != "/DC0/host/cluster-a/Resources" {
		t.Errorf("the place is %+v (%v)", paths(got), err)
	}
	got, err = e.Place(t.Context(), placement{Host: new("esx-a2")})
	if err != nil || got.Host == nil || got.Host.Name != "esx-a2" {
		t.Errorf("a host that is asked for: %+v (%v)", paths(got), err)
	}
}

// Without DRS, VMs that are made at once spread over hosts, and none goes to a host in maintenance mode.
func TestHostChoice(t *testing.T) {
	e := start(t, vcsim.Options{}, inventory.Defaults{Cluster: "cluster-a"})
	disableDRS(t, e, "cluster-a")
	counts := map[string]int{}
	for range 10 {
		p, err := e.Place(t.Context(), placement{})
		if err != nil {
			t.Fatal(err)
		}
		counts[p.Host.Name]++
	}
	if counts["esx-a1"] != 5 || counts["esx-a2"] != 5 {
		t.Errorf("10 VMs go to %v", counts)
	}

	maintain(t, e, "esx-a1")
	e.Forget()
	for range 3 {
		if p, err := e.Place(t.Context(), placement{}); err != nil || p.Host.Name != "esx-a2" {
			t.Errorf("with a host in maintenance mode the place is %+v (%v)", paths(p), err)
		}
	}
	_, err := e.Place(t.Context(), placement{Host: new("esx-a1")})
	wantRefused(t, err, backends.Precondition, "placement.host", "esx-a1", "maintenance mode")
	maintain(t, e, "esx-a2")
	e.Forget()
	_, err = e.Place(t.Context(), placement{})
	wantRefused(t, err, backends.Precondition, "placement.host", "none of the 2 hosts")
}

func TestStorage(t *testing.T) {
	e := start(t, vcsim.Options{}, inventory.Defaults{})
	place := func(p placement) inventory.Place {
		t.Helper()
		got, err := e.Place(t.Context(), p)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	a, b1, b2 := place(placement{Cluster: new("cluster-a")}), place(placement{Host: new("esx-b1")}), place(placement{Host: new("esx-b2")})
	for _, test := range []struct {
		name string
		at   inventory.Place
		need int64
		want string
	}{
		{"fast", a, 40 << 30, "/DC0/datastore/fast"},
		{"/DC0/datastore/fast", a, 0, "/DC0/datastore/fast"},
		{"pod", a, 40 << 30, "/DC0/datastore/pod/pod-a"},
		{"pod/pod-a", a, 40 << 30, "/DC0/datastore/pod/pod-a"},
		{"small", a, 8 << 30, "/DC0/datastore/small"},
		{"local-b1", b1, 0, "/DC0/datastore/local-b1"},
	} {
		got, err := e.Storage(t.Context(), test.at, &test.name, test.need)
		if err != nil || got.Path != test.want || got.Kind != inventory.Datastore {
			t.Errorf("%s is %+v (%v), want %s", test.name, got, err, test.want)
		}
	}
	for _, test := range []struct {
		name  *string
		at    inventory.Place
		need  int64
		code  backends.Code
		path  backends.Path
		words []string
	}{
		{nil, a, 0, backends.Invalid, "placement.storage", []string{"fast (500 GiB free)", "vsphere.datastore"}},
		{new("small"), a, 9 << 30, backends.Exhausted, "", []string{"small", "8 GiB free of 8 GiB", "9 GiB"}},
		{new("pod"), a, 900 << 30, backends.Exhausted, "", []string{"pod", "pod-a (500 GiB free)", "900 GiB"}},
		{new("local-b1"), b2, 0, backends.Invalid, "", []string{`"local-b1" is not mounted on host "esx-b2"`}},
		{new("datastore-d"), a, 0, backends.Invalid, "", []string{"another datacenter"}},
		{new("smal"), a, 0, backends.NotFound, "", []string{`"small"`}},
	} {
		_, err := e.Storage(t.Context(), test.at, test.name, test.need)
		t.Log(err)
		wantRefused(t, err, test.code, test.path, test.words...)
	}
	if got, err := e.Storage(t.Context(), place(placement{Cluster: new("cluster-a"), Storage: new("pod")}), nil, 1<<30); err != nil || got.Name != "pod-a" {
		t.Errorf("a datastore cluster as the placement's storage is %+v (%v)", got, err)
	}
}

func TestNetworkBacking(t *testing.T) {
	e := start(t, vcsim.Options{}, inventory.Defaults{})
	a, err := e.Place(t.Context(), placement{Host: new("esx-a1")})
	if err != nil {
		t.Fatal(err)
	}
	b, err := e.Place(t.Context(), placement{Host: new("esx-b1")})
	if err != nil {
		t.Fatal(err)
	}
	x, err := e.Index(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name *string
		at   inventory.Place
		path string
		vlan int64
	}{
		{nil, a, "/DC0/network/VM Network", 0},
		{new("VM Network"), a, "/DC0/network/VM Network", 0},
		{new("Storage Network"), a, "/DC0/network/Storage Network", 0},
		{new("Local Network"), b, "/DC0/network/Local Network", 0},
		{new("dv-servers"), a, "/DC0/network/dv-servers", 0},
		{new("dv-vlan30"), a, "/DC0/network/dv-vlan30", 30},
		{new("dv-trunk"), a, "/DC0/network/dv-trunk", -1},
		{new("segment-web"), a, "/DC0/network/segment-web", -1},
	} {
		o, backing, vlan, err := e.NetworkBacking(t.Context(), test.at, test.name)
		if err != nil || o.Path != test.path || vlan != test.vlan {
			t.Errorf("the network is %+v with VLAN %d (%v), want %s with %d", o, vlan, err, test.path, test.vlan)
			continue
		}
		checkBacking(t, e, o, backing)
		if again, vlan, ok := x.NetworkOf(backing); !ok || again != o || vlan != test.vlan {
			t.Errorf("a device with this backing is on %+v, VLAN %d, want %+v", again, vlan, o)
		}
	}
	_, _, _, err = e.NetworkBacking(t.Context(), a, new("Local Network"))
	wantRefused(t, err, backends.Invalid, "", `"Local Network" is not on host "esx-a1", but on "esx-b1"`)
	_, _, _, err = e.NetworkBacking(t.Context(), a, new("VM network"))
	wantRefused(t, err, backends.NotFound, "", `"VM Network"`)
	if _, _, ok := x.NetworkOf(&types.VirtualEthernetCardNetworkBackingInfo{}); ok {
		t.Error("a device that is connected to nothing has a network")
	}
}

// checkBacking compares a backing with that which govmomi makes.
func checkBacking(t *testing.T, e *estate, o inventory.Object, backing types.BaseVirtualDeviceBackingInfo) {
	t.Helper()
	ref := object.NewReference(e.conn.VIM(), o.Ref).(object.NetworkReference)
	want, err := ref.EthernetCardBackingInfo(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if b, ok := backing.(*types.VirtualEthernetCardNetworkBackingInfo); ok {
		c := *b
		c.Network = nil
		backing = &c
	}
	if got, want := sprint(backing), sprint(want); got != want {
		t.Errorf("the backing of %s is\n%s, want\n%s", o.Path, got, want)
	}
}

// The port groups of a switch's own links are no networks for VMs.
func TestUplinksAreNoNetworks(t *testing.T) {
	e := start(t, vcsim.Options{}, inventory.Defaults{Cluster: "cluster-a"})
	name := markUplinks(t, e)
	p, err := e.Place(t.Context(), placement{})
	if err != nil {
		t.Fatal(err)
	}
	_, _, _, err = e.NetworkBacking(t.Context(), p, &name)
	wantRefused(t, err, backends.NotFound, "", name)
	x, err := e.Index(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range x.Networks() {
		if n.Name == name {
			t.Errorf("it is listed: %+v", n)
		}
	}
}
