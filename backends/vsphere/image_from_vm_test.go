package vsphere

import (
	"strings"
	"testing"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/vcsim"
)

// The image of a VM's disk says nothing of what the VM's guest and owner were told.
func TestImageOfADiskForgetsTheVM(t *testing.T) {
	r := newRig(t, vcsim.Options{})
	spec := r.spec("web")
	spec.Settings = new(`{"a":1}`)
	spec.CloudInit = &backends.CloudInit{UserData: new("#cloud-config\npassword: secret\n")}
	id := r.create(spec)
	image, err := r.ImportImage(r.ctx, backends.ImageSpec{Name: "disk of web", Kind: "disk"}, backends.ImageSource{VM: id})
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range r.machineOf(backends.ID(image.ID)).Config.ExtraConfig {
		key, text := o.GetOptionValue().Key, o.GetOptionValue().Value
		if (strings.HasPrefix(key, "virtrigaud.") && key != markKey || strings.HasPrefix(key, "guestinfo.")) && text != "" {
			t.Errorf("the image has %s = %v", key, text)
		}
	}
}
