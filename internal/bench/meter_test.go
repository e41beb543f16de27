package bench

import (
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// meter passes connections on to a server and counts the bytes that it answers with, as they are on the wire.
type meter struct {
	url   string
	bytes atomic.Int64
}

// newMeter listens on a port of its own until the benchmark ends.
func newMeter(b *testing.B, url string) *meter {
	b.Helper()
	listener, err := (&net.ListenConfig{}).Listen(b.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	m := &meter{url: "https://" + listener.Addr().String()}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			serving.Go(func() { m.pass(b, client, strings.TrimPrefix(url, "https://")) })
		}
	})
	b.Cleanup(func() {
		listener.Close()
		serving.Wait()
	})
	return m
}

func (m *meter) pass(b *testing.B, client net.Conn, address string) {
	defer client.Close()
	server, err := (&net.Dialer{}).DialContext(b.Context(), "tcp", address)
	if err != nil {
		b.Error(err)
		return
	}
	var asking sync.WaitGroup
	asking.Go(func() {
		_, _ = io.Copy(server, client) // ends with either side
		server.Close()
	})
	_, _ = io.Copy(counting{client, &m.bytes}, server)
	client.Close()
	asking.Wait()
}

// counting is a writer that counts.
type counting struct {
	io.Writer
	bytes *atomic.Int64
}

func (c counting) Write(p []byte) (int, error) {
	n, err := c.Writer.Write(p)
	c.bytes.Add(int64(n))
	return n, err
}
