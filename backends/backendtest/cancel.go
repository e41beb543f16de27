package backendtest

import (
	"context"
	"testing"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

var cancelCases = []Case{
	{Name: "cancel/before_the_call", Run: canceledBefore},
	{Name: "cancel/in_the_middle_of_a_creation", Run: canceledCreation},
}

// canceledBefore calls with a context that is over: nothing must happen.
func canceledBefore(t *testing.T, e *Env) {
	spec := e.Spec()
	id := e.Create(t, spec)
	to := *spec
	to.Description = new("changed")
	ctx, cancel := context.WithCancel(e.Ctx(t))
	cancel()
	fresh := e.Spec()
	for name, call := range map[string]func() error{
		"GetVMs": func() error {
			got, err := e.GetVMs(ctx, []backends.ID{id}, all)
			if err == nil {
				err = got[id].Err
			}
			return err
		},
		"ListVMs": func() error { _, err := e.ListVMs(ctx, backends.VMFilter{}); return err },
		"CreateVM": func() error {
			made, err := e.CreateVM(ctx, fresh)
			e.DeleteLater(t, made)
			return err
		},
		"Reconfigure": func() error {
			return e.Reconfigure(ctx, id, backends.Reconfiguration{Desired: &to, Changes: backends.Diff(spec, &to), Mode: backends.Cold})
		},
		"SetPower": func() error { return e.SetPower(ctx, id, backends.PowerOn) },
		"DeleteVM": func() error { return e.DeleteVM(ctx, id, backends.DeleteOptions{}) },
	} {
		t.Run(name, func(t *testing.T) { WantCode(t, call(), backends.Canceled) })
	}
	e.InState(t, id, backends.Stopped)
	e.Matches(t, id, spec)
}

// canceledCreation cancels at the first report of progress. Either the creation
// was faster, or the error says Canceled; then what exists is known by its id,
// and deleting that leaves nothing.
func canceledCreation(t *testing.T, e *Env) {
	spec := withDisk(e.Spec(), "data", backends.Disk{SizeGiB: new(int64(1))})
	ctx, cancel := context.WithCancel(e.Ctx(t))
	defer cancel()
	id, err := e.CreateVM(backends.WithProgress(ctx, func(backends.Progress) { cancel() }), spec)
	if err != nil {
		WantCode(t, err, backends.Canceled)
	}
	left := e.Named(t, spec.Name)
	switch {
	case id == "" && len(left) > 0:
		t.Fatalf("VM %v exists and its id was not returned: nobody would remove it", left)
	case id == "":
	default:
		if err := e.DeleteVM(e.Ctx(t), id, backends.DeleteOptions{}); err != nil {
			t.Fatalf("DeleteVM of the VM that exists in part: %v", err)
		}
		e.Gone(t, id)
	}
	e.Create(t, spec) // nothing of the first try is in the way
}
