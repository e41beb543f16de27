package conn

import (
	"errors"
	"strings"
	"testing"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

func TestParseURI(t *testing.T) {
	for uri, want := range map[string]target{
		"qemu:///system":                         {transport: overUnix, path: "/system"},
		"qemu:///session":                        {transport: overUnix, path: "/session"},
		"qemu+unix:///system?socket=/s":          {transport: overUnix, path: "/system", socket: "/s"},
		"qemu+unix://?socket=/s":                 {transport: overUnix, path: "/system", socket: "/s"},
		"QEMU+TCP://host/system":                 {transport: overTCP, host: "host", port: "16509", path: "/system"},
		"qemu+tcp://[fd00::1]:99/system":         {transport: overTCP, host: "fd00::1", port: "99", path: "/system"},
		"qemu+tls://host/system?no_verify=1":     {transport: overTLS, host: "host", port: "16514", path: "/system", noVerify: true, verify: "ignore"},
		"qemu://host/system":                     {transport: overTLS, host: "host", port: "16514", path: "/system"},
		"qemu+tls://host/system?pkipath=/pki":    {transport: overTLS, host: "host", port: "16514", path: "/system", pkiPath: "/pki"},
		"qemu+ssh://me@host/system?keyfile=/k":   {transport: overSSH, user: "me", host: "host", port: "22", path: "/system", keyFile: "/k"},
		"qemu+libssh2://host:2222/system":        {transport: overSSH, host: "host", port: "2222", path: "/system"},
		"qemu+ssh://host?jump=a@b:1&no_verify=0": {transport: overSSH, host: "host", port: "22", path: "/system", jump: "a@b:1"},
		"qemu+ssh://host/system?known_hosts_verify=auto&proxy=netcat": {
			transport: overSSH, host: "host", port: "22", path: "/system", verify: "auto", proxy: "netcat",
		},
		"test:///default": {transport: overUnix, path: "/default", name: "test:///default"},
	} {
		if want.verify == "" {
			want.verify = "normal"
		}
		if want.proxy == "" {
			want.proxy = "auto"
		}
		got, err := parseURI(uri)
		if err != nil || got != want {
			t.Errorf("%s:\ngot  %+v, %v\nwant %+v", uri, got, err, want)
		}
	}
}

func TestWrongURIs(t *testing.T) {
	for uri, said := range map[string]string{
		"":                                     "no libvirt URI is given",
		"quemu:///system":                      `"quemu" is no libvirt URI`,
		"http://host/":                         `"http" is no libvirt URI`,
		"/var/run/libvirt/libvirt-sock":        "is no libvirt URI",
		"qemu+shh://host/system":               `"shh" is no transport`,
		"qemu+://host/system":                  `"" is no transport`,
		"qemu+ssh:///system":                   "names no host",
		"qemu+unix://host/system":              `names the host "host"`,
		"qemu:///systems":                      `"/systems" is no libvirt daemon`,
		"qemu+tcp://host:port/system":          "malformed",
		"qemu+tcp://host:99999/system":         `"99999" is no port`,
		"qemu+ssh://host/system?keyfle=/k":     `no parameter "keyfle"`,
		"qemu+tcp://host/system?keyfile=/k":    `no parameter "keyfile"`,
		"qemu+tls://host/system?no_verify=yes": "it is 0 or 1",
		"qemu+ssh://host/system?proxy=squid":   "auto, native, netcat",
		"qemu+ssh://me:hunter2@host/system":    "takes no password",
		"qemu+ssh://me:hunter2@host:x/system":  "malformed",
		"qemu+ssh://host/system?jump=me@":      "jump host",
		"qemu+ssh://host/system?name=xen:///":  "must begin with qemu:",
	} {
		_, err := Open(t.Context(), Config{URI: uri})
		var e *backends.Error
		if !errors.As(err, &e) || e.Code != backends.Invalid || e.Path != "libvirt.uri" {
			t.Errorf("%s: %v", uri, err)
			continue
		}
		if text := e.Error() + e.Remedy; !strings.Contains(text, said) || !strings.Contains(text, "qemu+ssh://USER@HOST") || strings.Contains(text, "hunter2") {
			t.Errorf("%s: %s", uri, text)
		}
	}
}
