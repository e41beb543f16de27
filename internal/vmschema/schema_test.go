package vmschema

import (
	"context"
	"reflect"
	"slices"
	"sort"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	dschema "github.com/hashicorp/terraform-plugin-framework/datasource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
)

// attributes lists every attribute of a schema by its path without keys.
func attributes(prefix string, all map[string]schema.Attribute) map[string]schema.Attribute {
	out := map[string]schema.Attribute{}
	for name, a := range all {
		out[prefix+name] = a
		var nested map[string]schema.Attribute
		switch a := a.(type) {
		case schema.SingleNestedAttribute:
			nested = a.Attributes
		case schema.MapNestedAttribute:
			nested = a.NestedObject.Attributes
		case schema.ListNestedAttribute:
			nested = a.NestedObject.Attributes
		}
		for path, n := range attributes(prefix+name+".", nested) {
			out[path] = n
		}
	}
	return out
}

// tags lists every tfsdk tag of a model likewise.
func tags(prefix string, t reflect.Type) []string {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Map || t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct {
		return nil
	}
	var out []string
	for i := range t.NumField() {
		f := t.Field(i)
		if f.Anonymous {
			out = append(out, tags(prefix, f.Type)...)
			continue
		}
		name := f.Tag.Get("tfsdk")
		out = append(out, prefix+name)
		if name != "timeouts" {
			out = append(out, tags(prefix+name+".", f.Type)...)
		}
	}
	return out
}

func sortedPaths(all map[string]schema.Attribute) []string {
	var out []string
	for path := range all {
		if !strings.HasPrefix(path, "timeouts.") {
			out = append(out, path)
		}
	}
	sort.Strings(out)
	return out
}

func TestModelHasEveryAttribute(t *testing.T) {
	want := sortedPaths(attributes("", Attributes(t.Context(), Define)))
	got := tags("", reflect.TypeFor[VM]())
	slices.Sort(got)
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("schema and model differ (-schema +model):\n%s", d)
	}
	inherited := attributes("", Attributes(t.Context(), Inherit))
	for _, path := range []string{"image", "template", "on_image_change"} {
		if _, ok := inherited[path]; ok {
			t.Errorf("a VM made from another has %s", path)
		}
	}
}

func TestObservedModelHasEveryAttribute(t *testing.T) {
	want := sortedPaths(attributes("", commonAttributes()))
	got := tags("", reflect.TypeFor[Common]())
	slices.Sort(got)
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("schema and model differ (-schema +model):\n%s", d)
	}
	for name, a := range ObservedAttributes() {
		if !a.IsComputed() || a.IsOptional() || a.IsRequired() {
			t.Errorf("%s of the data source can be configured", name)
		}
	}
}

func TestSchemasAreValid(t *testing.T) {
	s := schema.Schema{Attributes: Attributes(t.Context(), Define)}
	if diags := s.ValidateImplementation(t.Context()); diags.HasError() {
		t.Error(diags)
	}
	d := dschema.Schema{Attributes: ObservedAttributes()}
	if diags := d.ValidateImplementation(t.Context()); diags.HasError() {
		t.Error(diags)
	}
}

// A schema of thousands of attributes costs seconds of every plan.
func TestSchemaStaysSmall(t *testing.T) {
	if n := len(attributes("", Attributes(t.Context(), Define))); n >= 200 {
		t.Errorf("the VM schema has %d attributes, 200 are too many", n)
	}
}

func TestEveryAttributeIsDescribed(t *testing.T) {
	for path, a := range attributes("", Attributes(context.Background(), Define)) {
		doc := a.GetMarkdownDescription()
		if doc == "" {
			doc = a.GetDescription()
		}
		if path == "timeouts" { // the library describes only its parts
			continue
		}
		if len(doc) < 5 || !strings.HasSuffix(doc, ".") {
			t.Errorf("%s: description %q is not a sentence", path, doc)
		}
		for suffix, unit := range map[string]string{"_mib": "MiB", "_gib": "GiB", "_mhz": "MHz"} {
			if strings.HasSuffix(path, suffix) && !strings.Contains(doc, unit) {
				t.Errorf("%s: description does not name the unit %s", path, unit)
			}
		}
	}
}

// What is not configured is the hypervisor's: a number or switch that is
// optional and not computed would fight its default.
func TestOptionalNumbersAreComputed(t *testing.T) {
	inputs := map[string]bool{"cloud_init.user_data_wo_version": true, "shutdown.force": true, "wait_for.agent": true, "wait_for.ipv4": true}
	for path, a := range attributes("", Attributes(t.Context(), Define)) {
		switch a.(type) {
		case schema.Int64Attribute, schema.BoolAttribute:
			if a.IsOptional() && !a.IsComputed() && !inputs[path] {
				t.Errorf("%s is optional and not computed", path)
			}
		}
	}
}

func TestSecretsAreSensitive(t *testing.T) {
	all := attributes("", Attributes(t.Context(), Define))
	for _, path := range []string{
		"cloud_init.user_data", "cloud_init.user_data_wo", "cloud_init.vendor_data", "cloud_init.users.password_hash",
		"customization.windows.admin_password", "customization.windows.product_key",
	} {
		if a, ok := all[path]; !ok || !a.IsSensitive() {
			t.Errorf("%s is not sensitive", path)
		}
	}
	if !all["cloud_init.user_data_wo"].IsWriteOnly() {
		t.Error("cloud_init.user_data_wo is not write-only")
	}
}
