package vm_test

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"fmt"
	"io"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/acctest"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/cloudinit"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/pvesim"
)

const (
	firstKey  = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKaPDx4YKcBTZa0A5/+x5q0B3++rcDsvcYu0jFZE2uZl first"
	secondKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKaPDx4YKcBTZa0A5/+x5q0B3++rcDsvcYu0jFZE2uZm second"
)

// What Proxmox VE's own drive can say is on it, and the rest on an ISO that is uploaded. Both follow what is asked for while the VMs run,
// one takes the other's place, imports find both again, and neither is left behind.
func TestAccVM_cloudInitOnProxmox(t *testing.T) {
	t.Parallel()
	s := acctest.NewProxmox(t, pvesim.Options{})
	lan := func(address string) string {
		return fmt.Sprintf(`networks = { lan = { ipv4 = { address = %q, gateway = "10.10.0.1" } } }`, address)
	}
	user := func(name string) string {
		return fmt.Sprintf(`{ name = %q, groups = ["sudo"], sudo = "ALL=(ALL) NOPASSWD:ALL", ssh_authorized_keys = [%q], password_hash = "$6$salt$hash" }`, name, firstKey)
	}
	config := func(own, more, ownLAN string) string {
		root := `disks = { root = { size_gib = 1 } }`
		return s.Config(named("vm", "own", root, ownLAN, "cloud_init = { "+own+" }", `dns = { servers = ["10.10.0.1"] }`, `wait_for = {}`) +
			named("vm", "more", root, lan("10.10.0.62/24"), "cloud_init = { "+more+" }", `wait_for = {}`))
	}
	keys := func(all ...string) string {
		return fmt.Sprintf(`ssh_authorized_keys = ["%s"]`, strings.Join(all, `", "`))
	}
	w := workspace(t, config(keys(firstKey), `hostname = "www", users = [`+user("ops")+`]`, lan("10.10.0.61/24")))
	w.Apply()
	w.EmptyPlan()
	for name, want := range map[string]string{"own": "own 10.10.0.61/24", "more": "www 10.10.0.62/24"} {
		if g := s.Guest(name); g.Hostname()+" "+strings.Join(g.Addresses()["net0"], " ") != want {
			t.Errorf("the guest of %s is %s with %v, want %s", name, g.Hostname(), g.Addresses(), want)
		}
	}
	if own := s.Hardware("own"); !strings.Contains(own["sshkeys"], url.PathEscape(firstKey)[:40]) || own["nameserver"] != "10.10.0.1" || len(seedsOf(t, s)) != 1 {
		t.Errorf("Proxmox VE's own drive says %v, and there are the seeds %v", own, seedsOf(t, s))
	}
	first := onlySeed(t, s)
	if data := first.UserData; !strings.Contains(data, "name: ops") || !strings.Contains(data, firstKey) || !strings.Contains(data, "$6$salt$hash") {
		t.Errorf("the seed says\n%s", data)
	}

	// Told anew, without a restart.
	s.ResetRequests()
	w.Write("main.tf", config(keys(firstKey, secondKey), `hostname = "www", users = [`+user("ops")+", "+user("dev")+`]`, lan("10.10.0.63/24")))
	found := w.Diagnostics("plan")
	for _, name := range []string{"own", "more"} {
		expectOne(t, found, "virtrigaud_vm."+name, "warning", "A guest that has booted does not see this.*new instance at its next boot")
	}
	if out := w.Apply(); !strings.Contains(out, "0 added, 2 changed, 0 destroyed") {
		t.Errorf("apply printed\n%s", out)
	}
	w.EmptyPlan()
	if own := s.Hardware("own"); !strings.Contains(own["sshkeys"], "second") || !strings.Contains(own["ipconfig0"], "10.10.0.63/24") {
		t.Errorf("Proxmox VE's own drive says %v", own)
	}
	if then := onlySeed(t, s); !strings.Contains(then.UserData, "name: dev") || then.MetaData != first.MetaData {
		t.Errorf("the seed says\n%s\n%s", then.MetaData, then.UserData)
	}
	if n := s.Sum("POST /nodes/{node}/qemu/{vmid}/status/"); n > 0 {
		t.Errorf("the VMs were switched %d times", n)
	}

	// Each goes the other's way.
	w.Write("main.tf", config(`users = [`+user("ops")+`]`, `hostname = "more", users = [], `+keys(secondKey), lan("10.10.0.63/24")))
	w.Apply()
	w.EmptyPlan()
	if own, more := s.Hardware("own"), s.Hardware("more"); own["sshkeys"] != "" || !strings.Contains(more["sshkeys"], "second") || !strings.Contains(onlySeed(t, s).UserData, "name: ops") {
		t.Errorf("the VMs have %v and %v", own, more)
	}
	for _, name := range []string{"own", "more"} {
		w.Must("state", "rm", "virtrigaud_vm."+name)
		w.Must("import", "virtrigaud_vm."+name, name)
	}
	w.EmptyPlan()

	// What is write-only is in the seed, and neither in state nor in the VM's notes.
	for version, secret := range []string{"s3cret-first", "s3cret-second"} {
		own := fmt.Sprintf(`user_data_wo = "#cloud-config\n# %s", user_data_wo_version = %d`, secret, version)
		w.Write("main.tf", config(own, `hostname = "more", users = [], `+keys(secondKey), lan("10.10.0.63/24")))
		out := w.Apply()
		w.EmptyPlan()
		if data := onlySeed(t, s).UserData; !strings.Contains(data, secret) || !strings.Contains(data, "name: ops") {
			t.Errorf("the seed says\n%s", data)
		}
		for where, text := range map[string]string{"output": out, "state": w.Must("state", "pull"), "notes": notes(t, s, "own")} {
			if strings.Contains(text, "s3cret") || where == "notes" && !strings.Contains(text, "ops") {
				t.Errorf("the secret is in the %s, or nothing is:\n%s", where, text)
			}
		}
	}
	w.Destroy()
	s.AssertEmpty()
}

// packedNotes are what the provider keeps packed behind a VM's notes.
var packedNotes = regexp.MustCompile(`"gz:([A-Za-z0-9+/]+)"`)

// notes are those of a VM, unpacked.
func notes(t *testing.T, s *acctest.Proxmox, name string) string {
	t.Helper()
	text := s.Hardware(name)["description"]
	for _, match := range packedNotes.FindAllStringSubmatch(text, -1) {
		data, err := base64.RawStdEncoding.DecodeString(match[1])
		if err != nil {
			t.Fatal(err)
		}
		r, err := gzip.NewReader(bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		plain, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		text += string(plain)
	}
	return text
}

// seedsOf are the files with seeds.
func seedsOf(t *testing.T, s *acctest.Proxmox) []string {
	t.Helper()
	return slices.DeleteFunc(s.Volumes("", "local"), func(v string) bool { return !strings.HasPrefix(v, "local:iso/") })
}

// onlySeed reads the seed that there is.
func onlySeed(t *testing.T, s *acctest.Proxmox) cloudinit.Seed {
	t.Helper()
	var files []struct {
		VolID string
		Size  int
	}
	if err := s.Do("GET", "/nodes/pve1/storage/local/content", url.Values{"content": {"iso"}}, &files); err != nil {
		t.Fatal(err)
	}
	if len(files) != 1 {
		t.Fatalf("there are %d seeds: %v", len(files), files)
	}
	image, err := s.ReadVolume("", files[0].VolID, 0, files[0].Size)
	if err != nil {
		t.Fatal(err)
	}
	seed, err := cloudinit.ReadISO(image)
	if err != nil {
		t.Fatal(err)
	}
	return seed
}
