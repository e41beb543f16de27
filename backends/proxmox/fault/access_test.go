package fault

import (
	"strings"
	"testing"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// A privilege that Proxmox VE asks for in a task, or with a file locked, is named as any other.
func TestPrivilegeInOtherWords(t *testing.T) {
	const denial = "403 Permission check failed (/storage/fast, Datastore.AllocateSpace)"
	for name, err := range map[string]error{
		"task":      &Failure{Kind: "resize", Exit: denial, Who: "tf@pve!one"},
		"create":    &Failure{Kind: "qmcreate", Exit: "unable to create VM 100 - " + denial, Who: "tf@pve!one"},
		"refusal":   &Refusal{Method: "PUT", Path: "/pools", Status: 500, Message: "update pool failed: " + denial + "\n", Who: "tf@pve!one"},
		"parameter": &Refusal{Method: "PUT", Path: "/nodes/pve1/qemu/100/config", Status: 400, Params: map[string]string{"scsi1": "hotplug problem - " + denial + "\n"}, Who: "tf@pve!one"},
	} {
		err := Wrap(err, "change", `VM "web"`)
		if code := backends.CodeOf(err); code != backends.Auth {
			t.Errorf("%s: %q", name, code)
		}
		if text := err.Error(); !strings.Contains(text, "tf@pve!one lacks the privilege Datastore.AllocateSpace on /storage/fast") || strings.Contains(text, "403") {
			t.Errorf("%s: %s", name, text)
		}
	}
}
