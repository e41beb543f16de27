package vmschema

import (
	"fmt"
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// fill sets every field of v to a value of its own; at keep(path) false it
// leaves pointers, slices and maps nil.
func fill(v reflect.Value, path string, next *int64, keep func(string) bool) {
	*next++
	switch v.Kind() {
	case reflect.Pointer:
		if keep(path) {
			v.Set(reflect.New(v.Type().Elem()))
			fill(v.Elem(), path, next, func(string) bool { return true })
		}
	case reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i), path+"."+v.Type().Field(i).Name, next, keep)
		}
	case reflect.Slice:
		if keep(path) {
			v.Set(reflect.MakeSlice(v.Type(), 2, 2))
			for i := range 2 {
				fill(v.Index(i), path, next, keep)
			}
		}
	case reflect.Map:
		if keep(path) {
			v.Set(reflect.MakeMap(v.Type()))
			for _, key := range []string{"one", "two"} {
				e := reflect.New(v.Type().Elem()).Elem()
				fill(e, path, next, keep)
				v.SetMapIndex(reflect.ValueOf(key), e)
			}
		}
	case reflect.String:
		v.SetString(fmt.Sprintf("v%06d", *next))
	case reflect.Int64:
		v.SetInt(*next)
	case reflect.Bool:
		v.SetBool(*next%2 == 0)
	default:
		panic("fill: " + v.Kind().String() + " at " + path)
	}
}

// whole is a spec with what a model cannot hold left out.
func whole(keep func(string) bool) *backends.VMSpec {
	var spec backends.VMSpec
	next := int64(0)
	fill(reflect.ValueOf(&spec).Elem(), "", &next, keep)
	spec.CreateToken = ""
	// The model writes its settings itself.
	model := &VM{Source: Source{Image: some(spec.Image), Template: some(spec.Template)}, Managed: Managed{Linked: some(spec.Linked)}}
	if spec.Console != nil {
		model.Console = &Console{}
		spec.Console.Password = nil // write-only: never read back
	}
	spec.Settings = model.settings()
	if spec.Customization != nil && spec.Customization.Windows != nil { // likewise
		w := spec.Customization.Windows
		w.AdminPassword, w.DomainPassword, w.ProductKey = "", "", ""
	}
	if spec.CloudInit != nil && spec.CloudInit.UserDataVersion != nil {
		spec.CloudInit.UserData = nil // write-only: never read back
	}
	return &spec
}

func everything(string) bool { return true }

func TestSpecSurvivesTheModel(t *testing.T) {
	want := whole(everything)
	vm := &backends.VM{ID: "1", Config: *want, Power: backends.Running}
	if d := cmp.Diff(want, Flatten(vm, backends.Mock, nil).Spec()); d != "" {
		t.Errorf("spec -> model -> spec (-want +got):\n%s", d)
	}
}

func TestSpecSurvivesTheModelInPart(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		spec := whole(func(path string) bool { return rapid.Bool().Draw(rt, path) })
		vm := &backends.VM{ID: "1", Config: *spec, Power: backends.Running}
		model := Flatten(vm, backends.Mock, nil)
		// What is empty on the hypervisor may be null in the model; it must not
		// make a change either way.
		if c := backends.Diff(spec, model.Spec()); len(c) != 0 {
			rt.Fatalf("adopting a VM plans changes: %v", c)
		}
		// Reading again what has not changed changes nothing.
		again := Flatten(vm, backends.Mock, model)
		if d := cmp.Diff(model, again, cmp.Exporter(func(reflect.Type) bool { return true })); d != "" {
			rt.Fatalf("reading twice differs (-first +second):\n%s", d)
		}
	})
}

// Whatever a hypervisor does not tell keeps the value that state had.
func TestFlattenNeverForgets(t *testing.T) {
	want := whole(everything)
	prior := Flatten(&backends.VM{ID: "1", Config: *want, Power: backends.Running}, backends.Mock, nil)
	silent := &backends.VM{ID: "1", Config: backends.VMSpec{Name: want.Name}, Power: backends.Running}
	if c := backends.Diff(Flatten(silent, backends.Mock, prior).Spec(), want); len(c) != 0 {
		t.Errorf("a silent hypervisor made state forget: %v", c)
	}
}
