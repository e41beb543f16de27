package console_test

import (
	"strings"
	"testing"

	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/acctest"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/tfrun"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/vcsim"
)

// vSphere's console is a ticket of its own for each time that it is opened.
func TestAccConsole_vsphere(t *testing.T) {
	t.Parallel()
	s := acctest.NewVSphere(t, vcsim.Options{})
	w := tfrun.New(t)
	text := config("MARK", "running", "virtrigaud_vm.web.id")
	before, after, _ := strings.Cut(text, "provider \"virtrigaud\" {\n  MARK\n}")
	w.Write("main.tf", before+s.Config(after))
	w.Apply()
	c := view(t, w)
	if c.Type != "webmks" || !strings.HasPrefix(c.URL, "wss://") || !strings.Contains(c.URL, "/ticket/") {
		t.Errorf("the console is %+v", c)
	}
	w.EmptyPlan()
	w.Destroy()
	s.AssertEmpty()
}
