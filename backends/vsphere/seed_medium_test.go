package vsphere

import (
	"path"
	"testing"

	"github.com/vmware/govmomi/vim25/types"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/vsphere/datastore"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/vcsim"
)

// A seed's medium holds what the user data says: none stays on the datastore of which no VM knows.
func TestSeedMediumOfAFailureIsRemoved(t *testing.T) {
	r := newRig(t, vcsim.Options{})
	spec := r.spec("web")
	spec.CloudInit = &backends.CloudInit{Datasource: new("nocloud"), UserData: new("#cloud-config\nhostname: first\n")}

	r.sim.FailTask("ReconfigVM_Task", "web", &types.InvalidState{}, 1)
	id, err := r.CreateVM(r.ctx, spec)
	if err == nil || id == "" {
		t.Fatalf("CreateVM: %q, %v", id, err)
	}
	if got := r.media(id); len(got) != 0 {
		t.Errorf("after a creation that failed there are %v", got)
	}
	r.delete(id)

	id = r.create(spec)
	before := r.media(id)
	if len(before) != 1 {
		t.Fatalf("the media are %v, want one", before)
	}
	to := *spec
	to.CloudInit = &backends.CloudInit{Datasource: new("nocloud"), UserData: new("#cloud-config\nhostname: second\n")}
	r.sim.FailTask("ReconfigVM_Task", "web", &types.InvalidState{}, 1)
	if err := r.try(id, &to, backends.Cold); err == nil {
		t.Fatal("the change was made")
	}
	if got := r.media(id); len(got) != 1 || got[0] != before[0] {
		t.Errorf("after a change that failed there are %v, want %v", got, before)
	}
	// Where the answer was lost, the VM may have it, and the next try makes use of it.
	r.sim.Lose("ReconfigVM_Task", "web", 1)
	if err := r.try(id, &to, backends.Cold); backends.CodeOf(err) != backends.Transient {
		t.Fatalf("the answer was not lost: %v", err)
	}
	if got := r.media(id); len(got) != 2 {
		t.Errorf("after a change whose answer was lost there are %v", got)
	}
}

// media are the seeds' media beside a VM's files.
func (r *rig) media(id backends.ID) []string {
	r.t.Helper()
	store, file, _ := datastore.Parse(r.machineOf(id).Config.Files.VmPathName)
	d, err := r.storeNamed(r.ctx, store)
	if err != nil {
		r.t.Fatal(err)
	}
	files, err := d.List(r.ctx, path.Dir(file), "seed-*.iso")
	if err != nil {
		r.t.Fatal(err)
	}
	var names []string
	for _, f := range files {
		names = append(names, f.Name)
	}
	return names
}
