package pvesim

import (
	"bytes"
	"context"
	"net"
	"net/http"
	"strings"
	"sync"
)

// Proxmox VE puts its messages into the reason phrase, and has statuses such as 595 that net/http cannot name. A
// lineConn writes the reason of the answer at hand in place of net/http's.
type lineConn struct {
	net.Conn
	mu     sync.Mutex
	reason string
}

type lineListener struct{ net.Listener }

func (l lineListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &lineConn{Conn: c}, nil
}

type lineKey struct{}

func withLine(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, lineKey{}, c)
}

// setReason gives the answer to the request a reason phrase; it has to precede WriteHeader.
func setReason(r *http.Request, reason string) {
	if c, ok := r.Context().Value(lineKey{}).(*lineConn); ok {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.reason = reason
	}
}

// Write replaces the reason phrase where b begins an answer that has one of its own. net/http flushes answer by
// answer, so that an answer begins where a write does.
func (c *lineConn) Write(b []byte) (int, error) {
	c.mu.Lock()
	reason := c.reason
	line, rest, whole := bytes.Cut(b, []byte("\r\n"))
	begins := reason != "" && whole && bytes.HasPrefix(line, []byte("HTTP/1.")) && !bytes.HasPrefix(line, []byte("HTTP/1.1 100 "))
	if begins {
		c.reason = ""
	}
	c.mu.Unlock()
	if !begins {
		return c.Conn.Write(b)
	}
	parts := strings.SplitN(string(line), " ", 3)
	out := append([]byte(parts[0]+" "+parts[1]+" "+reason+"\r\n"), rest...)
	if n, err := c.Conn.Write(out); err != nil {
		return min(n, len(b)), err
	}
	return len(b), nil
}
