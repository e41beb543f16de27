package mock_test

import (
	"context"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/backendtest/randspec"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/mock"
)

var inventory = randspec.Inventory{
	Networks: []string{"lan", "dmz", "bridge:vmbr0"}, Storages: []string{"default", "fast"},
	Hosts: []string{"mock-01", "mock-02"}, ResourcePools: []string{"Resources", "production"}, Folders: []string{"vm", "vm/web"},
	ISOs: []string{"default/rescue.iso"},
}

const everything = backends.AspectConfig | backends.AspectRuntime | backends.AspectSeed

func get(t rapid.TB, b backends.Backend, id backends.ID) *backends.VM {
	t.Helper()
	got, err := b.GetVMs(context.Background(), []backends.ID{id}, everything)
	if err != nil {
		t.Fatal(err)
	}
	if got[id].Err != nil {
		t.Fatal(got[id].Err)
	}
	return got[id].VM
}

func noDiff(t rapid.TB, vm *backends.VM, want *backends.VMSpec) {
	t.Helper()
	for _, c := range backends.Diff(&vm.Config, want) {
		t.Errorf("the next plan would %s", c)
	}
}

// TestConverges: whatever legal VM is made and whatever it is legally changed
// into, in whatever state, the next plan is empty.
func TestConverges(t *testing.T) {
	ctx := context.Background()
	rapid.Check(t, func(t *rapid.T) {
		b, err := mock.New(mock.Options{SampleData: true})
		if err != nil {
			t.Fatal(err)
		}
		from := randspec.Spec(t, "from", "vm", inventory)
		id, err := b.CreateVM(ctx, from)
		if err != nil {
			t.Fatal(err)
		}
		vm := get(t, b, id)
		noDiff(t, vm, from)
		noDiff(t, vm, &vm.Config)

		to := randspec.Change(t, from, rapid.SampledFrom([]string{"vm", "renamed"}).Draw(t, "name"), inventory)
		changes := backends.Diff(&vm.Config, to)
		apply := func(mode backends.ReconfigureMode, changes []backends.Change) error {
			return b.Reconfigure(ctx, id, backends.Reconfiguration{Desired: to, Changes: changes, Mode: mode})
		}
		must := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		if rapid.Bool().Draw(t, "stopped") {
			must(apply(backends.Cold, changes))
			noDiff(t, get(t, b, id), to)
			must(apply(backends.Cold, changes)) // once more is no error
			return
		}

		must(b.SetPower(ctx, id, backends.PowerOn))
		info, err := b.Info(ctx)
		must(err)
		needsRestart := func(c backends.Change) bool {
			return info.Catalogue.ImpactOf(&vm.Config, to, c).Effect != backends.EffectLive
		}
		cold := slices.DeleteFunc(slices.Clone(changes), func(c backends.Change) bool { return !needsRestart(c) })
		must(apply(backends.Live, slices.DeleteFunc(slices.Clone(changes), needsRestart)))
		if len(cold) == 0 {
			noDiff(t, get(t, b, id), to)
			return
		}
		if err := apply(backends.Live, cold); backends.CodeOf(err) != backends.Precondition {
			t.Fatalf("live changes that need a restart: %v", err)
		}
		if rapid.Bool().Draw(t, "deferred") {
			must(apply(backends.Deferred, cold))
			noDiff(t, get(t, b, id), to)
			if !get(t, b, id).Pending {
				t.Error("nothing is pending")
			}
		}
		must(b.SetPower(ctx, id, backends.PowerOff))
		must(apply(backends.Cold, cold))
		must(b.SetPower(ctx, id, backends.PowerOn))
		noDiff(t, get(t, b, id), to)
		if get(t, b, id).Pending {
			t.Error("something is still pending after the start")
		}
	})
}
