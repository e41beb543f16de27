package vsphere

import (
	"context"
	"maps"
	"slices"

	govmomi "github.com/vmware/govmomi/fault"
	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/vim25/types"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/vsphere/fault"
)

const attributesPath = backends.Path("vsphere.custom_attributes")

// attributes are the VM's custom attributes that have a value, by name.
func (m *machine) attributes() map[string]string {
	names := make(map[int32]string, len(m.AvailableField))
	for _, d := range m.AvailableField {
		names[d.Key] = d.Name
	}
	out := map[string]string{}
	for _, v := range m.CustomValue {
		text, ok := v.(*types.CustomFieldStringValue)
		if name := names[v.GetCustomFieldValue().Key]; ok && name != "" && text.Value != "" {
			out[name] = text.Value
		}
	}
	return out
}

// observeAttributes are those that were asked for here. One that is no longer defined is left out.
func (m *machine) observeAttributes() map[string]string {
	out := map[string]string{}
	if m.mark == nil || len(m.mark.Attributes) == 0 {
		return out
	}
	has := m.attributes()
	for _, d := range m.AvailableField {
		if slices.Contains(m.mark.Attributes, d.Name) {
			out[d.Name] = has[d.Name]
		}
	}
	return out
}

// setAttributes gives the VM the custom attributes that want has, and defines those that there are
// not; of what was asked for before, before lists the names, the rest is cleared. It calls nothing where nothing differs.
func (b *Backend) setAttributes(ctx context.Context, m *machine, want map[string]string, before []string) error {
	has, keys := m.attributes(), map[string]int32{}
	for _, d := range m.AvailableField {
		keys[d.Name] = d.Key
	}
	set := map[string]string{}
	for name, text := range want {
		if _, defined := keys[name]; !defined || has[name] != text {
			set[name] = text
		}
	}
	for _, name := range before {
		if _, stays := want[name]; !stays && has[name] != "" {
			set[name] = ""
		}
	}
	if len(set) == 0 {
		return nil
	}
	fields, err := object.GetCustomFieldsManager(b.conn.VIM())
	if err != nil {
		return backends.Errorf(backends.Unsupported, "set custom attributes", m.object(), "a stand-alone ESXi host has no custom attributes").At(attributesPath)
	}
	for _, name := range slices.Sorted(maps.Keys(set)) {
		op := "set the custom attribute " + name
		key, defined := keys[name]
		if !defined {
			if key, err = defineAttribute(ctx, fields, name); err != nil {
				return blame(fault.Wrap(err, "define the custom attribute "+name, m.object()), attributesPath)
			}
		}
		if err := fields.Set(ctx, m.Self, key, set[name]); err != nil {
			return blame(fault.Wrap(err, op, m.object()), attributesPath)
		}
	}
	return nil
}

// defineAttribute makes a custom attribute of VMs, unless somebody has made it meanwhile.
func defineAttribute(ctx context.Context, fields *object.CustomFieldsManager, name string) (int32, error) {
	def, err := fields.Add(ctx, name, "VirtualMachine", nil, nil)
	if err == nil {
		return def.Key, nil
	}
	if !govmomi.Is(err, &types.DuplicateName{}) {
		return 0, err
	}
	return fields.FindKey(ctx, name)
}
