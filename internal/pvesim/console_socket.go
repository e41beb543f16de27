package pvesim

import (
	"crypto/sha1" //nolint:gosec // What WebSocket takes for its handshake.
	"encoding/base64"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
)

// upgrade checks what a WebSocket asks for and answers it. The client of a screen is greeted as a VNC server does, and
// then nothing more happens until it goes. It is called with mu held.
func (k *console) upgrade(r *request) (any, error) {
	h := r.http.Header
	switch version := h.Get("Sec-WebSocket-Version"); {
	case version != "13":
		return nil, die("unsupported websocket version '%s'", version)
	case h.Get("Sec-WebSocket-Protocol") == "":
		return nil, die("missing websocket-protocol header")
	case h.Get("Sec-WebSocket-Key") == "":
		return nil, die("missing websocket-key")
	}
	protocols := strings.FieldsFunc(h.Get("Sec-WebSocket-Protocol"), func(c rune) bool { return c == ',' || c == ' ' })
	if !slices.Contains(protocols, "binary") {
		return nil, die("websocket protocol '%s' not supported", h.Get("Sec-WebSocket-Protocol"))
	}
	k.hasConnection = true
	close(k.connected)
	sum := sha1.Sum([]byte(h.Get("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11")) //nolint:gosec // As above.
	accept := base64.StdEncoding.EncodeToString(sum[:])
	done := r.cluster.ctx.Done()
	return rawAnswer(func(w http.ResponseWriter, _ *http.Request) {
		defer close(k.gone)
		c, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer c.Close()
		stop := closeWith(c, done)
		defer stop()
		greeting := ""
		if !k.terminal {
			const text = "RFB 003.008\n"
			greeting = "\x82" + string(rune(len(text))) + text
		}
		_, err = io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n"+
			"Sec-WebSocket-Accept: "+accept+"\r\nSec-WebSocket-Protocol: binary\r\n\r\n"+greeting)
		if err == nil {
			_, _ = io.Copy(io.Discard, c)
		}
	}), nil
}

// closeWith closes a connection when done is; stop ends the wait.
func closeWith(c net.Conn, done <-chan struct{}) (stop func()) {
	over, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		select {
		case <-done:
			_ = c.Close()
		case <-over:
		}
	}()
	return func() { close(over); <-ended }
}
