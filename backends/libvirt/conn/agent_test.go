package conn

import (
	"net"
	"path/filepath"
	"sync"
	"testing"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"

	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/libvirtlab"
)

// agentOf starts an SSH agent with the client keys of some servers, and gives its socket.
func agentOf(t *testing.T, servers ...*libvirtlab.SSHServer) string {
	t.Helper()
	keys := agent.NewKeyring()
	for _, s := range servers {
		key, err := ssh.ParseRawPrivateKey([]byte(read(t, s.ClientKeyFile)))
		if err != nil {
			t.Fatal(err)
		}
		if err := keys.Add(agent.AddedKey{PrivateKey: key}); err != nil {
			t.Fatal(err)
		}
	}
	socket := filepath.Join(t.TempDir(), "agent")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			_ = agent.ServeAgent(keys, c)
			_ = c.Close()
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		serving.Wait()
	})
	return socket
}
