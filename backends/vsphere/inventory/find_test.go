package inventory_test

import (
	"sync"
	"testing"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/vsphere/inventory"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/vcsim"
)

func TestFind(t *testing.T) {
	e := start(t, vcsim.Options{}, inventory.Defaults{})
	for _, test := range []struct {
		kind inventory.Kind
		name string
		path string
	}{
		{inventory.Datacenter, "DC1", "/DC1"},
		{inventory.Datacenter, "/DC1", "/DC1"},
		{inventory.Cluster, "cluster-a", "/DC0/host/cluster-a"},
		{inventory.Host, "esx-a2", "/DC0/host/cluster-a/esx-a2"},
		{inventory.Host, "cluster-a/esx-a2", "/DC0/host/cluster-a/esx-a2"},
		{inventory.Host, "/DC0/host/cluster-a/esx-a2", "/DC0/host/cluster-a/esx-a2"},
		{inventory.Pool, "web", "/DC0/host/cluster-a/Resources/production/web"},
		{inventory.Pool, "production/web", "/DC0/host/cluster-a/Resources/production/web"},
		{inventory.Pool, "cluster-b/Resources", "/DC0/host/cluster-b/Resources"},
		{inventory.Folder, "web", "/DC0/vm/prod/web"},
		{inventory.Folder, "prod/web", "/DC0/vm/prod/web"},
		{inventory.Folder, "vm/prod/web", "/DC0/vm/prod/web"},
		{inventory.Folder, "/DC1/vm/prod", "/DC1/vm/prod"},
		{inventory.Folder, "DC1/vm/prod", "/DC1/vm/prod"},
		{inventory.Datastore, "pod/pod-a", "/DC0/datastore/pod/pod-a"},
		{inventory.DatastoreCluster, "pod", "/DC0/datastore/pod"},
		{inventory.Network, "dv-vlan30", "/DC0/network/dv-vlan30"},
		{inventory.Network, "/DC1/network/VM Network", "/DC1/network/VM Network"},
	} {
		got, err := e.Find(t.Context(), test.kind, test.name)
		if err != nil || got.Path != test.path || got.Kind != test.kind {
			t.Errorf("%s %q is %+v (%v), want %s", test.kind, test.name, got, err, test.path)
		}
	}
	if n := e.calls(); n != 2 {
		t.Errorf("all of them took %d calls, want 2: %v", n, e.server.Calls())
	}
}

func TestFindRefuses(t *testing.T) {
	e := start(t, vcsim.Options{}, inventory.Defaults{})
	for _, test := range []struct {
		kind  inventory.Kind
		name  string
		code  backends.Code
		words []string
	}{
		{inventory.Host, "esx-a9", backends.NotFound, []string{`no host "esx-a9"`, `"esx-a1"`}},
		{inventory.Host, "10.0.0.7", backends.NotFound, []string{"there are", `"esx-a1"`, `"esx-d1"`}},
		{inventory.Host, "Esx-A1", backends.NotFound, []string{`like it is "esx-a1"`}},
		{inventory.Folder, "prod", backends.Conflict, []string{`"/DC0/vm/prod", "/DC1/vm/prod"`, "Write the path"}},
		{inventory.Pool, "Resources", backends.Conflict, []string{`"/DC0/host/cluster-b/Resources"`}},
		{inventory.Folder, "/DC0/vm/production", backends.NotFound, []string{`"/DC0/vm/prod"`}},
		{inventory.Folder, "team/web", backends.NotFound, []string{`"web"`}},
		{inventory.Cluster, "esx-c1", backends.NotFound, []string{`"cluster-a"`}},
	} {
		_, err := e.Find(t.Context(), test.kind, test.name)
		t.Log(err)
		wantRefused(t, err, test.code, "", test.words...)
	}
}

func TestDefaultDatacenterDecidesNames(t *testing.T) {
	e := start(t, vcsim.Options{}, inventory.Defaults{Datacenter: "DC1"})
	got, err := e.Find(t.Context(), inventory.Folder, "prod")
	if err != nil || got.Path != "/DC1/vm/prod" {
		t.Errorf("the folder is %+v (%v)", got, err)
	}
	_, err = e.Find(t.Context(), inventory.Host, "esx-a1")
	wantRefused(t, err, backends.NotFound, "", `in datacenter "DC1"`, `"esx-d1"`)
	if _, err := e.Find(t.Context(), inventory.Host, "/DC0/host/cluster-a/esx-a1"); err != nil {
		t.Errorf("a whole path leads to another datacenter: %v", err)
	}
}

// What one looks for may have been made a moment ago, and what is missing is not asked for again and again.
func TestMissReloads(t *testing.T) {
	e := start(t, vcsim.Options{}, inventory.Defaults{})
	if _, err := e.Index(t.Context()); err != nil {
		t.Fatal(err)
	}
	parent, err := e.Find(t.Context(), inventory.Folder, "/DC0/vm/prod")
	if err != nil {
		t.Fatal(err)
	}
	folder := newFolder(t, e, parent.Ref, "made now")
	e.server.ResetCalls()
	got, err := e.Find(t.Context(), inventory.Folder, "made now")
	if err != nil || got.Ref != folder || got.Path != "/DC0/vm/prod/made now" {
		t.Errorf("the new folder is %+v (%v)", got, err)
	}
	if n := e.calls(); n != 2 {
		t.Errorf("finding it took %d calls, want 2", n)
	}
	e.server.ResetCalls()
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			if _, err := e.Find(t.Context(), inventory.Folder, "never made"); backends.CodeOf(err) != backends.NotFound {
				t.Errorf("a folder that is not there: %v", err)
			}
		})
	}
	all.Wait()
	if n := e.calls(); n > 6 {
		t.Errorf("50 misses side by side took %d calls", n)
	}
}

// Those who come first share one read.
func TestLoadsAreShared(t *testing.T) {
	e := start(t, vcsim.Options{}, inventory.Defaults{})
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			if _, err := e.Find(t.Context(), inventory.Host, "esx-a1"); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if n := e.calls(); n != 2 {
		t.Errorf("50 questions side by side took %d calls, want 2", n)
	}
}

func TestNamesWithSlashes(t *testing.T) {
	e := start(t, vcsim.Options{}, inventory.Defaults{Datacenter: "DC0"})
	root, err := e.Find(t.Context(), inventory.Folder, "/DC0/vm")
	if err != nil {
		t.Fatal(err)
	}
	folder := newFolder(t, e, root.Ref, "a/b 100%")
	for _, name := range []string{"a/b 100%", "a%2fb 100%25", "a%2Fb 100%25", "/DC0/vm/a%2fb 100%25", "vm/a%2Fb 100%25"} {
		got, err := e.Find(t.Context(), inventory.Folder, name)
		if err != nil || got.Ref != folder || got.Name != "a/b 100%" {
			t.Errorf("%q is %+v (%v)", name, got, err)
		}
	}
	x, err := e.Index(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if name := x.Name(folder); name != "a/b 100%" {
		t.Errorf("its name is %q", name)
	}
}

func TestSpelling(t *testing.T) {
	e := start(t, vcsim.Options{}, inventory.Defaults{})
	x, err := e.Index(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	find := func(kind inventory.Kind, path string) inventory.Object {
		o, err := e.Find(t.Context(), kind, path)
		if err != nil {
			t.Fatal(err)
		}
		return o
	}
	web, pool := find(inventory.Folder, "/DC0/vm/prod/web"), find(inventory.Pool, "/DC0/host/cluster-a/Resources")
	for given, want := range map[string]string{
		"": "web", "web": "web", "prod/web": "prod/web", "/DC0/vm/prod/web": "/DC0/vm/prod/web", "elsewhere": "web", "/DC1/vm/prod": "web",
	} {
		if got := x.Spelling(given, web.Ref); got != want {
			t.Errorf("%q is told as %q, want %q", given, got, want)
		}
	}
	if got := x.Spelling("Resources", pool.Ref); got != "Resources" {
		t.Errorf("a name that is true, but not of it alone, is told as %q", got)
	}
	if got := x.Name(pool.Ref); got != "/DC0/host/cluster-a/Resources" {
		t.Errorf("of several with one name, the one is told as %q", got)
	}
}
