package pve

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/proxmox/fault"
)

func TestSecretsStayOutOfErrors(t *testing.T) {
	f := newFake(t)
	f.on("POST /access/ticket", ticket("oneandonlyticket"))
	c := connected(t, byPassword(f))
	secrets := map[string]any{"cipassword": "passzword+1 %", "sshkeys": "ssh-ed25519%20AAAAC3NzaC1lZDI1NTE5%20user", "password": "geheim99"}
	f.on("PUT /x", reply{handle: func(w http.ResponseWriter, r *http.Request) {
		all := strings.Join([]string{
			r.Header.Get("Authorization"), r.Header.Get("CSRFPreventionToken"), r.Form.Get("cipassword"), r.Form.Get("sshkeys"), r.Form.Get("password"),
			url.QueryEscape(r.Form.Get("cipassword")), "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5 user", "Secret123!", "PVEVNC:6B02::SIGNATURE",
		}, " ; ")
		reply{status: 400, reason: strings.ReplaceAll(all, "\n", " "), body: string(mustJSON(map[string]any{
			"message": all, "errors": map[string]string{"sshkeys": "invalid format - invalid urlencoded string: " + r.Form.Get("sshkeys") + "\n", "cipassword": all},
		}))}.play(w, r)
	}})
	err := c.Put(t.Context(), "/x", secrets, nil)
	wants(t, err, backends.Invalid, "invalid urlencoded string: (hidden)")
	var r *fault.Refusal
	errors.As(err, &r)
	text := err.Error() + told(err).Remedy + r.Reason + r.Message
	for _, secret := range []string{"zword", "AAAAC3", "geheim99", "oneandonly", "csrf-", "Secret123!", "SIGNATURE"} {
		if strings.Contains(text, secret) {
			t.Errorf("%q is in %s", secret, text)
		}
	}
	// A secret of a character or two hides the text as a whole.
	f.on("PUT /x", no(400, "the password 'ab' is too short"))
	err = c.Put(t.Context(), "/x", map[string]any{"password": "ab"}, nil)
	if strings.Contains(err.Error(), "'ab'") {
		t.Error(err)
	}
	// What an answer is about is known all the same.
	f.on("POST /nodes/n/qemu/1/agent/exec", no(500, "QEMU guest agent is not running"))
	err = c.Post(t.Context(), "/nodes/n/qemu/1/agent/exec", map[string]any{"command": []string{"sh", "a", "agent"}}, nil)
	wants(t, err, backends.Precondition, "is not running", "qemu-guest-agent")
	if strings.Contains(err.Error(), "guest agent") {
		t.Error(err)
	}
}
