package backendtest

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

var concurrencyCases = []Case{
	{Name: "concurrency/many_creations", Run: manyCreations},
	{Name: "concurrency/one_name", Run: oneName},
	{Name: "concurrency/one_vm", Run: oneVM},
}

// together runs f n times at once and returns what each answered.
func together(n int, f func(i int) error) []error {
	errs := make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { errs[i] = f(i) })
	}
	wg.Wait()
	return errs
}

// manyCreations makes VMs side by side: all succeed, with ids and MACs of
// their own.
func manyCreations(t *testing.T, e *Env) {
	n := 50
	if e.Traits.Slow {
		n = 10
	}
	ctx := e.Ctx(t)
	ids := make([]backends.ID, n)
	specs := make([]*backends.VMSpec, n)
	for i := range specs {
		specs[i] = e.Spec()
		if e.Seed.Network != "" {
			specs[i].Networks = map[string]backends.NIC{"lan": {Network: new(e.Seed.Network)}}
		}
	}
	errs := together(n, func(i int) (err error) {
		ids[i], err = e.CreateVM(ctx, specs[i])
		return err
	})
	for i, id := range ids {
		e.DeleteLater(t, id)
		if errs[i] != nil {
			t.Errorf("creation %d: %v", i, errs[i])
		}
	}
	if t.Failed() {
		return
	}
	got, err := e.GetVMs(ctx, ids, all)
	if err != nil {
		t.Fatalf("GetVMs: %v", err)
	}
	if len(got) != n {
		t.Fatalf("%d VMs have %d ids", n, len(got))
	}
	macs := map[string]string{}
	for i, id := range ids {
		if got[id].Err != nil || got[id].VM.Config.Name != specs[i].Name {
			t.Fatalf("id %s: %+v, want VM %q", id, got[id], specs[i].Name)
		}
		for _, nic := range got[id].VM.Networks {
			if other := macs[nic.MAC]; other != "" {
				t.Errorf("%s and %s share MAC %s", other, specs[i].Name, nic.MAC)
			}
			macs[nic.MAC] = specs[i].Name
		}
	}
	for i, err := range together(n, func(i int) error { return e.DeleteVM(ctx, ids[i], backends.DeleteOptions{}) }) {
		if err != nil {
			t.Errorf("deletion %d: %v", i, err)
		}
	}
}

// oneName creates VMs of one name at once: one wins, the others are told.
func oneName(t *testing.T, e *Env) {
	spec, ctx := e.Spec(), e.Ctx(t)
	var mu sync.Mutex
	var won []backends.ID
	errs := together(4, func(int) error {
		id, err := e.CreateVM(ctx, spec)
		if id != "" {
			mu.Lock()
			defer mu.Unlock()
			won = append(won, id)
		}
		return err
	})
	for _, id := range won {
		e.DeleteLater(t, id)
	}
	for _, err := range errs {
		if err != nil {
			WantCode(t, err, backends.Conflict)
		}
	}
	if left := e.Named(t, spec.Name); len(left) != 1 || len(won) != 1 || left[0] != won[0] {
		t.Errorf("creations that answered an id: %v, VMs of the name: %v; want one and the same", won, left)
	}
}

// oneVM changes, switches and reads one VM at once: all are served in turn.
func oneVM(t *testing.T, e *Env) {
	spec := e.Spec()
	id := e.Create(t, spec)
	ctx := e.Ctx(t)
	errs := together(8, func(i int) error {
		switch i % 4 {
		case 0:
			return e.SetPower(ctx, id, backends.PowerOn)
		case 1:
			to := *spec
			to.Description = new(fmt.Sprint("change ", i))
			return e.Reconfigure(ctx, id, backends.Reconfiguration{Desired: &to, Changes: backends.Diff(spec, &to), Mode: backends.Live})
		case 2:
			return e.SetPower(ctx, id, backends.PowerOff)
		default:
			got, err := e.GetVMs(ctx, []backends.ID{id}, all)
			return errors.Join(err, got[id].Err)
		}
	})
	for i, err := range errs {
		if err != nil {
			t.Errorf("call %d: %v", i, err)
		}
	}
	if d := e.Read(t, id, all).Config.Description; d == nil || *d != "change 1" && *d != "change 5" {
		t.Errorf("the description is %v, want one of the two that were set", d)
	}
}
