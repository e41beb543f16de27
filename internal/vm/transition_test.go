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
