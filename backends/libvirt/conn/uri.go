package conn

import (
	"fmt"
	"maps"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// uriPath is the attribute that a wrong URI is blamed on.
const uriPath = "libvirt.uri"

const acceptedURIs = "Accepted are qemu:///system, qemu+unix:///system?socket=PATH, qemu+tcp://HOST[:PORT]/system, " +
	"qemu+tls://HOST[:PORT]/system and qemu+ssh://USER@HOST[:PORT]/system."

// transport is how libvirtd is reached.
type transport string

const (
	overUnix transport = "unix"
	overTCP  transport = "tcp"
	overTLS  transport = "tls"
	overSSH  transport = "ssh"
)

// target is a parsed URI.
type target struct {
	transport transport
	user      string
	host      string
	port      string // with the transport's default
	path      string // "/system" or "/session"
	name      string // what libvirtd is asked to open instead of qemu and path

	socket     string // "" is the usual one
	pkiPath    string
	noVerify   bool
	keyFile    string
	knownHosts string
	verify     string // "normal", "auto" or "ignore"
	jump       string
	netcat     string
	proxy      string // "auto", "native" or "netcat"
}

var defaultPorts = map[transport]string{overTCP: "16509", overTLS: "16514", overSSH: "22"}

// parameters lists what the query of a URI may say, by transport.
var parameters = map[transport][]string{
	overUnix: {"socket", "name", "mode"},
	overTCP:  {"name"},
	overTLS:  {"name", "pkipath", "no_verify"},
	overSSH: {
		"name", "socket", "mode", "keyfile", "known_hosts", "known_hosts_verify", "no_verify", "jump",
		"proxy", "netcat", "no_tty", "sshauth",
	},
}

func badURI(format string, args ...any) *backends.Error {
	return backends.Errorf(backends.Invalid, "connect to libvirtd", "libvirtd", format, args...).At(uriPath).Advise("%s", acceptedURIs)
}

func parseURI(raw string) (target, error) {
	if strings.TrimSpace(raw) == "" {
		return target{}, badURI("no libvirt URI is given")
	}
	u, err := url.Parse(raw)
	if err != nil {
		// url.Error quotes the URI, which may hold a password.
		return target{}, badURI("the libvirt URI is malformed")
	}
	if _, has := u.User.Password(); has {
		return target{}, badURI("a libvirt URI takes no password; an SSH host lets a key in")
	}
	driver, how, explicit := strings.Cut(strings.ToLower(u.Scheme), "+")
	if driver != "qemu" && driver != "test" {
		return target{}, badURI("%q is no libvirt URI for QEMU/KVM", u.Scheme)
	}
	t := target{transport: transport(how), user: u.User.Username(), host: u.Hostname(), port: u.Port(), path: u.Path}
	switch how {
	case "libssh", "libssh2":
		t.transport = overSSH
	case "":
		t.transport = overUnix
		if u.Host != "" {
			t.transport = overTLS
		}
	}
	allowed, ok := parameters[t.transport]
	if !ok || explicit && how == "" {
		return target{}, badURI("%q is no transport to libvirtd", how)
	}
	if err := t.checkPlace(driver); err != nil {
		return target{}, err
	}
	q, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return target{}, badURI("the parameters of the libvirt URI are malformed")
	}
	for _, key := range slices.Sorted(maps.Keys(q)) {
		if !slices.Contains(allowed, key) {
			return target{}, badURI("a libvirt URI with %s has no parameter %q; it takes %s", t.transport, key, strings.Join(allowed, ", "))
		}
	}
	return t, t.takeParameters(driver, q)
}

// checkPlace checks host, port and path.
func (t *target) checkPlace(driver string) error {
	switch {
	case t.transport == overUnix && t.host != "":
		return badURI("a Unix socket is on this machine, but the libvirt URI names the host %q", t.host)
	case t.transport != overUnix && t.host == "":
		return badURI("the libvirt URI with %s names no host", t.transport)
	}
	if t.port == "" {
		t.port = defaultPorts[t.transport]
	} else if n, err := strconv.ParseUint(t.port, 10, 16); err != nil || n == 0 {
		return badURI("%q is no port", t.port)
	}
	switch {
	case driver == "test":
		t.name = "test://" + t.path
	case t.path == "" || t.path == "/":
		t.path = "/system"
	case t.path != "/system" && t.path != "/session":
		return badURI("%q is no libvirt daemon; it is /system or /session", t.path)
	}
	return nil
}

func (t *target) takeParameters(driver string, q url.Values) error {
	t.socket, t.pkiPath, t.keyFile = q.Get("socket"), q.Get("pkipath"), q.Get("keyfile")
	t.knownHosts, t.jump, t.netcat = q.Get("known_hosts"), q.Get("jump"), q.Get("netcat")
	if name := q.Get("name"); name != "" {
		if !strings.HasPrefix(name, driver+":") {
			return badURI("the parameter name of the libvirt URI is %q; it must begin with %s:", name, driver)
		}
		t.name = name
	}
	switch v := q.Get("no_verify"); v {
	case "", "0":
	case "1":
		t.noVerify = true
	default:
		return badURI("the parameter no_verify of the libvirt URI is %q; it is 0 or 1", v)
	}
	var err error
	if t.verify, err = oneOf(q, "known_hosts_verify", "normal", "auto", "ignore"); err != nil {
		return err
	}
	if t.proxy, err = oneOf(q, "proxy", "auto", "native", "netcat"); err != nil {
		return err
	}
	if t.noVerify {
		t.verify = "ignore"
	}
	return nil
}

// oneOf reads a parameter that takes one of some values; the first is the default.
func oneOf(q url.Values, key string, values ...string) (string, error) {
	v := q.Get(key)
	if v == "" {
		return values[0], nil
	}
	if !slices.Contains(values, v) {
		return "", badURI("the parameter %s of the libvirt URI is %q; it is one of %s", key, v, strings.Join(values, ", "))
	}
	return v, nil
}

// remote is what libvirtd itself is asked to open.
func (t target) remote() string {
	if t.name != "" {
		return t.name
	}
	return "qemu://" + t.path
}

// address is host:port.
func (t target) address() string { return net.JoinHostPort(t.host, t.port) }

// String names the target in messages, without parameters.
func (t target) String() string {
	if t.transport == overUnix {
		if t.socket != "" {
			return fmt.Sprintf("qemu:///%s at %s", strings.TrimPrefix(t.path, "/"), t.socket)
		}
		return "qemu://" + t.path
	}
	return fmt.Sprintf("qemu+%s://%s%s", t.transport, t.address(), t.path)
}

// uri is the target as libvirt's own tools take it, without what is a matter of this program.
func (t target) uri() string {
	if t.transport == overUnix {
		if t.socket != "" {
			return fmt.Sprintf("qemu+unix://%s?socket=%s", t.path, t.socket)
		}
		return "qemu://" + t.path
	}
	host := t.host
	if t.port != defaultPorts[t.transport] {
		host = t.address()
	} else if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	if t.user != "" {
		host = t.user + "@" + host
	}
	return fmt.Sprintf("qemu+%s://%s%s", t.transport, host, t.path)
}
