package vm_test

import (
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/acctest"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/tfrun"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/vcsim"
)

// busy reports whether a task of the kind runs.
func busy(s *acctest.VSphere, kind string) func() bool {
	return func() bool {
		return slices.ContainsFunc(s.RunningTasks(), func(name string) bool { return strings.Contains(name, kind) })
	}
}

// Ctrl-C cancels the task that vSphere is at. What exists then is in state and is made anew; what does not, is nowhere.
func TestAccVM_interruptedOnVSphere(t *testing.T) {
	t.Parallel()
	for kind, exists := range map[string]bool{"CloneVM": false, "PowerOnVM": true} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			s := acctest.NewVSphere(t, vcsim.Options{})
			w := workspace(t, s.Config(web(`template = "golden"`)))
			s.Delay(kind+"_Task", time.Millisecond) // the call itself is quick
			s.SetTaskTime(time.Minute)
			if exists {
				s.SetTaskTime(time.Second)
			}
			apply := w.Start("apply", "-auto-approve")
			if exists {
				apply.Until("the VM is there", func() bool { return s.Has("web") })
				s.SetTaskTime(10 * time.Second) // it cannot be cancelled
			}
			apply.Until("the task runs", busy(s, kind))
			began := time.Now()
			out := apply.Interrupt()
			if took := time.Since(began); took > 15*time.Second {
				t.Errorf("the interrupt took %s", took)
			}
			s.SetTaskTime(0)
			if err := s.CheckSessions(); err != nil {
				t.Error(err)
			}
			if !exists && busy(s, kind)() {
				t.Error("the task runs on")
			}
			state, err := os.ReadFile(w.Dir + "/terraform.tfstate")
			if err != nil {
				t.Fatal(err)
			}
			if tainted := strings.Contains(string(state), `"status": "tainted"`); tainted != s.Has("web") || exists && !tainted {
				t.Errorf("vSphere has the VM: %t, the state has it as tainted: %t\n%s\n%s", s.Has("web"), tainted, state, out)
			}
			w.Apply()
			w.EmptyPlan()
			w.Destroy()
			s.AssertEmpty()
		})
	}
}

// A session that ends, and a vCenter that starts anew, in the middle of an apply: it goes on.
func TestAccVM_sessionLostOnVSphere(t *testing.T) {
	t.Parallel()
	for name, happens := range map[string]func(*acctest.VSphere) error{
		"expired":   func(s *acctest.VSphere) error { s.ExpireSessions(); return nil },
		"restarted": func(s *acctest.VSphere) error { return s.Restart() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := acctest.NewVSphere(t, vcsim.Options{})
			w := workspace(t, s.Config(web(`template = "golden"`, `tags = ["production"]`)+"\n"+named("vm", "next", `depends_on = [virtrigaud_vm.web]`, `power_state = "stopped"`, `tags = ["test"]`)))
			s.SetTaskTime(500 * time.Millisecond)
			apply := w.Start("apply", "-auto-approve")
			apply.Until("the clone is made", busy(s, "CloneVM"))
			if err := happens(s); err != nil {
				t.Fatal(err)
			}
			apply.Until("the VM starts", busy(s, "PowerOnVM"))
			if err := happens(s); err != nil {
				t.Fatal(err)
			}
			if out, err := apply.Wait(); err != nil {
				t.Fatalf("apply: %v\n%s", err, out)
			}
			s.SetTaskTime(0)
			w.EmptyPlan()
			if n := s.Logins(); n > 6 {
				t.Errorf("%d logins", n)
			}
			w.Destroy()
			if left := s.Sessions(); left != 0 {
				t.Errorf("%d sessions are left", left)
			}
		})
	}
}

// An upload that breaks is an error or is done again, and leaves nothing behind; so does a datastore without space.
func TestAccImage_brokenUploadToVSphere(t *testing.T) {
	t.Parallel()
	s := acctest.NewVSphere(t, vcsim.Options{})
	w := workspace(t, s.Config(pretended(t, s)))
	s.Drop("PUT /nfc", "", 1)
	out, err := w.Run("apply", "-auto-approve")
	if said := tfrun.Unwrap(out); err != nil && !strings.Contains(said, `Unable to import image "guest"`) {
		t.Errorf("apply: %s", out)
	}
	if err != nil {
		s.AssertEmpty()
	}
	w.Apply()
	w.EmptyPlan()
	w.Destroy()
	s.AssertEmpty()
}
