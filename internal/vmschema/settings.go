package vmschema

import (
	"encoding/json"

	"github.com/hashicorp/terraform-plugin-framework-timeouts/resource/timeouts"
	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// kept is what only Terraform knows of a VM, as the hypervisor keeps it for an
// import. reboot_triggers are left out: nobody knows what secrets they are
// made of.
type kept struct {
	Image         *string           `json:"image,omitempty"`
	Template      *string           `json:"template,omitempty"`
	RestartPolicy *string           `json:"restart_policy,omitempty"`
	OnImageChange *string           `json:"on_image_change,omitempty"`
	Protected     bool              `json:"protected,omitempty"`
	Shutdown      *Shutdown         `json:"shutdown,omitempty"`
	WaitFor       *WaitFor          `json:"wait_for,omitempty"`
	Timeouts      map[string]string `json:"timeouts,omitempty"`
}

// settings is the text of what differs from the defaults. What the hypervisor
// would not take, because it is too long, is not kept at all.
func (m *VM) settings() *string {
	k := kept{
		Image: m.Image, Template: m.Template, Protected: value(m.Protected),
		Shutdown: m.Shutdown, WaitFor: m.WaitFor, Timeouts: timeoutsOf(m.Timeouts),
	}
	if value(m.RestartPolicy) != string(backends.RestartWhenRequired) {
		k.RestartPolicy = m.RestartPolicy
	}
	if value(m.OnImageChange) != ImageIgnore {
		k.OnImageChange = m.OnImageChange
	}
	text, err := json.Marshal(k)
	if err != nil || len(text) >= 4096 {
		return nil
	}
	return some(string(text))
}

// restore sets what text says, and the defaults of all else. Text of another
// program says nothing.
func (m *VM) restore(text *string) {
	var k kept
	if err := json.Unmarshal([]byte(value(text)), &k); err != nil {
		k = kept{}
	}
	policy, ignore := string(backends.RestartWhenRequired), ImageIgnore
	m.Image, m.Template = or(k.Image, m.Image), or(k.Template, m.Template)
	m.RestartPolicy, m.OnImageChange, m.Protected = or(k.RestartPolicy, &policy), or(k.OnImageChange, &ignore), &k.Protected
	m.Shutdown, m.WaitFor = k.Shutdown, k.WaitFor
	m.Timeouts = makeTimeouts(k.Timeouts)
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
