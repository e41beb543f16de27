package vm

import (
	"testing"

	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/vmschema"
)

// Write-only user data is written with a new version, and with no other change.
func TestRewritesUserData(t *testing.T) {
	model := func(version *int64, hostname string) *vmschema.VM {
		m := &vmschema.VM{}
		m.CloudInit = &vmschema.CloudInit{UserDataWOVersion: version, Hostname: &hostname}
		return m
	}
	one, two := new(int64(1)), new(int64(2))
	for name, tt := range map[string]struct {
		prior, plan *vmschema.VM
		want        bool
	}{
		"a hostname":           {model(one, "a"), model(one, "b"), false},
		"a version":            {model(one, "a"), model(two, "a"), true},
		"the first version":    {model(nil, "a"), model(one, "a"), true},
		"cloud-init at last":   {&vmschema.VM{}, model(one, "a"), true},
		"nothing write-only":   {model(one, "a"), model(nil, "a"), false},
		"cloud-init no longer": {model(one, "a"), &vmschema.VM{}, false},
	} {
		if got := newTransition(tt.prior, tt.plan, tt.plan).rewritesUserData(); got != tt.want {
			t.Errorf("%s: written is %t, want %t", name, got, tt.want)
		}
	}
}

// A console's password goes to the hypervisor with a new version, and with no
// other change.
func TestChangesPassword(t *testing.T) {
	model := func(version int64, kind string) *vmschema.VM {
		m := &vmschema.VM{}
		m.Console = &vmschema.Console{Type: &kind, PasswordWOVersion: &version, PasswordWO: new("secret")}
		return m
	}
	for name, tt := range map[string]struct {
		prior, plan *vmschema.VM
		want        bool
	}{
		"a version":         {model(1, "vnc"), model(2, "vnc"), true},
		"a type":            {model(1, "vnc"), model(1, "spice"), false},
		"the first version": {&vmschema.VM{}, model(1, "vnc"), true},
		"a console no more": {model(1, "vnc"), &vmschema.VM{}, false},
	} {
		tt.prior.Console, tt.plan.Console = withoutPassword(tt.prior.Console), withoutPassword(tt.plan.Console)
		step := newTransition(tt.prior, tt.plan, tt.plan)
		if got := step.changesPassword(); got != tt.want {
			t.Errorf("%s: set is %t, want %t", name, got, tt.want)
		}
		withPassword(step.to, model(2, "vnc"))
		if c := step.to.Console; c != nil && (c.Password == nil || *c.Password != "secret") {
			t.Errorf("%s: the hypervisor gets %+v", name, c)
		}
	}
}

// withoutPassword is a console as plans and states have it.
func withoutPassword(c *vmschema.Console) *vmschema.Console {
	if c != nil {
		c.PasswordWO = nil
	}
	return c
}
