// Command pvesim serves a simulated Proxmox VE for people without one: it prints the provider block to paste and
// runs until it is interrupted.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/netip"
	"net/url"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/pvesim"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // who interrupts it again is in a hurry

	err := run(ctx, os.Args[1:], os.Stdout)

	stop()

	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "pvesim:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	var (
		o     pvesim.Options
		nodes string
		ca    string
		flags = flag.NewFlagSet("pvesim", flag.ContinueOnError)
	)

	flags.StringVar(&o.Listen, "listen", "127.0.0.1:8006", "address to listen on, such as 127.0.0.1:0 for a free port")
	flags.StringVar(&nodes, "nodes", "pve1", "names of the nodes, with commas between")
	flags.IntVar(&o.Version, "version", 8, "version of Proxmox VE: 8 or 9")
	flags.IntVar(&o.VMs, "vms", 0, "how many more VMs there are")
	flags.DurationVar(&o.Delay, "delay", 0, "how much longer each request takes")
	flags.DurationVar(&o.Jitter, "jitter", 0, "how much longer each request takes at random")
	flags.DurationVar(&o.TaskTime, "task-time", 0, "how long each task takes")
	flags.DurationVar(&o.StatsLag, "stats-lag", 10*time.Second, "how old what lists of resources show can be")
	flags.BoolVar(&o.Examples, "examples", true, "begin with a template, a pool, a storage of thick disks and mapped devices")
	flags.BoolVar(&o.Guests, "guests", true, "pretend a guest in every VM, whatever its image is")
	flags.StringVar(&ca, "ca", "", "file to write the certificate of the authority to")

	flags.SetOutput(io.Discard) // what is wrong is said once, by who calls

	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		flags.SetOutput(out)
		flags.Usage()

		return err
	case err != nil:
		return fmt.Errorf("%w; -help lists the flags", err)
	case flags.NArg() > 0:
		return fmt.Errorf("unexpected argument %q; -help lists the flags", flags.Arg(0))
	case o.VMs < 0 || o.Delay < 0 || o.Jitter < 0 || o.TaskTime < 0 || o.StatsLag < 0:
		return errors.New("numbers and durations cannot be less than 0")
	}

	o.Nodes = strings.FieldsFunc(nodes, func(r rune) bool { return r == ',' || r == ' ' })

	s, err := pvesim.New(o) //nolint:contextcheck // it lives until it is closed
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

// endpoint is where the server is for a client on this machine: one that listens on all addresses is on loopback, too.
func endpoint(s *pvesim.Server) string {
	u, err := url.Parse(s.URL())
	if err != nil {
		return s.URL()
	}

	if ip, err := netip.ParseAddr(u.Hostname()); err == nil && ip.IsUnspecified() {
		u.Host = net.JoinHostPort("127.0.0.1", u.Port())
	}

	return u.String()
}

// block returns the provider's configuration for the server, and below it, in comments, the environment that says the same.
func block(s *pvesim.Server) string {
	var b strings.Builder

	b.WriteString("provider \"virtrigaud\" {\n  proxmox = {\n")

	for _, l := range [][2]string{
		{"endpoint", endpoint(s)},
		{"api_token", s.Token()},
		{"fingerprint", s.Fingerprint()},
		{"storage", "local-lvm"},
		{"image_storage", "local"},
		{"bridge", "vmbr0"},
	} {
		fmt.Fprintf(&b, "    %-13s = %q\n", l[0], l[1])
	}

	b.WriteString("  }\n}\n\n# Or without the block, by the environment:\n")

	for _, l := range [][2]string{
		{"ENDPOINT", endpoint(s)},
		{"API_TOKEN", s.Token()},
		{"FINGERPRINT", s.Fingerprint()},
	} {
		fmt.Fprintf(&b, "# export PROXMOX_VE_%s='%s'\n", l[0], l[1])
	}

	return b.String()
}
