package examples

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/tfrun"
)

var (
	codeBlock   = regexp.MustCompile("(?ms)^```terraform\n(.*?)^```$")
	variable    = regexp.MustCompile(`\bvar\.(\w+)`)
	declaration = regexp.MustCompile(`(?m)^variable "(\w+)"`)
	reference   = regexp.MustCompile(`\b(virtrigaud_\w+)\.(\w+)\.`)
	// The attributes of an import block that names an identity need a newer Terraform.
	identity = regexp.MustCompile(`(?m)^\s*identity\s*=`)
)

// stubs are what resources need beside a name.
var stubs = map[string]string{
	"virtrigaud_image":    `url = "https://example.com/debian.qcow2"`,
	"virtrigaud_snapshot": `vm_id = "some-vm"`,
}

// What the guides and the README show is valid and formatted: each block of
// code, with what it refers to and does not show.
func TestAccGuides(t *testing.T) {
	pages := []string{"../README.md"}
	guides, err := filepath.Glob("../templates/guides/*.md")
	if err != nil || len(guides) < 4 {
		t.Fatalf("the guides are not where they should be: %v, %v", guides, err)
	}
	for _, page := range append(pages, guides...) {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for i, block := range codeBlock.FindAllStringSubmatch(string(text), -1) {
			t.Run(fmt.Sprintf("%s-%d", filepath.Base(page), i+1), func(t *testing.T) {
				w := validate(t, block[1])
				if filepath.Base(page) == "getting-started.md" && i == 0 {
					// The first thing that anybody does.
					if out := w.Apply(); !strings.Contains(out, "address = ") {
						t.Errorf("no address is shown:\n%s", out)
					}
					w.EmptyPlan()
					w.Destroy()
				}
			})
		}
	}
}

func validate(t *testing.T, code string) *tfrun.Workspace {
	t.Helper()
	if identity.MatchString(code) {
		t.Fatal("an example with an identity cannot be checked by every Terraform; put it into examples/resources")
	}
	w := tfrun.New(t)
	w.Write("main.tf", code)
	w.Must("fmt", "-check", "-diff", "main.tf")
	var rest strings.Builder
	if !strings.Contains(code, "required_providers") {
		rest.WriteString(requirements)
	}
	declared := map[string]bool{}
	for _, d := range declaration.FindAllStringSubmatch(code, -1) {
		declared[d[1]] = true
	}
	for _, v := range variable.FindAllStringSubmatch(code, -1) {
		if !declared[v[1]] {
			declared[v[1]] = true
			fmt.Fprintf(&rest, "variable %q {}\n", v[1])
		}
	}
	for _, r := range reference.FindAllStringSubmatch(code, -1) {
		if resource := fmt.Sprintf("resource %q %q", r[1], r[2]); !declared[resource] && !strings.Contains(code, resource) {
			declared[resource] = true
			fmt.Fprintf(&rest, "%s {\n  name = \"stub\"\n  %s\n}\n", resource, stubs[r[1]])
		}
	}
	w.Write("rest.tf", rest.String())
	w.Write("user-data.yaml", "#cloud-config\nruncmd: [\"join ${token}\"]\n")
	// The key of whoever follows the guide.
	w.Write("main.tf", strings.ReplaceAll(code, `file("~/.ssh/id_ed25519.pub")`, `"`+key+`"`))
	w.Must("validate")
	return w
}
