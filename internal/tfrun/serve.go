// Package tfrun runs the terraform (or tofu) command in tests, with the provider
// served from the test's own process. It is for what the plugin test framework
// leaves out: whole directories with modules and override files, provider
// blocks with aliases, and interrupts.
package tfrun

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
	"github.com/hashicorp/terraform-plugin-framework/providerserver"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6/tf6server"

	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/provider"
)

// addresses are the provider's, as Terraform and OpenTofu complete it.
var addresses = []string{
	"registry.terraform.io/virtrigaud/virtrigaud",
	"registry.opentofu.org/virtrigaud/virtrigaud",
}

// binary is the command to run. Like all acceptance tests, these run only where
// TF_ACC is set, and then must run.
func binary(t *testing.T) string {
	t.Helper()
	if os.Getenv("TF_ACC") == "" {
		t.Skip("acceptance tests run only with TF_ACC set")
	}
	if path := os.Getenv("TF_ACC_TERRAFORM_PATH"); path != "" {
		return path
	}
	for _, name := range []string{"terraform", "tofu"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Fatal("neither terraform nor tofu is on PATH; name one with TF_ACC_TERRAFORM_PATH")
	return ""
}

// serve offers the provider to commands until the test ends, and returns the
// value of TF_REATTACH_PROVIDERS that makes them use it.
func serve(t *testing.T) string {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	config, closed, done := make(chan *plugin.ReattachConfig), make(chan struct{}), make(chan error, 1)
	p := provider.New("test")
	go func() {
		done <- tf6server.Serve(addresses[0], providerserver.NewProtocol6(p),
			tf6server.WithDebug(ctx, config, closed), tf6server.WithLoggingSink(t), tf6server.WithoutLogStderrOverride(),
			tf6server.WithGoPluginLogger(hclog.NewNullLogger()))
	}()
	t.Cleanup(func() {
		cancel()
		<-closed
		if err := <-done; err != nil {
			t.Errorf("the provider's server: %v", err)
		}
		if err := p.Close(); err != nil {
			t.Errorf("closing the provider: %v", err)
		}
	})
	select {
	case c := <-config:
		return reattach(t, c)
	case <-time.After(30 * time.Second):
		t.Fatal("the provider's server did not start")
	}
	return ""
}

func reattach(t *testing.T, c *plugin.ReattachConfig) string {
	t.Helper()
	type address struct{ Network, String string }
	type server struct {
		Protocol        string
		ProtocolVersion int
		Pid             int
		Test            bool
		Addr            address
	}
	servers := map[string]server{}
	for _, a := range addresses {
		servers[a] = server{
			Protocol: string(c.Protocol), ProtocolVersion: c.ProtocolVersion, Pid: c.Pid, Test: true,
			Addr: address{Network: c.Addr.Network(), String: c.Addr.String()},
		}
	}
	text, err := json.Marshal(servers)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
