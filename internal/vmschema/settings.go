package vmschema

import (
	"encoding/json"

	"github.com/hashicorp/terraform-plugin-framework-timeouts/resource/timeouts"
	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// settings is what only Terraform knows of a VM, as the hypervisor keeps it
// for an import. reboot_triggers are left out: nobody knows what they hold.
type settings struct {
	RestartPolicy *string           `json:"restart_policy,omitempty"`
	OnImageChange *string           `json:"on_image_change,omitempty"`
	Protected     bool              `json:"protected,omitempty"`
	Shutdown      *Shutdown         `json:"shutdown,omitempty"`
	WaitFor       *WaitFor          `json:"wait_for,omitempty"`
	Timeouts      map[string]string `json:"timeouts,omitempty"`
}

// encodeSettings writes what differs from the defaults, so that a VM without
// such settings looks the same whoever made it.
func (m *VM) encodeSettings() *string {
	s := settings{Protected: value(m.Protected), Shutdown: m.Shutdown, WaitFor: m.WaitFor, Timeouts: timeoutsOf(m.Timeouts)}
	if value(m.RestartPolicy) != string(backends.RestartWhenRequired) {
		s.RestartPolicy = m.RestartPolicy
	}
	if value(m.OnImageChange) != ImageIgnore {
		s.OnImageChange = m.OnImageChange
	}
	text, err := json.Marshal(s)
	if err != nil || len(text) >= 4096 { // strings and numbers: only too long can happen
		return nil
	}
	return some(string(text))
}

// adoptSettings sets what text says and the defaults of all else.
func (m *VM) adoptSettings(text *string) {
	var s settings
	if err := json.Unmarshal([]byte(value(text)), &s); err != nil {
		s = settings{} // made by something else
	}
	policy, ignore := string(backends.RestartWhenRequired), ImageIgnore
	m.RestartPolicy, m.OnImageChange, m.Protected = or(s.RestartPolicy, &policy), or(s.OnImageChange, &ignore), &s.Protected
	m.Shutdown, m.WaitFor = s.Shutdown, s.WaitFor
	m.Timeouts = makeTimeouts(s.Timeouts)
}

func timeoutsOf(v timeouts.Value) map[string]string {
	var out map[string]string
	for name, a := range v.Attributes() {
		if s, ok := a.(types.String); ok && !s.IsNull() && !s.IsUnknown() {
			if out == nil {
				out = map[string]string{}
			}
			out[name] = s.ValueString()
		}
	}
	return out
}

func makeTimeouts(values map[string]string) timeouts.Value {
	attrTypes := map[string]attr.Type{}
	attributes := map[string]attr.Value{}
	for _, name := range []string{"create", "read", "update", "delete"} {
		attrTypes[name] = types.StringType
		attributes[name] = types.StringNull()
		if v, ok := values[name]; ok {
			attributes[name] = types.StringValue(v)
		}
	}
	if len(values) == 0 {
		return timeouts.Value{Object: types.ObjectNull(attrTypes)}
	}
	return timeouts.Value{Object: types.ObjectValueMust(attrTypes, attributes)}
}
