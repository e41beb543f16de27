package pvesim

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// runningVM is VM 900, without a guest.
func runningVM(t *testing.T, s *Server, config map[string]string) *machine {
	t.Helper()
	m := guestVM(t, s, false, config)
	m.power(s, true)
	return m
}

// webSocket asks for an upgrade and returns the answer and what comes after it.
func webSocket(t *testing.T, c *client, query url.Values, header map[string]string) (*http.Response, *bufio.Reader, io.Closer) {
	t.Helper()
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM([]byte(c.s.CACertificate()))
	u, err := url.Parse(c.s.URL())
	if err != nil {
		t.Fatal(err)
	}
	d := tls.Dialer{Config: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}}
	conn, err := d.DialContext(t.Context(), "tcp", u.Host)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	h, err := http.NewRequestWithContext(t.Context(), "GET", c.s.URL()+prefix+"/nodes/pve1/qemu/900/vncwebsocket?"+query.Encode(), nil)
	if err != nil {
		t.Fatal(err)
	}
	h.Header = c.header.Clone()
	for k, v := range header {
		h.Header.Set(k, v)
	}
	if err := h.Write(conn); err != nil {
		t.Fatal(err)
	}
	b := bufio.NewReader(conn)
	answer, err := http.ReadResponse(b, h)
	if err != nil {
		t.Fatal(err)
	}
	return answer, b, conn
}

var upgradeHeaders = map[string]string{
	"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Protocol": "binary", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}

// consoleExit waits until the task of a console has ended and returns how.
func consoleExit(t *testing.T, s *Server, upid string) string {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); <-time.After(time.Millisecond) {
		s.mu.Lock()
		exit := s.tasks.byUPID[upid].exit
		s.mu.Unlock()
		if exit != "" {
			return exit
		}
	}
	t.Fatal("the console's task does not end")
	return ""
}

func TestConsoleSocket(t *testing.T) {
	for _, version := range []int{8, 9} {
		s := Start(t, Options{Version: version})
		c := newClient(t, s)
		runningVM(t, s, nil)
		a := c.want(200, "OK", "POST", "/nodes/pve1/qemu/900/vncproxy", "websocket=1&generate-password=1")
		text := func(key string) string { v, _ := field(a.body, "data", key).(string); return v }
		if text("port") != "5900" || text("user") != "root@pam!tf" || text("cert") != s.CACertificate() {
			t.Errorf("the ticket: %v", a.body)
		}
		if p := text("password"); len(p) != 8 || !strings.HasPrefix(text("ticket"), p+":PVEVNC:") {
			t.Errorf("password %q of ticket %s", p, text("ticket"))
		}
		query := url.Values{"port": {"5900"}, "vncticket": {text("ticket")}}

		answer, _, _ := webSocket(t, c, url.Values{"port": {"5900"}, "vncticket": {"bad"}}, upgradeHeaders)
		if answer.StatusCode != 401 {
			t.Errorf("a wrong ticket: %s", answer.Status)
		}
		answer, _, _ = webSocket(t, c, query, map[string]string{"Upgrade": "websocket", "Connection": "Upgrade"})
		if answer.StatusCode == 101 {
			t.Errorf("half a request for a WebSocket: %s", answer.Status)
		}
		answer, rest, conn := webSocket(t, c, query, upgradeHeaders)
		if answer.StatusCode != 101 || answer.Header.Get("Sec-WebSocket-Accept") != "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" {
			t.Fatalf("the upgrade: %s %v", answer.Status, answer.Header)
		}
		frame := make([]byte, 14)
		if _, err := io.ReadFull(rest, frame); err != nil || string(frame) != "\x82\x0cRFB 003.008\n" {
			t.Errorf("the greeting: %q, %v", frame, err)
		}
		_ = conn.Close()
		if exit := consoleExit(t, s, text("upid")); exit != "OK" {
			t.Errorf("the task ends with %s", exit)
		}
		c.want(501, "Method 'GET /nodes/pve1/qemu/900/vncproxy' not implemented", "GET", "/nodes/pve1/qemu/900/vncproxy", "")
	}
}

// A server that closes takes its consoles along, whoever looks at them.
func TestConsoleEndsWithServer(t *testing.T) {
	s := Start(t, Options{})
	c := newClient(t, s)
	runningVM(t, s, nil)
	a := c.want(200, "OK", "POST", "/nodes/pve1/qemu/900/vncproxy", "")
	ticket, _ := field(a.body, "data", "ticket").(string)
	_, rest, _ := webSocket(t, c, url.Values{"port": {"5900"}, "vncticket": {ticket}}, upgradeHeaders)
	s.Close()
	if _, err := io.Copy(io.Discard, rest); err != nil {
		t.Logf("the connection: %v", err)
	}
}

func TestOtherConsoles(t *testing.T) {
	s := Start(t, Options{})
	c := newClient(t, s)
	m := runningVM(t, s, nil)
	const path = "/nodes/pve1/qemu/900/"
	c.want(500, "no spice port", "POST", path+"spiceproxy", "")
	c.want(500, "Timeout while waiting for port '5900' to get ready!", "POST", path+"termproxy", "")
	s.mu.Lock()
	m.config["vga"], m.config["serial0"] = "qxl,memory=32", "socket"
	s.mu.Unlock()
	a := c.want(200, "OK", "POST", path+"spiceproxy", "")
	if field(a.body, "data", "type") != "spice" || field(a.body, "data", "password") == "" {
		t.Errorf("SPICE: %v", a.body)
	}
	a = c.want(200, "OK", "POST", path+"termproxy", "")
	if ticket, _ := field(a.body, "data", "ticket").(string); !strings.HasPrefix(ticket, ":PVEVNC:") {
		t.Errorf("the terminal: %v", a.body)
	}
	a = c.want(200, "OK", "POST", path+"vncproxy", "")
	if field(a.body, "data", "port") != "5901" {
		t.Errorf("a port that is taken was given again: %v", a.body)
	}
	c.want(200, "OK", "PUT", path+"sendkey", "key=ctrl-alt-delete")
	c.want(400, "Bad Request", "PUT", path+"sendkey", "key=bogus")
	c.want(500, "value 'root@pam!tf' does not look like a valid user name", "POST", "/nodes/pve1/termproxy", "")
	m.power(s, false)
	c.want(500, "VM 900 not running", "POST", path+"spiceproxy", "")
	c.want(500, "Timeout while waiting for port '5902' to get ready!", "POST", path+"termproxy", "")
	a = c.want(200, "OK", "GET", path+"rrddata", "timeframe=hour")
	if points, _ := a.body["data"].([]any); len(points) != 70 {
		t.Errorf("%d points", len(points))
	}
}
