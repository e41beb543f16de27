package pvesim

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	consoleWait    = 10 * time.Second // for whoever connects
	ticketLifetime = 40 * time.Second
	firstPort      = 5900
	lastPort       = 5999
)

// console is one that was asked for: a port on which a process waits for its client.
type console struct {
	port          int
	ticket        string
	vmid          int
	user          string
	terminal      bool // not a screen
	made          time.Time
	connected     chan struct{} // closed when the client has come
	gone          chan struct{} // closed when it went
	hasConnection bool
}

func init() {
	for _, kind := range []string{"qemu", "lxc"} {
		base := "/nodes/{node}/" + kind + "/{vmid}/"
		handle("POST "+base+"vncproxy", vncProxy)
		handle("POST "+base+"termproxy", termProxy)
		handle("POST "+base+"spiceproxy", spiceProxy)
		handle("GET "+base+"vncwebsocket", vncWebSocket)
	}
	handle("PUT /nodes/{node}/qemu/{vmid}/sendkey", sendKey)
	handle("POST /nodes/{node}/qemu/{vmid}/monitor", monitor)
	handle("POST /nodes/{node}/vncshell", nodeShell)
	handle("POST /nodes/{node}/termproxy", nodeShell)
	handle("POST /nodes/{node}/spiceshell", nodeShell)
}

// guestOf is the VM or the container that the path names.
func (r *request) guestOf() (*machine, error) {
	if strings.HasPrefix(r.http.URL.Path, prefix+"/nodes/"+r.p["node"]+"/lxc/") {
		return r.container()
	}
	return r.vm()
}

// openConsole starts the process that waits for a console's client, or that fails before it does.
func (r *request) openConsole(m *machine, terminal bool, failure error) (*console, string, error) {
	port := firstPort
	for r.misc.consoles[port] != nil {
		if port++; port > lastPort {
			return nil, "", die("unable to find free vnc port")
		}
	}
	k := &console{
		port: port, vmid: m.id, user: r.user.authid(), terminal: terminal, made: time.Now(),
		connected: make(chan struct{}), gone: make(chan struct{}),
	}
	id := ""
	if m.id > 0 {
		id = strconv.Itoa(m.id)
	}
	if failure == nil {
		r.misc.consoles[port] = k
	}
	upid := r.fork(m.node.name, "vncproxy", id, func(w *worker) error {
		if failure != nil {
			return failure
		}
		return k.wait(w, m)
	})
	return k, upid, nil
}

// wait is the work of that process.
func (k *console) wait(w *worker, m *machine) error {
	defer func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.misc.consoles, k.port)
	}()
	timer := time.NewTimer(consoleWait)
	defer timer.Stop()
	select {
	case <-k.connected:
	case <-timer.C:
		return die("connection timed out")
	case <-w.ctx.Done():
		return w.ctx.Err()
	}
	if err := w.locked(func() error {
		if m.id > 0 && !m.running {
			return die("VM %d not running", m.id)
		}
		return nil
	}); err != nil {
		return err
	}
	select {
	case <-k.gone:
		return nil
	case <-w.ctx.Done():
		return w.ctx.Err()
	}
}

// ticketFor makes the ticket of a console: a password or nothing, the time and a signature.
func (k *console) ticketFor(password string) string {
	signature := make([]byte, 256)
	rand.Read(signature)
	k.ticket = fmt.Sprintf("%s:PVEVNC:%08X::%s", password, k.made.Unix(), base64.StdEncoding.EncodeToString(signature))
	return k.ticket
}

// consolePassword is one of eight printable characters, as long as VNC takes them.
func consolePassword() string {
	const chars = "!()+,-./0123456789;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[]abcdefghijklmnopqrstuvwxyz"
	b := make([]byte, 8)
	rand.Read(b)
	for i := range b {
		b[i] = chars[int(b[i])%len(chars)]
	}
	return string(b)
}

func vncProxy(r *request) (any, error) {
	m, err := r.guestOf()
	if err != nil {
		return nil, err
	}
	k, upid, err := r.openConsole(m, m.lxc, nil)
	if err != nil {
		return nil, err
	}
	answer := map[string]any{"user": k.user, "port": strconv.Itoa(k.port), "upid": upid, "cert": r.authority}
	if m.lxc {
		answer["ticket"] = k.ticketFor("")
		return answer, nil
	}
	password := consolePassword()
	answer["ticket"], answer["password"] = k.ticketFor(password), password
	return answer, nil
}

// termProxy is a terminal on a serial port of a VM, or a container's console.
func termProxy(r *request) (any, error) {
	m, err := r.guestOf()
	if err != nil {
		return nil, err
	}
	var failure error
	switch {
	case m.lxc:
	case !m.running:
		failure = die("VM %d not running", m.id)
	case !hasSerial(m, r.p["serial"]):
		failure = die("unable to find a serial interface")
	}
	k, upid, err := r.openConsole(m, true, failure)
	if err != nil {
		return nil, err
	}
	if failure != nil { // whoever would listen has gone
		return nil, die("Timeout while waiting for port '%d' to get ready!", k.port)
	}
	return map[string]any{"user": k.user, "port": strconv.Itoa(k.port), "upid": upid, "ticket": k.ticketFor("")}, nil
}

// hasSerial reports whether a VM has a serial port, or the one that is asked for.
func hasSerial(m *machine, name string) bool {
	if name != "" {
		return m.config[name] != ""
	}
	for i := range 4 {
		if m.config["serial"+strconv.Itoa(i)] != "" {
			return true
		}
	}
	return false
}

// displayKind is the type of a VM's display, "std" where it says nothing.
func displayKind(m *machine) string {
	for part := range strings.SplitSeq(m.config["vga"], ",") {
		if kind, found := strings.CutPrefix(part, "type="); found {
			return kind
		}
		if part != "" && !strings.Contains(part, "=") {
			return part
		}
	}
	return "std"
}

func spiceProxy(r *request) (any, error) {
	m, err := r.guestOf()
	if err != nil {
		return nil, err
	}
	switch {
	case !m.running && m.lxc:
		return nil, die("CT %d not running", m.id)
	case !m.running:
		return nil, die("VM %d not running", m.id)
	case !m.lxc && !strings.HasPrefix(displayKind(m), "qxl"):
		return nil, die("no spice port")
	}
	proxy := r.p["proxy"]
	if proxy == "" {
		proxy, _, _ = strings.Cut(r.http.Host, ":")
	}
	secret := make([]byte, 20)
	rand.Read(secret)
	return map[string]any{
		"type": "spice", "title": fmt.Sprintf("VM %d - %s", m.id, m.config["name"]), "proxy": "http://" + proxy + ":3128",
		"host": fmt.Sprintf("pvespiceproxy:%08X:%d:%s::%x", time.Now().Unix(), m.id, m.node.name, secret), "tls-port": 61000,
		"password": fmt.Sprintf("%x", secret), "ca": strings.ReplaceAll(r.authority, "\n", `\n`),
		"host-subject":     "OU=PVE Cluster Node,O=Proxmox Virtual Environment,CN=" + m.node.name,
		"delete-this-file": 1, "secure-attention": "Ctrl+Alt+Ins", "toggle-fullscreen": "Shift+F11", "release-cursor": "Ctrl+Alt+R",
	}, nil
}

// vncWebSocket leads to the console whose ticket it gets.
func vncWebSocket(r *request) (any, error) {
	ticket, port := r.p["vncticket"], r.p.num("port", 0)
	var found *console
	for _, k := range r.misc.consoles {
		if k.ticket == ticket && k.vmid == r.p.num("vmid", 0) && k.user == r.user.authid() && time.Since(k.made) < ticketLifetime {
			found = k
		}
	}
	if found == nil {
		return nil, raise(http.StatusUnauthorized, "permission denied - invalid PVEVNC ticket")
	}
	upgrade := strings.ToLower(r.http.Header.Get("Upgrade"))
	if upgrade == "" {
		return map[string]any{"port": strconv.Itoa(port)}, nil
	}
	if upgrade != "websocket" {
		return nil, die("unable to upgrade to protocol '%s'", upgrade)
	}
	k := r.misc.consoles[port]
	if k == nil || k.hasConnection {
		return nil, proxied(595, "Connection refused")
	}
	return k.upgrade(r)
}

var keyNames = func() map[string]bool {
	names := map[string]bool{}
	for c := byte('a'); c <= 'z'; c++ {
		names[string(c)] = true
	}
	for i := range 10 {
		names[strconv.Itoa(i)] = true
	}
	for i := range 12 {
		names["f"+strconv.Itoa(i+1)] = true
	}
	for name := range strings.FieldsSeq("shift shift_r alt alt_r ctrl ctrl_r menu esc ret spc tab backspace delete insert home end pgup pgdn " +
		"up down left right caps_lock num_lock scroll_lock sysrq print pause minus equal comma dot slash semicolon apostrophe " +
		"bracket_left bracket_right backslash grave_accent meta_l meta_r") {
		names[name] = true
	}
	return names
}()

func sendKey(r *request) (any, error) {
	m, err := r.vm()
	if err != nil {
		return nil, err
	}
	if !m.running {
		return nil, die("VM %d not running", m.id)
	}
	if keys := strings.Split(r.p["key"], "-"); slices.ContainsFunc(keys, func(k string) bool { return !keyNames[strings.ToLower(k)] }) {
		return rawAnswer(func(w http.ResponseWriter, _ *http.Request) { // no body, and yet it is said to be JSON
			w.Header().Set("Content-Type", "application/json;charset=UTF-8")
			w.WriteHeader(http.StatusBadRequest)
		}), nil
	}
	return nil, nil
}

// monitor answers the one command that says what QEMU it is; others say nothing.
func monitor(r *request) (any, error) {
	m, err := r.vm()
	if err != nil {
		return nil, err
	}
	switch {
	case !m.running:
		return fmt.Sprintf("ERROR: VM %d not running\n", m.id), nil
	case r.p["command"] == "info version":
		return "7.2.22Debian 1:7.2+dfsg-7+deb12u18+b3\r\n", nil
	}
	return "", nil
}

// nodeShell is a shell at a node, which only a user can have: a token's name is none.
func nodeShell(r *request) (any, error) {
	if r.user.token != "" {
		return nil, die("value '%s' does not look like a valid user name", r.user.authid())
	}
	m := &machine{node: r.node(r.p["node"])}
	k, upid, err := r.openConsole(m, true, nil)
	if err != nil {
		return nil, err
	}
	answer := map[string]any{"user": k.user, "port": strconv.Itoa(k.port), "upid": upid, "ticket": k.ticketFor("")}
	if !strings.HasSuffix(r.http.URL.Path, "/termproxy") {
		answer["cert"] = r.authority
	}
	return answer, nil
}
