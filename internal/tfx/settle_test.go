package tfx

import (
	"testing"

	"github.com/hashicorp/terraform-plugin-go/tftypes"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

var (
	diskType = tftypes.Object{AttributeTypes: map[string]tftypes.Type{"size": tftypes.Number, "device": tftypes.String}}
	vmType   = tftypes.Object{AttributeTypes: map[string]tftypes.Type{
		"name": tftypes.String, "host": tftypes.String, "secret": tftypes.String,
		"disks": tftypes.Map{ElementType: diskType}, "tags": tftypes.List{ElementType: tftypes.String},
	}}
)

const unknown = tftypes.UnknownValue

func text(v any) tftypes.Value { return tftypes.NewValue(tftypes.String, v) }

func disk(size, device any) tftypes.Value {
	return tftypes.NewValue(diskType, map[string]tftypes.Value{"size": tftypes.NewValue(tftypes.Number, size), "device": text(device)})
}

func vm(name, host, secret any, disks map[string]tftypes.Value) tftypes.Value {
	var d any
	if disks != nil {
		d = disks
	}
	return tftypes.NewValue(vmType, map[string]tftypes.Value{
		"name": text(name), "host": text(host), "secret": text(secret),
		"disks": tftypes.NewValue(tftypes.Map{ElementType: diskType}, d),
		"tags":  tftypes.NewValue(tftypes.List{ElementType: tftypes.String}, nil),
	})
}

type disks = map[string]tftypes.Value

func TestSettle(t *testing.T) {
	null := tftypes.NewValue(vmType, nil)
	by := func(rules map[backends.Path]Unset) func(backends.Path) Unset {
		return func(p backends.Path) Unset { return rules[p] }
	}
	for name, test := range map[string]struct {
		planned, config, prior, want tftypes.Value
		rules                        map[backends.Path]Unset
	}{
		"creation": {
			planned: vm("web", unknown, unknown, disks{"root": disk(1, unknown)}),
			config:  vm("web", nil, nil, disks{"root": disk(1, nil)}),
			prior:   null,
			rules:   map[backends.Path]Unset{"secret": Omit},
			want:    vm("web", unknown, nil, disks{"root": disk(1, unknown)}),
		},
		"what stays is known, also null": {
			planned: vm("web", unknown, unknown, disks{"root": disk(unknown, unknown)}),
			config:  vm("web", nil, nil, disks{"root": disk(nil, nil)}),
			prior:   vm("old", "h1", nil, disks{"root": disk(7, nil)}),
			want:    vm("web", "h1", nil, disks{"root": disk(7, nil)}),
		},
		"a new element is unknown, its neighbour is not": {
			planned: vm("web", unknown, nil, disks{"root": disk(1, unknown), "data": disk(2, unknown)}),
			config:  vm("web", nil, nil, disks{"root": disk(1, nil), "data": disk(2, nil)}),
			prior:   vm("web", "h1", nil, disks{"root": disk(1, "vda")}),
			want:    vm("web", "h1", nil, disks{"root": disk(1, "vda"), "data": disk(2, unknown)}),
		},
		"what may change is unknown": {
			planned: vm("web", unknown, nil, disks{"root": disk(1, unknown)}),
			config:  vm("web", nil, nil, disks{"root": disk(1, nil)}),
			prior:   vm("web", "h1", nil, disks{"root": disk(1, "vda")}),
			rules:   map[backends.Path]Unset{`disks["root"].device`: Renew},
			want:    vm("web", "h1", nil, disks{"root": disk(1, unknown)}),
		},
		"what is cleared is null": {
			planned: vm("web", unknown, unknown, nil),
			config:  vm("web", nil, nil, nil),
			prior:   vm("web", "h1", "s3cret", nil),
			rules:   map[backends.Path]Unset{"secret": Clear},
			want:    vm("web", "h1", nil, nil),
		},
		"what the configuration does not know stays unknown": {
			planned: vm("web", unknown, nil, disks{"root": disk(unknown, nil)}),
			config:  vm("web", unknown, nil, disks{"root": disk(unknown, nil)}),
			prior:   vm("web", "h1", nil, disks{"root": disk(1, nil)}),
			want:    vm("web", unknown, nil, disks{"root": disk(unknown, nil)}),
		},
	} {
		t.Run(name, func(t *testing.T) {
			planned, config, prior := test.planned.Copy(), test.config.Copy(), test.prior.Copy()
			got, err := Settle(planned, config, prior, by(test.rules))
			if err != nil {
				t.Fatal(err)
			}
			if !got.Equal(test.want) {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
			if !planned.Equal(test.planned) || !config.Equal(test.config) || !prior.Equal(test.prior) {
				t.Error("Settle changed what it was given")
			}
		})
	}
}

// Whatever the hypervisor says, state never contradicts the plan.
func TestConform(t *testing.T) {
	for name, test := range map[string]struct{ planned, observed, want tftypes.Value }{
		"unknown is observed": {
			vm("web", unknown, unknown, disks{"root": disk(unknown, unknown)}),
			vm("web", "h1", nil, disks{"root": disk(9, "vda")}),
			vm("web", "h1", nil, disks{"root": disk(9, "vda")}),
		},
		"known stays": {
			vm("web", "h1", nil, disks{"root": disk(10, unknown)}),
			vm("other", "h2", "x", disks{"root": disk(9, "vda"), "more": disk(1, "vdb")}),
			vm("web", "h1", nil, disks{"root": disk(10, "vda")}),
		},
		"what nobody knows is null": {
			vm("web", unknown, unknown, disks{"root": disk(1, unknown)}),
			vm("web", nil, nil, nil),
			vm("web", nil, nil, disks{"root": disk(1, nil)}),
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Conform(test.planned, test.observed)
			if err != nil {
				t.Fatal(err)
			}
			if !got.Equal(test.want) {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
		})
	}
}

func TestWithoutUnknowns(t *testing.T) {
	half := tftypes.NewValue(tftypes.List{ElementType: tftypes.String}, []tftypes.Value{text("a"), text(unknown)})
	in := tftypes.NewValue(vmType, map[string]tftypes.Value{
		"name": text("web"), "host": text(unknown), "secret": text(nil), "tags": half,
		"disks": tftypes.NewValue(tftypes.Map{ElementType: diskType}, disks{"root": disk(1, unknown), "data": tftypes.NewValue(diskType, unknown)}),
	})
	got, replaced, err := WithoutUnknowns(in)
	if err != nil || !replaced {
		t.Fatalf("replaced %v, error %v", replaced, err)
	}
	want := vm("web", nil, nil, disks{"root": disk(1, nil), "data": tftypes.NewValue(diskType, nil)})
	if !got.Equal(want) {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if only, err := OnlyKnown(in); err != nil || !only.Equal(vm("web", nil, nil, nil)) {
		t.Errorf("OnlyKnown is %s, error %v", only, err)
	}
}
