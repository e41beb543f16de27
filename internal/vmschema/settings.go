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
	Image          *string           `json:"image,omitempty"`
	Template       *string           `json:"template,omitempty"`
	SourceVM       *string           `json:"source_vm,omitempty"`
	SourceSnapshot *string           `json:"source_snapshot,omitempty"`
	Linked         *bool             `json:"linked,omitempty"`
	RestartPolicy  *string           `json:"restart_policy,omitempty"`
	OnImageChange  *string           `json:"on_image_change,omitempty"`
	OnSourceChange *string           `json:"on_source_change,omitempty"`
	Protected      bool              `json:"protected,omitempty"`
	Shutdown       *Shutdown         `json:"shutdown,omitempty"`
	WaitFor        *WaitFor          `json:"wait_for,omitempty"`
	Timeouts       map[string]string `json:"timeouts,omitempty"`

	// EmptyDrive is whether a drive without a medium is configured, Console whether a
	// console is, InheritsSeed whether a clone's seed is its source's alone: what is not
	// configured must not be adopted where it cannot be computed.
	EmptyDrive   bool `json:"empty_cdrom,omitempty"`
	Console      bool `json:"console,omitempty"`
	InheritsSeed bool `json:"inherits_cloud_init,omitempty"`
}

// settings is the text of what differs from the defaults. What the hypervisor
// would not take, because it is too long, is not kept at all.
func (m *VM) settings() *string {
	k := kept{
		Image: m.Image, Template: m.Template, SourceVM: m.SourceVM, SourceSnapshot: m.SourceSnapshot, Linked: m.Linked,
		Protected: value(m.Protected), Shutdown: m.Shutdown, WaitFor: m.WaitFor, Timeouts: timeoutsOf(m.Timeouts),
		EmptyDrive: m.CDROM != nil && m.CDROM.ISO == nil, Console: m.Console != nil, InheritsSeed: m.Inherits() && m.CloudInit == nil,
	}
	if value(m.RestartPolicy) != string(backends.RestartWhenRequired) {
		k.RestartPolicy = m.RestartPolicy
	}
	if value(m.OnImageChange) != ImageIgnore {
		k.OnImageChange = m.OnImageChange
	}
	if value(m.OnSourceChange) != ImageIgnore {
		k.OnSourceChange = m.OnSourceChange
	}
	text, err := json.Marshal(k)
	if err != nil || len(text) >= 4096 {
		return nil
	}
	return some(string(text))
}

// readSettings is what text says. Text of another program says nothing.
func readSettings(text *string) kept {
	var k kept
	if err := json.Unmarshal([]byte(value(text)), &k); err != nil {
		return kept{}
	}
	return k
}

// restore sets what k says, and the defaults of all else.
func (m *VM) restore(k kept) {
	policy, ignore := string(backends.RestartWhenRequired), ImageIgnore
	m.Image, m.Template, m.Linked = or(k.Image, m.Image), or(k.Template, m.Template), or(k.Linked, m.Linked)
	m.SourceVM, m.SourceSnapshot = k.SourceVM, k.SourceSnapshot
	m.RestartPolicy, m.Protected = or(k.RestartPolicy, &policy), &k.Protected
	m.OnImageChange, m.OnSourceChange = or(k.OnImageChange, &ignore), or(k.OnSourceChange, &ignore)
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
