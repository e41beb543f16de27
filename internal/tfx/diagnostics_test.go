package tfx

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

func TestPath(t *testing.T) {
	for in, want := range map[backends.Path]path.Path{
		"":                                path.Empty(),
		"name":                            path.Root("name"),
		`disks["data"].size_gib`:          path.Root("disks").AtMapKey("data").AtName("size_gib"),
		`networks["a.b"].ipv4`:            path.Root("networks").AtMapKey("a.b").AtName("ipv4"),
		"cloud_init.ssh_authorized_keys":  path.Root("cloud_init").AtName("ssh_authorized_keys"),
		backends.Path("disks").Key("x-y"): path.Root("disks").AtMapKey("x-y"),
	} {
		if got := Path(in); !got.Equal(want) {
			t.Errorf("Path(%s) = %s, want %s", in, got, want)
		}
	}
}

func TestErrorsSayWhatToDo(t *testing.T) {
	object := backends.VMObject("web")
	for name, test := range map[string]struct {
		op   Operation
		err  error
		want []string // the summary, then parts of the detail
		at   path.Path
	}{
		"cause and remedy": {
			Create, backends.Errorf(backends.Conflict, "create", object, "the name is taken").Advise("Import it."),
			[]string{`Unable to create VM "web"`, "The name is taken. Import it.", "Backend: mock", "conflict"},
			path.Empty(),
		},
		"attribute": {
			Update, backends.Errorf(backends.Invalid, "change", object, "too small").At(`disks["root"].size_gib`),
			[]string{`Unable to change VM "web"`, "Too small."},
			path.Root("disks").AtMapKey("root").AtName("size_gib"),
		},
		"credentials": {
			Read, backends.Errorf(backends.Auth, "read", object, "permission denied"),
			[]string{`Unable to read VM "web"`, "provider block", `"mock"`},
			path.Empty(),
		},
		"timeout": {
			Update, backends.Wrap(context.DeadlineExceeded, "change", object),
			[]string{`Unable to change VM "web"`, "timeouts.update"},
			path.Empty(),
		},
		"fault": {
			Read, errors.New("nil map"),
			[]string{"Unable to read", "Nil map.", "please report"},
			path.Empty(),
		},
		"several": {
			Update, errors.Join(backends.Errorf(backends.Invalid, "change", object, "no such bus"), backends.Errorf(backends.Locked, "start again", object, "busy")),
			[]string{`Unable to change VM "web"`, "no such bus", "then: ", "busy"},
			path.Empty(),
		},
	} {
		t.Run(name, func(t *testing.T) {
			var diags diag.Diagnostics
			NewProviderData(backends.Mock, "test", nil).AddError(&diags, test.op, test.err)
			if len(diags) != 1 {
				t.Fatalf("%d diagnostics", len(diags))
			}
			d := diags[0]
			if d.Summary() != test.want[0] {
				t.Errorf("summary %q, want %q", d.Summary(), test.want[0])
			}
			for _, part := range test.want[1:] {
				if !strings.Contains(d.Detail(), part) {
					t.Errorf("detail lacks %q: %s", part, d.Detail())
				}
			}
			at := path.Empty()
			if p, ok := d.(diag.DiagnosticWithPath); ok {
				at = p.Path()
			}
			if !at.Equal(test.at) {
				t.Errorf("at %s, want %s", at, test.at)
			}
		})
	}
}

func TestNoErrorIsNoDiagnostic(t *testing.T) {
	var diags diag.Diagnostics
	NewProviderData(backends.Mock, "test", nil).AddError(&diags, Delete, nil)
	if len(diags) != 0 {
		t.Error(diags)
	}
}

// What a sentence begins with gets a capital letter, but not a name.
func TestSentence(t *testing.T) {
	for in, want := range map[string]string{
		"the name is taken": "The name is taken.", "": "", "Done!": "Done!",
		"terraform@pve!tf lacks it": "terraform@pve!tf lacks it.", "web-1 runs": "web-1 runs.", "local:iso is full": "local:iso is full.", "insecure = true": "Insecure = true.",
	} {
		if got := sentence(in); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
