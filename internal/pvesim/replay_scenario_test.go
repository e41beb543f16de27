package pvesim

import (
	"encoding/binary"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
)

// scenario is what a recording implies and does not show: the state that it began with, who asked, what happened
// beside the requests.
type scenario struct {
	nodes   []string
	guests  bool // a guest boots from the image that VMs are made of
	haRound time.Duration
	lags    bool // lists of resources show what was when they were told, at the start and by before
	setup   func(t *testing.T, p *player)
	before  map[int]func(p *player)     // what happened on the host ahead of an exchange
	as      func(i int, x exchange) who // nil is root@pam!tf
	settles map[int]bool                // answers that the recording waited for
	unlike  map[int]string              // what does not count, and why
	sizes   map[int]int                 // of uploaded files in bytes, 10 where an exchange is not there
	swapped [][2]int                    // requests of the same moment that went the other way round
}

// order is the recording with what was swapped put back.
func (sc *scenario) order(list []exchange) []exchange {
	list = slices.Clone(list)
	for _, pair := range sc.swapped {
		list[pair[0]], list[pair[1]] = list[pair[1]], list[pair[0]]
	}
	return list
}

func (sc *scenario) options() Options {
	return Options{Version: 8, Nodes: sc.nodes, LockWait: 300 * time.Millisecond, ShutdownWait: 2 * time.Second, HARound: sc.haRound, NoKVM: true, StatsLag: sc.lag()}
}

func (sc *scenario) lag() time.Duration {
	if sc.lags {
		return time.Hour
	}
	return 0
}

// who makes a request.
type who int

const (
	byToken      who = iota // root@pam!tf
	byNobody                // no authentication at all
	byTester                // tester@pve with the ticket it got, and the token against forgery
	byLimited               // root@pam!tflimited, a token without privileges of its own
	byNoForgery             // tester without the token against forgery
	byBadForgery            // tester with another
	byInHeader              // tester with the ticket as authorization
	byForged                // with a ticket that nobody made
	byWrongSecret
	byUnknownToken
	byUnknownUser
	byMalformed
	byNoSecret
	bySpaced
)

// session is what logins gave.
type session struct{ ticket, csrf, limited string }

// learn keeps the ticket of a login.
func (s *session) learn(got reply) {
	m, _ := got.body.(map[string]any)
	data, _ := m["data"].(map[string]any)
	if ticket, ok := data["ticket"].(string); ok && strings.HasPrefix(ticket, "PVE:") {
		s.ticket = ticket
		s.csrf, _ = data["CSRFPreventionToken"].(string)
	}
}

// size is how large an uploaded file is.
func (p *player) size(i int) int {
	if n, told := p.sizes[i]; told {
		return n
	}
	return 10
}

// headers authenticate a request.
func (p *player) headers(i int, x exchange) http.Header {
	by := byToken
	if p.as != nil {
		by = p.as(i, x)
	}
	h := http.Header{}
	set := func(value string) { h.Set("Authorization", value) }
	switch by {
	case byToken:
		set("PVEAPIToken=" + p.server.Token())
	case byNobody:
	case byLimited:
		set("PVEAPIToken=root@pam!tflimited=" + p.session.limited)
	case byTester, byNoForgery, byBadForgery:
		h.Set("Cookie", "PVEAuthCookie="+url.QueryEscape(p.session.ticket))
		switch by {
		case byTester:
			h.Set("CSRFPreventionToken", p.session.csrf)
		case byBadForgery:
			h.Set("CSRFPreventionToken", "6B02A28D:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")
		}
	case byInHeader:
		set("PVEAuthCookie=" + p.session.ticket)
	case byForged:
		h.Set("Cookie", "PVEAuthCookie="+url.QueryEscape("PVE:root@pam:6B02A28D::AAAA"))
	case byWrongSecret:
		set("PVEAPIToken=root@pam!tf=00000000-0000-0000-0000-000000000000")
	case byUnknownToken:
		set("PVEAPIToken=root@pam!nosuch=00000000-0000-0000-0000-000000000000")
	case byUnknownUser:
		set("PVEAPIToken=nobody@pve!tf=00000000-0000-0000-0000-000000000000")
	case byMalformed:
		set("PVEAPIToken=garbage")
	case byNoSecret:
		set("PVEAPIToken=root@pam!tf")
	case bySpaced:
		set("PVEAPIToken=" + strings.Replace(p.server.Token(), "=", " ", 1))
	}
	return h
}

// body is what was sent where the recording does not keep it.
func (p *player) body(x exchange) *raw {
	switch x.Note {
	case "malformed JSON":
		return &raw{"application/json", "{bad json"}
	case "wrong content type":
		return &raw{"text/plain", "vmid=303"}
	case "charset suffix":
		return &raw{"application/x-www-form-urlencoded; charset=UTF-8", "vmid=303&cores=a"}
	}
	return nil
}

// prepare makes the cluster of the recording's host: one node with one storage and one bridge, and VM 100.
func (p *player) prepare(t *testing.T) {
	t.Helper()
	s := p.server
	s.mu.Lock()
	s.storages = s.storages[:1]
	for _, n := range s.nodes {
		n.ifaces = []*iface{{name: "vmbr0", kind: "bridge", active: true, options: map[string]string{
			"method": "static", "method6": "manual", "address": "10.77.0.1", "netmask": "24", "cidr": "10.77.0.1/24",
			"bridge_ports": "", "bridge_stp": "off", "bridge_fd": "0", "autostart": "1",
		}}}
	}
	p.file("import/debian.qcow2", "import", "qcow2", qcow2(589299712, p.guests), 393674752)
	p.file("import/tiny.qcow2", "import", "qcow2", qcow2(40<<20, false), 24772608)
	s.mu.Unlock()
	p.make(t, 100, params{"name": "smoke", "memory": "256", "serial0": "socket", "scsi0": "local:1", "ide2": "local:cloudinit", "net0": "virtio,bridge=vmbr0"})
	if p.setup != nil {
		p.setup(t, p)
	}
	s.Broadcast()
}

// file puts a file on the storage of the first node. It is called with mu held.
func (p *player) file(name, kind, format string, begin []byte, size int64) {
	s := p.server
	data := newContent(s.volumes.spool, size)
	if _, err := data.WriteAt(begin, 0); err != nil {
		panic(err)
	}
	s.add(&volume{volid: "local:" + name, node: s.nodes[0].name, storage: s.storages[0], content: kind, format: format, size: size, created: time.Now(), data: data})
}

// make makes a VM and waits for it.
func (p *player) make(t *testing.T, id int, config params) {
	t.Helper()
	config = maps.Clone(config)
	config["vmid"], config["kvm"], config["ostype"] = fmt.Sprint(id), "0", "l26"
	p.do(t, "POST", "/nodes/pve1/qemu", config)
}

// do makes a request in the process, and waits for its task. One that fails makes the whole scenario differ, which shows.
func (p *player) do(t *testing.T, method, path string, in params) any {
	t.Helper()
	data, err := p.server.call(method, path, in)
	if err != nil {
		t.Logf("setup: %s %s: %v", method, path, err)
		return nil
	}
	if upid, ok := data.(string); ok && strings.HasPrefix(upid, "UPID:") {
		p.finish(t, upid)
	}
	return data
}

func (p *player) finish(t *testing.T, upid string) {
	t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		p.server.mu.Lock()
		exit := p.server.tasks.byUPID[upid].exit
		p.server.mu.Unlock()
		if exit != "" {
			if exit != "OK" {
				t.Logf("setup: %s: %s", upid, exit)
			}
			return
		}
	}
	t.Logf("setup: %s does not end", upid)
}

// config changes a VM's configuration behind the API's back, as an editor on the host does.
func (p *player) config(id int, change func(m *machine)) {
	p.server.mu.Lock()
	defer p.server.mu.Unlock()
	if m := p.server.machines[id]; m != nil {
		change(m)
	}
}

// locked sets the lock of a VM.
func locked(id int, lock string) func(p *player) {
	return func(p *player) {
		p.config(id, func(m *machine) {
			if lock == "" {
				delete(m.config, "lock")
				return
			}
			m.config["lock"] = lock
		})
	}
}

// files serves what the recording downloaded, and lets the requests name this server.
func (p *player) files(t *testing.T, recorded string) {
	t.Helper()
	d := qcow2(10<<20, false)
	d = append(d, make([]byte, max(0, 196616-len(d)))...)
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/f.iso":
			w.Header().Set("Content-Type", "application/x-iso9660-image")
			_, _ = w.Write(make([]byte, 2048))
		case "/d.qcow2":
			w.Header().Set("Content-Type", "application/octet-stream")
			w.Header().Set("Content-Length", "196616")
			_, _ = w.Write(d[:196616])
		case "/slow.iso":
			w.Header().Set("Content-Length", "100000000")
			w.Header()["Content-Type"] = nil
			w.WriteHeader(http.StatusOK)
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		default:
			connection, _, err := w.(http.Hijacker).Hijack() // for a reason of its own
			if err == nil {
				_, _ = connection.Write([]byte("HTTP/1.0 404 File not found\r\nContent-Length: 0\r\n\r\n"))
				_ = connection.Close()
			}
		}
	}))
	t.Cleanup(func() { web.CloseClientConnections(); web.Close() })
	p.names.of[recorded] = web.URL
	p.names.hosts = append(p.names.hosts, strings.TrimPrefix(recorded, "http://"), strings.TrimPrefix(web.URL, "http://"))
}

// qcow2 is the beginning of an image of a size, with what a guest boots from in its first cluster where it has one.
func qcow2(size int64, guest bool) []byte {
	const cluster = 64 << 10
	image := make([]byte, 3*cluster+8*int((size+(512<<20)-1)/(512<<20)))
	be := binary.BigEndian
	be.PutUint32(image, 0x514649fb)
	be.PutUint32(image[4:], 3)
	be.PutUint32(image[20:], 16)
	be.PutUint64(image[24:], uint64(size))
	be.PutUint32(image[36:], uint32((size+(512<<20)-1)/(512<<20)))
	be.PutUint64(image[40:], 3*cluster)
	be.PutUint64(image[48:], cluster)
	be.PutUint32(image[56:], 1)
	be.PutUint32(image[96:], 4)
	be.PutUint32(image[100:], 104)
	be.PutUint64(image[cluster:], 2*cluster)
	if !guest {
		return image
	}
	be.PutUint64(image[3*cluster:], 4*cluster|1<<63)
	image = append(image, make([]byte, 6*cluster-len(image))...)
	be.PutUint64(image[4*cluster:], 5*cluster|1<<63)
	copy(image[5*cluster:], GuestMarker)
	return image
}
