package backends_test

import (
	"reflect"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/backendtest/randspec"
)

// undrawn are the fields that random specs leave alone: what acts at creation only or
// is no part of Diff, and what the mock, on which the same specs run, does not have.
var undrawn = []string{
	"Image", "Template", "Linked", "CreateToken",
	"HighAvailability", "FaultTolerance", "DRSAutomation", "HostDevices", "Libvirt", "VSphere", "Proxmox", "Customization",
	"Placement.Cluster", "Placement.Storage", "Placement.Pool",
	"Disks.Policy", "Disks.Volume", "Disks.Options", "Networks.Options", "Console.TLS", "CloudInit.Datasource",
	"CloudInit.Users.Shell", "CloudInit.Users.Sudo", "CloudInit.Users.PasswordHash", "CloudInit.Users.SSHKeys",
	"Networks.IPv4.Routes", "Networks.IPv4.Extra", "Networks.IPv6.Routes", "Networks.IPv6.Gateway",
}

// TestRandomSpecsAreTotal: a field that is new in VMSpec is drawn by randspec, or
// somebody has said why not; otherwise the laws of Diff would not be held to it.
func TestRandomSpecsAreTotal(t *testing.T) {
	drawn := map[string]bool{}
	specs := rapid.Custom(func(t *rapid.T) *backends.VMSpec { return randspec.Spec(t, "a", "a", inventory) })
	for seed := range 300 {
		mark(drawn, "", reflect.ValueOf(specs.Example(seed)))
	}
	fields := map[string]bool{}
	names(fields, "", reflect.TypeFor[backends.VMSpec]())
	for name := range fields {
		if listed := slices.Contains(undrawn, name); listed == drawn[name] {
			t.Errorf("field %s: drawn %t, listed as not drawn %t", name, drawn[name], listed)
		}
	}
	for _, name := range undrawn {
		if !fields[name] {
			t.Errorf("%s is listed, but is no field", name)
		}
	}
}

// mark notes the leaf fields of v that are set, by their path without keys.
func mark(drawn map[string]bool, path string, v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			drawn[path] = v.Elem().Kind() != reflect.Struct // also where it points to zero
			mark(drawn, path, v.Elem())
		}
	case reflect.Map:
		for _, key := range v.MapKeys() {
			mark(drawn, path, v.MapIndex(key))
		}
	case reflect.Slice:
		for i := range v.Len() {
			mark(drawn, path, v.Index(i))
		}
	case reflect.Struct:
		for i := range v.NumField() {
			mark(drawn, join(path, v.Type().Field(i).Name), v.Field(i))
		}
	default:
		drawn[path] = drawn[path] || !v.IsZero()
	}
}

// names collects the paths of the leaf fields of t; of what is not drawn at all it
// keeps the first step.
func names(fields map[string]bool, path string, t reflect.Type) {
	if slices.Contains(undrawn, path) {
		fields[path] = true
		return
	}
	switch t.Kind() {
	case reflect.Pointer, reflect.Map, reflect.Slice:
		names(fields, path, t.Elem())
	case reflect.Struct:
		for i := range t.NumField() {
			names(fields, join(path, t.Field(i).Name), t.Field(i).Type)
		}
	default:
		fields[path] = true
	}
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}
