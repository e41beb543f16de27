package provider

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/middleware"
)

// The defaults of what the configuration leaves out.
const (
	defaultParallel       = 16
	defaultRequestTimeout = time.Minute
)

// model is the provider block.
type model struct {
	Libvirt               *libvirtModel `tfsdk:"libvirt"`
	VSphere               *vsphereModel `tfsdk:"vsphere"`
	Proxmox               *proxmoxModel `tfsdk:"proxmox"`
	Mock                  *mockModel    `tfsdk:"mock"`
	MaxParallelOperations *int64        `tfsdk:"max_parallel_operations"`
	RequestTimeout        *string       `tfsdk:"request_timeout"`
}

// settings are what block and environment together say.
type settings struct {
	kind        backends.Kind
	maxParallel int
	timeout     time.Duration
	driver      func(context.Context) (backends.Backend, error)
}

// open connects, with retries, limits and joined reads around the driver.
func (s settings) open(ctx context.Context) (backends.Backend, error) {
	b, err := middleware.Open(ctx, s.driver)
	if err != nil {
		return nil, err
	}
	return middleware.Wrap(b, middleware.Options{MaxParallel: s.maxParallel, ReadTimeout: s.timeout, Trace: trace, ReadAhead: true}), nil
}

// lookup is an environment: the value of a variable, "" where it is not set.
type lookup func(name string) string

func environment(name string) string { return os.Getenv(name) }

// resolve completes the block from the environment. It connects to nothing.
func (m model) resolve(env lookup) (settings, *problem) {
	kind, bad := m.choose(env)
	if bad != nil {
		return settings{}, bad
	}
	r := &resolver{env: env}
	s := settings{kind: kind}
	s.maxParallel = int(r.integer(m.MaxParallelOperations, "VIRTRIGAUD_MAX_PARALLEL_OPERATIONS", defaultParallel))
	s.timeout = r.duration(m.RequestTimeout, "VIRTRIGAUD_REQUEST_TIMEOUT", defaultRequestTimeout)
	switch kind {
	case backends.Libvirt:
		s.driver = m.Libvirt.resolve(r)
	case backends.VSphere:
		s.driver = m.VSphere.resolve(r)
	case backends.Proxmox:
		s.driver = m.Proxmox.resolve(r)
	default:
		s.driver = m.Mock.resolve(r)
	}
	return s, r.bad
}

// choose says which hypervisor is meant.
func (m model) choose(env lookup) (backends.Kind, *problem) {
	var set []backends.Kind
	for _, block := range []struct {
		kind backends.Kind
		set  bool
	}{{backends.Libvirt, m.Libvirt != nil}, {backends.VSphere, m.VSphere != nil}, {backends.Proxmox, m.Proxmox != nil}, {backends.Mock, m.Mock != nil}} {
		if block.set {
			set = append(set, block.kind)
		}
	}
	switch len(set) {
	case 0:
		return chooseByEnvironment(env)
	case 1:
		return set[0], nil
	}
	return "", &problem{summary: "More than one hypervisor", detail: fmt.Sprintf("%s and %s are both set; a provider block has exactly one.", set[0], set[1])}
}

// chooseByEnvironment says which hypervisor is meant where there is no block.
func chooseByEnvironment(env lookup) (backends.Kind, *problem) {
	known := []backends.Kind{backends.Libvirt, backends.VSphere, backends.Proxmox, backends.Mock}
	named := backends.Kind(env("VIRTRIGAUD_BACKEND"))
	var kinds []backends.Kind
	var variables []string
	for _, own := range []struct {
		kind     backends.Kind
		variable string
	}{{backends.Libvirt, "LIBVIRT_DEFAULT_URI"}, {backends.VSphere, vsphereServer}, {backends.Proxmox, proxmoxEndpoint}} {
		if env(own.variable) != "" {
			kinds, variables = append(kinds, own.kind), append(variables, own.variable)
		}
	}
	switch {
	case slices.Contains(known, named):
		return named, nil
	case named != "":
		return "", &problem{summary: "Unknown hypervisor", detail: fmt.Sprintf("VIRTRIGAUD_BACKEND is %q; it must be one of %v.", named, known)}
	case len(kinds) > 1:
		return "", &problem{
			summary: "More than one hypervisor",
			detail:  strings.Join(variables, " and ") + " are set. Name the one that is meant in the provider block, or in VIRTRIGAUD_BACKEND.",
		}
	case len(kinds) == 1:
		return kinds[0], nil
	}
	return "", &problem{
		summary: "No hypervisor is configured",
		detail:  `Set one of libvirt, vsphere, proxmox and mock in the provider block, such as libvirt = { uri = "qemu:///system" }, or the environment variable VIRTRIGAUD_BACKEND.`,
	}
}

// problem is a mistake in the configuration.
type problem struct {
	at      path.Path
	summary string
	detail  string
}

func (p *problem) add(diags *diag.Diagnostics) {
	if p.at.Equal(path.Empty()) {
		diags.AddError(p.summary, p.detail)
		return
	}
	diags.AddAttributeError(p.at, p.summary, p.detail)
}

// resolver reads values, from the block first, then from the environment. It
// remembers the first value that makes no sense.
type resolver struct {
	env lookup
	bad *problem
}

func (r *resolver) text(block *string, variable string) string {
	if block != nil {
		return *block
	}
	return r.env(variable)
}

// required is text without which a block makes no sense.
func (r *resolver) required(value *string, block, name, variable string) string {
	s := r.text(value, variable)
	if s == "" && r.bad == nil {
		r.bad = &problem{
			at: path.Root(block).AtName(name), summary: "Missing setting",
			detail: fmt.Sprintf("%s.%s is not set. Set it in the provider block, or the environment variable %s.", block, name, variable),
		}
	}
	return s
}

// contradiction refuses what a certificate is verified by beside the wish not to verify it.
func (r *resolver) contradiction(block string, insecure bool, flag, name, value, variable string) {
	if insecure && value != "" && r.bad == nil {
		r.bad = &problem{
			at: path.Root(block).AtName(name), summary: "Contradictory settings",
			detail: fmt.Sprintf("%[1]s.insecure (or %[2]s) turns off the verification of certificates, and %[1]s.%[3]s (or %[4]s) says what they are verified by. Leave one of them out.",
				block, flag, name, variable),
		}
	}
}

func (r *resolver) integer(block *int64, variable string, otherwise int64) int64 {
	if block != nil {
		return *block
	}
	return fromEnv(r, variable, otherwise, "a whole number, at least 0", func(s string) (int64, error) {
		n, err := strconv.ParseUint(s, 10, 31)
		return int64(n), err
	})
}

func (r *resolver) flag(block *bool, variable string) bool {
	if block != nil {
		return *block
	}
	return fromEnv(r, variable, false, "true or false", strconv.ParseBool)
}

func (r *resolver) duration(block *string, variable string, otherwise time.Duration) time.Duration {
	if block != nil {
		if d, err := time.ParseDuration(*block); err == nil { // the schema has refused others
			return d
		}
	}
	return fromEnv(r, variable, otherwise, `a duration such as "30s"`, func(s string) (time.Duration, error) {
		return time.ParseDuration(s)
	})
}

func fromEnv[T any](r *resolver, variable string, otherwise T, want string, parse func(string) (T, error)) T {
	s := r.env(variable)
	if s == "" {
		return otherwise
	}
	v, err := parse(s)
	if err != nil {
		if r.bad == nil {
			r.bad = &problem{summary: "Invalid environment variable", detail: fmt.Sprintf("%s must be %s, not %q.", variable, want, s)}
		}
		return otherwise
	}
	return v
}
