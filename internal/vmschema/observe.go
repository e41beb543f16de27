package vmschema

import (
	"fmt"

	dschema "github.com/hashicorp/terraform-plugin-framework/datasource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// ObservedAttributes are those of a VM that is only looked at, all computed.
// Their model is Common.
func ObservedAttributes() map[string]dschema.Attribute { return observe(commonAttributes()) }

// Observe is the model of what a hypervisor says, for a data source.
func Observe(vm *backends.VM, kind backends.Kind) *Common {
	m := flattenCommon(vm, kind, Common{}, nil, true)
	return &m
}

// observe turns attributes of a resource into those of a data source.
func observe(attributes map[string]schema.Attribute) map[string]dschema.Attribute {
	out := make(map[string]dschema.Attribute, len(attributes))
	for name, a := range attributes {
		out[name] = observeOne(a)
	}
	return out
}

func observeOne(a schema.Attribute) dschema.Attribute {
	doc, secret := a.GetMarkdownDescription(), a.IsSensitive()
	switch a := a.(type) {
	case schema.StringAttribute:
		return dschema.StringAttribute{MarkdownDescription: doc, Computed: true, Sensitive: secret, CustomType: a.CustomType}
	case schema.Int64Attribute:
		return dschema.Int64Attribute{MarkdownDescription: doc, Computed: true, Sensitive: secret}
	case schema.BoolAttribute:
		return dschema.BoolAttribute{MarkdownDescription: doc, Computed: true, Sensitive: secret}
	case schema.ListAttribute:
		return dschema.ListAttribute{MarkdownDescription: doc, Computed: true, Sensitive: secret, ElementType: a.ElementType}
	case schema.MapAttribute:
		return dschema.MapAttribute{MarkdownDescription: doc, Computed: true, Sensitive: secret, ElementType: a.ElementType}
	case schema.SetAttribute:
		return dschema.SetAttribute{MarkdownDescription: doc, Computed: true, Sensitive: secret, ElementType: a.ElementType}
	case schema.SingleNestedAttribute:
		return dschema.SingleNestedAttribute{MarkdownDescription: doc, Computed: true, Attributes: observe(a.Attributes)}
	case schema.MapNestedAttribute:
		return dschema.MapNestedAttribute{
			MarkdownDescription: doc, Computed: true,
			NestedObject: dschema.NestedAttributeObject{Attributes: observe(a.NestedObject.Attributes)},
		}
	case schema.ListNestedAttribute:
		return dschema.ListNestedAttribute{
			MarkdownDescription: doc, Computed: true,
			NestedObject: dschema.NestedAttributeObject{Attributes: observe(a.NestedObject.Attributes)},
		}
	}
	panic(fmt.Sprintf("vmschema: no data source form of %T", a))
}
