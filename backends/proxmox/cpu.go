package proxmox

import (
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/proxmox/vmconf"
)

// cpu sets processors. Those that can be added to a running VM are counted in cores, which is the maximum then, and
// vcpus, which is what the guest has.
func (e *edit) cpu() error {
	if err := e.checkCPU(); err != nil {
		return err
	}
	have, want := e.from.CPU, e.to.CPU
	hot := e.asked.CPU.HotAdd
	if grows := e.asked.CPU.MaxCores != nil || e.asked.CPU.Cores != nil; grows && value(want.MaxCores) > max(value(want.Cores), 1) {
		if hot != nil && !*hot {
			return invalid("cpu.max_cores", "processors up to cpu.max_cores are added while the VM runs, which cpu.hot_add = false forbids")
		}
		hot = new(true)
	}
	e.hotplug("cpu", hot, "cpu.hot_add")
	e.topology(have, want)
	if err := e.model(); err != nil {
		return err
	}
	if err := e.limitMHz(); err != nil {
		return err
	}
	if changed(have.Shares, want.Shares) {
		e.set("cpuunits", positive(*want.Shares), "cpu.shares")
	}
	if changed(have.Affinity, want.Affinity) {
		e.set("affinity", *want.Affinity, "cpu.affinity")
	}
	return nil
}

// positive is a number, or "" for 0, which takes a key away.
func positive(n int64) string {
	if n == 0 {
		return ""
	}
	return strconv.FormatInt(n, 10)
}

func (e *edit) topology(have, want backends.CPU) {
	same := !changed(have.Cores, want.Cores) && !changed(have.Sockets, want.Sockets) && !changed(have.MaxCores, want.MaxCores)
	if same && (have.MaxCores == nil || want.MaxCores != nil) {
		return
	}
	sockets, cores := max(value(want.Sockets), 1), max(value(want.Cores), 1)
	if sockets != e.cfg.IntOr("sockets", 1) {
		e.set("sockets", strconv.FormatInt(sockets, 10), "cpu.sockets")
	}
	most, vcpus := cores, ""
	if want.MaxCores != nil {
		most = max(*want.MaxCores, cores)
		vcpus = strconv.FormatInt(sockets*cores, 10)
	}
	e.set("cores", strconv.FormatInt(most, 10), "cpu.cores")
	e.set("vcpus", vcpus, "cpu.cores")
}

var cpuSet = regexp.MustCompile(`^\d+(-\d+)?(,\d+(-\d+)?)*$`)

func (e *edit) checkCPU() error {
	have, want := e.from.CPU, e.to.CPU
	switch {
	case value(want.Threads) > 1:
		return invalid("cpu.threads", "processors of Proxmox VE's VMs have one thread each")
	case want.Cores != nil && *want.Cores < 1:
		return invalid("cpu.cores", "a VM needs at least one core")
	case want.Sockets != nil && *want.Sockets < 1:
		return invalid("cpu.sockets", "a VM needs at least one socket")
	case changed(have.MaxCores, want.MaxCores) && *want.MaxCores < value(want.Cores):
		return invalid("cpu.max_cores", "a maximum of %d is below the %d cores that the VM has", *want.MaxCores, *want.Cores)
	case changed(have.Shares, want.Shares) && (*want.Shares < 0 || *want.Shares > maxShares):
		return invalid("cpu.shares", "%d is no weight that Proxmox VE takes: 1 to %d, or 0 for its own", *want.Shares, maxShares)
	case changed(have.Affinity, want.Affinity) && *want.Affinity != "" && !cpuSet.MatchString(*want.Affinity):
		return invalid("cpu.affinity", `%q is no list of processors such as "0-3,8"`, *want.Affinity)
	}
	return nil
}

// maxShares is the largest value of cpuunits that is kept: of more, which the API takes, control groups of version 2 make this.
const maxShares = 10000

// portableModels are the seam's names of models.
var portableModels = map[string]string{"host-passthrough": "host", "host-model": "max"}

// model sets the processor's model; its flags stay. Nested virtualization needs the host's own processor.
func (e *edit) model() error {
	cpu := e.next.CPU()
	if changed(e.from.CPU.Model, e.asked.CPU.Model) {
		model := *e.asked.CPU.Model
		for name, own := range portableModels {
			if model == own { // one thing has one name, or each plan would find another
				return invalid("cpu.model", "%q is called %q here", model, name)
			}
		}
		if own, ok := portableModels[model]; ok {
			model = own
		}
		cpu = cpu.WithType(model)
	}
	if nested := e.asked.NestedVirtualization; nested != nil {
		model := e.asked.CPU.Model
		switch {
		case *nested && !nests(cpu):
			if model != nil {
				return invalid("nested_virtualization", `the processor %q does not virtualize: leave cpu.model out, or make it "host-passthrough"`, *model)
			}
			cpu = cpu.WithType("host")
		case !*nested && nests(cpu) && (e.creating() || value(e.from.NestedVirtualization) || model != nil):
			if model != nil {
				return invalid("nested_virtualization", "the processor %q is the host's, with what it can virtualize: leave cpu.model out, or name another", *model)
			}
			cpu = cpu.WithType("")
		}
	}
	if cpu.Type() == "host" && !e.next.Bool("kvm", true) {
		path := backends.Path("cpu.model")
		if e.asked.CPU.Model == nil && e.asked.NestedVirtualization != nil {
			path = "nested_virtualization"
		}
		return invalid(path, "the host's processor cannot be emulated, which the option kvm asks for")
	}
	if text := cpu.Text(); text != e.next.CPU().Text() {
		e.set("cpu", text, "cpu.model")
	}
	return nil
}

// nests reports whether a processor has what a hypervisor in the guest needs.
func nests(cpu vmconf.CPU) bool {
	flags := cpu.Flags()
	switch cpu.Type() {
	case "host", "max":
		return !slices.Contains(flags, "-nested-virt") && !slices.Contains(flags, "-vmx") && !slices.Contains(flags, "-svm")
	}
	return slices.Contains(flags, "+nested-virt") || slices.Contains(flags, "+vmx") || slices.Contains(flags, "+svm")
}

// maxCPULimit is the largest value of cpulimit.
const maxCPULimit = 128

// limitMHz writes a limit as a share of one of the node's processors, in hundredths.
func (e *edit) limitMHz() error {
	want := e.asked.CPU.LimitMHz
	if !changed(e.from.CPU.LimitMHz, want) {
		return nil
	}
	const path = backends.Path("cpu.limit_mhz")
	switch {
	case *want == 0:
		e.mark.LimitMHz, e.mark.Limit = 0, ""
		if e.next["cpulimit"] != "" {
			e.set("cpulimit", "", path)
		}
		return nil
	case *want < 0:
		return invalid(path, "%d is less than 0, which is none", *want)
	case e.World.MHz <= 0:
		return backends.Errorf(backends.Precondition, "", "", "the node does not tell how fast its processors are, of which a limit is a share").At(path)
	}
	share := max(math.Round(float64(*want)/float64(e.World.MHz)*100), 1) / 100
	if share > maxCPULimit {
		return invalid(path, "%d MHz are more than %d processors of %d MHz, which is the most that Proxmox VE can limit to: 0 is no limit", *want, maxCPULimit, e.World.MHz)
	}
	e.mark.LimitMHz, e.mark.Limit = *want, vmconf.Rational(share, 2)
	e.set("cpulimit", e.mark.Limit, path)
	return nil
}

func (h *hardware) observeCPU(w world, s *backends.VMSpec) {
	c := h.Config
	sockets, cores := max(c.IntOr("sockets", 1), 1), max(c.IntOr("cores", 1), 1)
	s.CPU = backends.CPU{
		Sockets: &sockets, Cores: &cores, Threads: new(int64(1)),
		HotAdd: new(slices.Contains(c.Hotplug(), "cpu")),
		Shares: new(c.IntOr("cpuunits", 0)), LimitMHz: h.observeLimit(w), Affinity: new(strings.TrimSpace(c["affinity"])),
	}
	if vcpus := c.IntOr("vcpus", 0); vcpus > 0 {
		s.CPU.MaxCores = new(cores)
		if vcpus%sockets == 0 && vcpus/sockets <= cores {
			s.CPU.Cores = new(vcpus / sockets)
		}
	}
	cpu := c.CPU()
	model := cpu.Type()
	for name, own := range portableModels {
		if own == model {
			model = name
		}
	}
	if model == "" {
		model = "kvm64"
	}
	s.CPU.Model = &model
	s.NestedVirtualization = new(nests(cpu))
}

// observeLimit tells the limit as it was asked for, as long as Proxmox VE has what was made of that. A limit that was made elsewhere is a share of
// a clock: where that is not known, what it is in MHz is not known either, other than that it is not what was asked for.
func (h *hardware) observeLimit(w world) *int64 {
	switch have := h.limit(); {
	case have == 0:
		return new(int64(0))
	case h.limitAsked(have):
		return new(h.marked().LimitMHz)
	case w.MHz > 0:
		return new(int64(math.Round(have * float64(w.MHz))))
	case h.marked().LimitMHz > 0:
		return new(int64(0))
	}
	return nil
}

// limit is the share of a processor that the VM is limited to, 0 for none.
func (h *hardware) limit() float64 {
	have, err := strconv.ParseFloat(strings.TrimSpace(h.Config["cpulimit"]), 64)
	if err != nil || !(have > 0 && have <= maxCPULimit) {
		return 0
	}
	return have
}

// limitAsked reports whether a share is what was made of the limit that was asked for.
func (h *hardware) limitAsked(have float64) bool {
	made, err := strconv.ParseFloat(h.marked().Limit, 64)
	return h.marked().LimitMHz > 0 && err == nil && made == have
}
