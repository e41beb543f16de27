package vcsim_test

import (
	"testing"

	"github.com/vmware/govmomi/object"

	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/vcsim"
)

// TestLax shows that it is the strictness that refuses, not the simulator.
func TestLax(t *testing.T) {
	l := newLab(t, vcsim.Options{Lax: true})

	for range 2 {
		if _, err := l.create(l.spec("twin", func(s *spec) { s.MemoryMB = 3 })); err != nil {
			t.Error(err)
		}
	}
}

func TestBulk(t *testing.T) {
	l := newLab(t, vcsim.Options{VMs: 30})

	vms := must[[]*object.VirtualMachine](t)(l.find.VirtualMachineList(t.Context(), "bulk-*"))
	if len(vms) != 30 {
		t.Errorf("%d machines", len(vms))
	}
}

// TestCheckSessions shows that a session that is left behind is found.
func TestCheckSessions(t *testing.T) {
	s := vcsim.Start(t, vcsim.Options{})
	c := connect(t, s)

	if err := s.CheckSessions(); err == nil {
		t.Error("the session is open")
	}

	if err := c.Logout(t.Context()); err != nil {
		t.Fatal(err)
	}

	if err := s.CheckSessions(); err != nil {
		t.Error(err)
	}
}
