package pve

import (
	"strings"
	"testing"

	proxmox "github.com/Telmate/proxmox-api-go/proxmox"
)

func TestSDK(t *testing.T) {
	f := newFake(t)
	f.on("POST /access/ticket", ticket("one"), ticket("two"))
	c := connected(t, byPassword(f))
	f.on("GET /nodes/pve1/qemu/100/config", onlyWith("two", map[string]any{"name": "web", "cores": 2}))
	sdk := c.SDK()
	got, err := sdk.GetItemConfigMapStringInterface(t.Context(), "/nodes/pve1/qemu/100/config", "vm", "CONFIG")
	if err != nil || got["name"] != "web" {
		t.Error(got, err)
	}
	f.on("POST /pools", onlyWith("two", nil))
	if err := sdk.Post(t.Context(), map[string]any{"poolid": "x"}, "/pools"); err != nil || f.got("POST /pools")[0].form.Get("poolid") != "x" {
		t.Error(err)
	}
	_ = sdk.New() // looks for the user's name
	if n := f.count("POST /access/ticket"); n != 2 {
		t.Errorf("%d logins", n)
	}
}

func TestSDKByToken(t *testing.T) {
	f := newFake(t)
	c := connected(t, f.config())
	_ = c.SDK().New()
	if v, err := c.SDK().GetVersion(t.Context()); err != nil || v.Major != 8 {
		t.Error(v, err)
	}
}

// The SDK panics over errors that are null or a list, and loses reason phrases.
func TestSDKDoesNotPanic(t *testing.T) {
	f := newFake(t)
	c := connected(t, f.config())
	for _, body := range []string{`{"errors":null,"data":null}`, `{"errors":[],"message":null}`, `{"errors":"x","message":["y"]}`, ``, `<html>`, `{"message":7}`} {
		f.on("PUT /nodes/pve1/qemu/100/config", reply{status: 500, reason: "VM is locked (backup)", body: body})
		err := c.SDK().Put(t.Context(), map[string]any{"name": "x"}, "/nodes/pve1/qemu/100/config")
		if err == nil {
			t.Errorf("%s: no error", body)
		}
	}
	f.on("PUT /nodes/pve1/qemu/100/config", reply{status: 500, reason: "VM is locked (backup)"})
	err := c.SDK().Put(t.Context(), map[string]any{"name": "x"}, "/nodes/pve1/qemu/100/config")
	if err == nil || !strings.Contains(err.Error(), "VM is locked (backup)") {
		t.Error(err)
	}
	var client *proxmox.Client = c.SDK()
	if client.Username != "root@pam" {
		t.Error(client.Username)
	}
}
