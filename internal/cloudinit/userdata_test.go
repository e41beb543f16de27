package cloudinit

import (
	"encoding/base64"
	"io"
	"mime"
	"mime/multipart"
	"net/mail"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

func TestUserData_mapping(t *testing.T) {
	for _, tt := range []struct {
		name, user string
		users      []string
		keys       []string
		want       string
	}{
		{"nothing", "", nil, nil, "#cloud-config\n{}\n"},
		{"untouched", "#cloud-config\nhostname:   odd  # spacing\n", nil, nil, "#cloud-config\nhostname:   odd  # spacing\n"},
		{"only ours", "", []string{"ops"}, []string{"k1"}, "#cloud-config\nusers:\n  - default\n  - name: ops\nssh_authorized_keys:\n  - k1\n"},
		{"empty mapping", "#cloud-config\n{}\n", nil, []string{"k1"}, "#cloud-config\nssh_authorized_keys:\n  - k1\n"},
		{"comments only", "#cloud-config\n# nothing\n", nil, []string{"k1"}, "#cloud-config\n# nothing\nssh_authorized_keys:\n  - k1\n"},
		{"appended", "#cloud-config\nruncmd:\n- 'yes' # c", []string{"ops"}, nil, "#cloud-config\nruncmd:\n- 'yes' # c\nusers:\n  - default\n  - name: ops\n"},
		{"appended after a block scalar", "#cloud-config\nbootcmd:\n  - |\n    a\n\n    b\n", nil, []string{"k1"}, "#cloud-config\nbootcmd:\n  - |\n    a\n\n    b\nssh_authorized_keys:\n  - k1\n"},
		{
			"into the user's lists", "#cloud-config\nusers:\n- default\n- name: a # first\n  sudo: x\n\n# next\nlocale: C\nssh_authorized_keys:\n    - k0\n",
			[]string{"ops"},
			[]string{"k1"},
			"#cloud-config\nusers:\n- default\n- name: a # first\n  sudo: x\n- name: ops\n\n# next\nlocale: C\nssh_authorized_keys:\n    - k0\n    - k1\n",
		},
		{"no default user stays so", "#cloud-config\nusers:\n  - name: a\n", []string{"ops"}, nil, "#cloud-config\nusers:\n  - name: a\n  - name: ops\n"},
		{"the user's account wins", "#cloud-config\nusers:\n  - name: ops\n    shell: /bin/zsh\n", []string{"ops"}, nil, "#cloud-config\nusers:\n  - name: ops\n    shell: /bin/zsh\n"},
		{"a key once", "#cloud-config\nssh_authorized_keys: [k1]\n", nil, []string{"k1"}, "#cloud-config\nssh_authorized_keys: [k1]\n"},
		{"windows line ends", "#cloud-config\r\na: 1\r\n", nil, []string{"k1"}, "#cloud-config\r\na: 1\r\nssh_authorized_keys:\n  - k1\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ci := &backends.CloudInit{SSHKeys: tt.keys, UserData: &tt.user}
			for _, name := range tt.users {
				ci.Users = append(ci.Users, backends.CloudUser{Name: name})
			}
			if diff := cmp.Diff(tt.want, renderUserData(ci)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestUserData_password(t *testing.T) {
	ci := &backends.CloudInit{Users: []backends.CloudUser{{Name: "ops", PasswordHash: hash}}}
	m, ok := decodeMap(renderUserData(ci))
	if !ok {
		t.Fatal("no mapping")
	}
	want := map[string]any{"name": "ops", "lock_passwd": false, "hashed_passwd": hash}
	if diff := cmp.Diff(want, m["users"].([]any)[1]); diff != "" {
		t.Error(diff)
	}
}

type part struct{ Type, Body string }

// parts reads a MIME message with Go's own parser.
func parts(t *testing.T, text string) []part {
	t.Helper()
	msg, err := mail.ReadMessage(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	mediaType, params, err := mime.ParseMediaType(msg.Header.Get("Content-Type"))
	if err != nil || mediaType != "multipart/mixed" {
		t.Fatalf("%s, %v", mediaType, err)
	}
	var list []part
	for r := multipart.NewReader(msg.Body, params["boundary"]); ; {
		p, err := r.NextRawPart()
		if err == io.EOF {
			return list
		}
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(p)
		if err != nil {
			t.Fatal(err)
		}
		if p.Header.Get("Content-Transfer-Encoding") == "base64" {
			if body, err = base64.StdEncoding.DecodeString(strings.ReplaceAll(string(body), "\n", "")); err != nil {
				t.Fatal(err)
			}
		}
		mediaType, _, err := mime.ParseMediaType(p.Header.Get("Content-Type"))
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, part{mediaType, string(body)})
	}
}

func TestUserData_archive(t *testing.T) {
	ours := part{"text/cloud-config", "#cloud-config\nmerge_how: \"list(append)+dict(no_replace,recurse_list)+str()\"\nssh_authorized_keys:\n  - k1\n"}
	for _, tt := range []struct{ name, user, mimeType string }{
		{"script", "#!/bin/sh\necho hi\n", "text/x-shellscript"},
		{"script without a last line end", "#!/bin/sh\necho hi", "text/x-shellscript"},
		{"script in another alphabet", "#!/bin/sh\necho žluťoučký " + strings.Repeat("x", 100) + "\n", "text/x-shellscript"},
		{"script with carriage returns", "#!/bin/sh\r\necho hi\r\n", "text/x-shellscript"},
		{"include", "#include\nhttps://example.org/a\n", "text/x-include-url"},
		{"include once", "#include-once\nhttps://example.org/a\n", "text/x-include-once-url"},
		{"jinja", "## template: jinja\n#cloud-config\nfqdn: {{ v1.local_hostname }}\n", "text/jinja2"},
		{"boothook", "#cloud-boothook\n#!/bin/sh\n", "text/cloud-boothook"},
		{"archive", "#cloud-config-archive\n- content: x\n", "text/cloud-config-archive"},
		{"broken mapping", "#cloud-config\na: [\n", "text/cloud-config"},
		{"flow mapping", "#cloud-config\n{a: 1}\n", "text/cloud-config"},
		{"flow list", "#cloud-config\nssh_authorized_keys: [k0]\n", "text/cloud-config"},
		{"two documents", "#cloud-config\na: 1\n---\nb: 2\n", "text/cloud-config"},
		{"ended document", "#cloud-config\na: 1\n...\n", "text/cloud-config"},
		{"a block scalar that runs to the end", "#cloud-config\na: |\n  text", "text/cloud-config"},
		{"unknown", "hello", "text/plain"},
		{"leading space", "\n #!/bin/sh\n", "text/x-shellscript"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ci := &backends.CloudInit{UserData: &tt.user, SSHKeys: []string{"k1"}}
			got := renderUserData(ci)
			if diff := cmp.Diff([]part{{tt.mimeType, tt.user}, ours}, parts(t, got)); diff != "" {
				t.Errorf("-want +got:\n%s\n%s", diff, got)
			}
			if got != renderUserData(ci) {
				t.Error("not deterministic")
			}
			if ci.SSHKeys = nil; renderUserData(ci) != tt.user {
				t.Error("changed though nothing was to be merged")
			}
		})
	}
}

func TestUserData_nestedArchive(t *testing.T) {
	user := "From nobody Thu Jan  1 00:00:00 1970\nContent-Type: multipart/mixed; boundary=\"b\"\nMIME-Version: 1.0\n\n--b\nContent-Type: text/x-shellscript\n\n#!/bin/sh\n--b--\n"
	got := parts(t, renderUserData(&backends.CloudInit{UserData: &user, SSHKeys: []string{"k1"}}))
	if len(got) != 2 || got[0].Type != "multipart/mixed" || !strings.Contains(got[0].Body, "#!/bin/sh") {
		t.Errorf("got %q", got)
	}
}

// Whatever a user writes: no panic, the same bytes twice, and each line of it is in the outcome.
func TestRender_properties(t *testing.T) {
	line := rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{
		"users:", "- default", "  - name: a", "ssh_authorized_keys: [x]", "ssh_authorized_keys:", "- k", "    - k", "a: |", "  text", "---", "...",
		"? x", ": y", "&a b", "*a", "{", "}", "# c", "", "\t", "a: !!binary x", "<<: *a", "'", "\"", "a: >+", "%YAML 1.1",
	}))
	header := rapid.SampledFrom([]string{"#cloud-config\n", "#!/bin/sh\n", "", "## template: jinja\n", "MIME-Version: 1.0\n", "#include\n"})
	text := rapid.Custom(func(t *rapid.T) string {
		return header.Draw(t, "header") + strings.Join(rapid.SliceOfN(line, 0, 12).Draw(t, "lines"), "\n")
	})
	rapid.Check(t, func(t *rapid.T) {
		user, meta, address := text.Draw(t, "user data"), text.Draw(t, "meta data"), rapid.String().Draw(t, "address")
		in := Input{InstanceID: rapid.String().Draw(t, "id"), NICs: []NIC{{rapid.String().Draw(t, "key"), "52:54:00:00:00:01"}}}
		in.Spec = &backends.VMSpec{
			Name:      rapid.String().Draw(t, "name"),
			Networks:  map[string]backends.NIC{in.NICs[0].Key: {IPv4: &backends.IPConfig{Address: address, Gateway: address, Routes: []backends.Route{{To: address, Via: address}}}}},
			DNS:       &backends.DNS{Servers: []string{address}},
			CloudInit: &backends.CloudInit{UserData: &user, MetaData: &meta, SSHKeys: []string{key1}, Users: []backends.CloudUser{{Name: "ops"}}},
		}
		Validate(in.Spec)
		first, err := Render(in)
		if err != nil {
			in.Spec.CloudInit.MetaData = nil
			if first, err = Render(in); err != nil {
				t.Fatal(err)
			}
		}
		if second, _ := Render(in); Digest(first) != Digest(second) {
			t.Fatal("not deterministic")
		}
		if m, ok := decodeMap(first.NetworkConfig); !ok || len(m["ethernets"].(map[string]any)) != 1 {
			t.Fatalf("network-config is not one interface:\n%s", first.NetworkConfig)
		}
		if strings.Contains(first.UserData, "base64") || isMIME(user) {
			return
		}
		rest := first.UserData
		for l := range strings.Lines(user) {
			if strings.TrimSpace(l) == "" || strings.HasPrefix(l, "#") || strings.HasPrefix(l, "%") || strings.TrimSpace(l) == "{}" || strings.TrimSpace(l) == "---" || strings.TrimSpace(l) == "..." {
				continue
			}
			_, after, found := strings.Cut(rest, strings.TrimRight(l, "\n"))
			if !found && !strings.Contains(l, "{") {
				t.Fatalf("%q is lost from\n%s", l, first.UserData)
			}
			if found {
				rest = after
			}
		}
	})
}
