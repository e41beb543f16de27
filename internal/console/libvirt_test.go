package console_test

import (
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/libvirtlab"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/tfrun"
)

// The address that a real libvirtd's VM answers at is the one that virsh shows.
func TestAccConsole_libvirt(t *testing.T) {
	lab := libvirtlab.Shared(t)
	w := tfrun.New(t)
	text := config(fmt.Sprintf("libvirt = { uri = %q }", lab.URI()), "running", "virtrigaud_vm.web.id")
	text = strings.Replace(text, `name        = "web"`, "name        = \"acc-console\"\n  memory      = { size_mib = 64 }\n  shutdown    = { timeout = \"1s\" }\n  console     = { type = \"vnc\" }", 1)
	w.Write("main.tf", text)
	w.Apply()
	c := view(t, w)
	shown, err := url.Parse(lab.Virsh(t, "domdisplay", "acc-console", "--type", "vnc"))
	if err != nil {
		t.Fatal(err)
	}
	// virsh counts displays, which begin at port 5900.
	if display, err := strconv.Atoi(shown.Port()); err != nil || c.Port != 5900+display {
		t.Errorf("the port is %d, virsh shows %s (%v)", c.Port, shown, err)
	}
	if c.Type != "vnc" || c.URL != fmt.Sprintf("vnc://%s", net.JoinHostPort(c.Host, strconv.Itoa(c.Port))) {
		t.Errorf("the console is %+v", c)
	}
	// Somebody answers there, as VNC servers do.
	out, err := lab.Exec(t.Context(), "bash", "-c", fmt.Sprintf("exec 3<>/dev/tcp/127.0.0.1/%d && head -c 3 <&3", c.Port))
	if err != nil || out != "RFB" {
		t.Errorf("at the port is %q, %v", out, err)
	}
	w.EmptyPlan()
	lab.Virsh(t, "destroy", "acc-console")
	w.Fails([]string{"Unable to open the console", "error code: precondition"}, "plan")
	w.Write("main.tf", strings.Replace(text, "vm_id = virtrigaud_vm.web.id", "vm_id = virtrigaud_vm.web.id\n  required = false", 1))
	w.Must("plan")
	w.Destroy()
}
