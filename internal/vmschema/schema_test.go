package vmschema

import (
	"context"
	"maps"
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
	for mode, model := range map[Mode]reflect.Type{Define: reflect.TypeFor[defined](), Inherit: reflect.TypeFor[inherited]()} {
		want := sortedPaths(attributes("", Attributes(t.Context(), mode)))
		got := tags("", model)
		slices.Sort(got)
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("mode %d: schema and model differ (-schema +model):\n%s", mode, d)
		}
	}
}

// A clone has everything of a VM but what that is made from.
func TestCloneHasEverythingOfAVM(t *testing.T) {
	from := map[Mode][]string{Define: {"image", "template", "on_image_change"}, Inherit: {"source_vm", "source_snapshot", "on_source_change"}}
	rest := map[Mode][]string{}
	for mode, names := range from {
		all := attributes("", Attributes(t.Context(), mode))
		for _, name := range names {
			if _, ok := all[name]; !ok {
				t.Errorf("mode %d has no %s", mode, name)
			}
			delete(all, name)
		}
		rest[mode] = sortedPaths(all)
	}
	if d := cmp.Diff(rest[Define], rest[Inherit]); d != "" {
		t.Errorf("the rest differs (-virtrigaud_vm +virtrigaud_clone):\n%s", d)
	}
}

// What a clone inherits says so, and everything that a source can give can be
// filled in.
func TestCloneNamesItsDefaults(t *testing.T) {
	all := attributes("", Attributes(t.Context(), Inherit))
	for path, want := range map[string]string{
		"cpu.cores":            "1 to 1024. Default: the source's. More cores",
		"memory.hot_add":       "Default: the source's. Changing it",
		"description":          "shown by the hypervisor's own tools",
		"disks.size_gib":       "Default: the source's. It grows",
		"networks.mac":         "Default: one that the hypervisor chooses",
		"cloud_init.hostname":  "Default: the VM's name.",
		"cloud_init.user_data": "cloud-config",
		"linked":               "Default: false.",
	} {
		if doc := all[path].GetMarkdownDescription(); !strings.Contains(doc, want) {
			t.Errorf("%s says %q, want %q in it", path, doc, want)
		}
	}
	for _, path := range []string{"cdrom", "host_devices", "disks", "networks"} {
		if !all[path].IsComputed() {
			t.Errorf("%s of a clone is not computed", path)
		}
	}
	if strings.Contains(attributes("", Attributes(t.Context(), Define))["cpu.cores"].GetMarkdownDescription(), "source") {
		t.Error("a VM speaks of a source")
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
	for _, mode := range []Mode{Define, Inherit} {
		s := schema.Schema{Attributes: Attributes(t.Context(), mode)}
		if diags := s.ValidateImplementation(t.Context()); diags.HasError() {
			t.Error(diags)
		}
	}
	d := dschema.Schema{Attributes: ObservedAttributes()}
	if diags := d.ValidateImplementation(t.Context()); diags.HasError() {
		t.Error(diags)
	}
}

// A schema of thousands of attributes costs seconds of every plan.
func TestSchemaStaysSmall(t *testing.T) {
	for _, mode := range []Mode{Define, Inherit} {
		if n := len(attributes("", Attributes(t.Context(), mode))); n >= 200 {
			t.Errorf("mode %d: the schema has %d attributes, 200 are too many", mode, n)
		}
	}
}

func TestEveryAttributeIsDescribed(t *testing.T) {
	all := attributes("", Attributes(context.Background(), Inherit))
	maps.Copy(all, attributes("", Attributes(context.Background(), Define)))
	for path, a := range all {
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
		for suffix, unit := range map[string]string{"_mib": "MiB", "_gib": "GiB", "_mhz": "MHz", "_mbps": "Mbit/s", "iops_limit": "operations a second"} {
			if strings.HasSuffix(path, suffix) && !strings.Contains(doc, unit) {
				t.Errorf("%s: description does not name the unit %s", path, unit)
			}
		}
	}
}

// What is not configured is the hypervisor's: a number or switch that is
// optional and not computed would fight its default.
func TestOptionalNumbersAreComputed(t *testing.T) {
	inputs := map[string]bool{"cloud_init.user_data_wo_version": true, "console.password_wo_version": true, "customization.windows.secrets_wo_version": true, "customization.windows.auto_logon_count": true, "shutdown.force": true, "wait_for.agent": true, "wait_for.ipv4": true}
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
		"customization.windows.admin_password_wo", "customization.windows.domain_admin_password_wo", "customization.windows.product_key_wo", "console.password_wo",
	} {
		if a, ok := all[path]; !ok || !a.IsSensitive() {
			t.Errorf("%s is not sensitive", path)
		}
	}
	for _, path := range []string{
		"cloud_init.user_data_wo", "console.password_wo",
		"customization.windows.admin_password_wo", "customization.windows.domain_admin_password_wo", "customization.windows.product_key_wo",
	} {
		if !all[path].IsWriteOnly() {
			t.Errorf("%s is not write-only", path)
		}
	}
}
