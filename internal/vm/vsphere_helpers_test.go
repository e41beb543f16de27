package vm_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/acctest"
)

// guestSize is what the pretended guest's disk holds.
const guestSize = 1 << 20

// pretended is the image of a guest that boots in milliseconds.
func pretended(t *testing.T, s *acctest.VSphere) string {
	t.Helper()
	return fmt.Sprintf(`
resource "virtrigaud_image" "guest" {
  name       = "guest"
  local_path = %q
}
`, s.Guest(guestSize))
}

// named is a resource of the kind with a name and further lines.
func named(kind, name string, lines ...string) string {
	return fmt.Sprintf("\nresource \"virtrigaud_%s\" %q {\n  name = %q\n  %s\n}\n", kind, name, name, strings.Join(lines, "\n  "))
}
