// Command vcsim serves a simulated vSphere for people without a vCenter: it
// prints the provider block to paste and runs until it is interrupted.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/vcsim"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout)

	stop()

	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "vcsim:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	var (
		o     vcsim.Options
		ca    string
		flags = flag.NewFlagSet("vcsim", flag.ContinueOnError)
	)

	flags.StringVar(&o.Listen, "listen", "127.0.0.1:8989", "address to listen on, such as 127.0.0.1:0 for a free port")
	flags.BoolVar(&o.ESXi, "esxi", false, "simulate a stand-alone host instead of a vCenter")
	flags.DurationVar(&o.Delay, "delay", 0, "how much longer each call takes")
	flags.DurationVar(&o.Jitter, "jitter", 0, "how much longer each call takes at random")
	flags.DurationVar(&o.TaskTime, "task-time", 0, "how long each task takes")
	flags.IntVar(&o.VMs, "vms", 0, "how many more virtual machines there are")
	flags.BoolVar(&o.Guests, "guests", true, "pretend a guest on every machine that has a disk, whatever its image is")
	flags.BoolVar(&o.Lax, "lax", false, "leave govmomi's simulator as it is")
	flags.StringVar(&ca, "ca", "", "file to write the certificate of the authority to")

	if err := flags.Parse(args); err != nil {
		return err
	}

	if flags.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}

	s, err := vcsim.New(o) //nolint:contextcheck // it lives until it is closed
	if err != nil {
		return err
	}
	defer s.Close()

	if ca != "" {
		if err := os.WriteFile(ca, []byte(s.CACertificate()), 0o600); err != nil {
			return err
		}
	}

	if _, err := io.WriteString(out, block(s)); err != nil {
		return err
	}

	<-ctx.Done()

	return nil
}

// block returns the provider's configuration for the server.
func block(s *vcsim.Server) string {
	lines := [][2]string{
		{"endpoint", s.Endpoint()},
		{"username", s.Username()},
		{"password", s.Password()},
		{"thumbprint", s.Thumbprint()},
		{"datacenter", s.Seed.Datacenter},
	}

	if len(s.Seed.Clusters) > 0 {
		lines = append(lines, [2]string{"cluster", s.Seed.Clusters[0]})
	}

	lines = append(lines, [2]string{"datastore", s.Seed.Datastores[0]}, [2]string{"network", s.Seed.Network})

	var b strings.Builder

	b.WriteString("provider \"virtrigaud\" {\n  vsphere = {\n")

	for _, l := range lines {
		fmt.Fprintf(&b, "    %-10s = %q\n", l[0], l[1])
	}

	b.WriteString("  }\n}\n")

	return b.String()
}
