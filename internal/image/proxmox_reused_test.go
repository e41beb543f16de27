package image_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/acctest"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/pvesim"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/tfrun"
)

// A VMID that was given to another template does not make that one Terraform's image: it is not removed.
func TestAccImage_reusedIDOnProxmox(t *testing.T) {
	t.Parallel()
	s, w := acctest.NewProxmox(t, pvesim.Options{}), tfrun.New(t)
	w.Write("disk.qcow2", string(asQCOW2(disk(1, 1<<20))))
	requirement, _, _ := strings.Cut(header, "provider \"virtrigaud\" {")
	w.Write("main.tf", requirement+s.Config(`
resource "virtrigaud_image" "cloud" {
  name       = "cloud"
  local_path = "${path.module}/disk.qcow2"
}
`))
	w.Apply()
	w.EmptyPlan()
	id := s.VM("cloud").VMID
	s.Run("DELETE", "cloud", "")
	if err := s.Do("POST", "/nodes/pve1/qemu", url.Values{"vmid": {fmt.Sprint(id)}, "name": {"theirs"}}, nil); err != nil {
		t.Fatal(err)
	}
	s.Run("POST", "theirs", "/template")
	w.Fails([]string{`image "cloud"`, `"theirs"`, "terraform state rm"}, "destroy", "-auto-approve")
	if !s.Has("theirs") {
		t.Fatal("the other template is gone")
	}
	w.Must("state", "rm", "virtrigaud_image.cloud")
	w.Apply()
	w.Destroy()
	if !s.Has("theirs") {
		t.Error("the other template is gone")
	}
}
