package libvirt

import (
	"strconv"
	"strings"
	"testing"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/libvirtlab"
)

// TestHardware asks a guest what it sees of memory that is plugged, nested virtualization, a watchdog
// and random numbers, and changes all of that.
func TestHardware(t *testing.T) {
	l := libvirtlab.Shared(t)
	b := openLab(t, l)
	id, spec := bootTiny(t, l, b, func(s *backends.VMSpec) {
		s.Memory = backends.Memory{SizeMiB: ptr(int64(256)), MaxMiB: ptr(int64(768)), HotAdd: ptr(true), LimitMiB: ptr(int64(640))}
		s.NestedVirtualization, s.Watchdog, s.RNG = ptr(true), ptr("none"), ptr(false)
	})
	sh := func(script string) string {
		t.Helper()
		r, err := b.GuestExec(t.Context(), id, backends.GuestCommand{Path: "/bin/sh", Args: []string{"-c", script}})
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimSpace(string(r.Stdout))
	}
	memory := func() int {
		mib, err := strconv.Atoi(sh("awk '/^MemTotal:/ { print int($2/1024) }' /proc/meminfo"))
		if err != nil {
			t.Fatal(err)
		}
		return mib
	}
	const i6300esb, virtioRNG = "0x25ab", "0x1044"
	devices := func() string { return sh("cat /sys/bus/pci/devices/*/device") }
	for _, c := range backends.Diff(&get(t, b, id).Config, spec) {
		t.Errorf("the next plan would %s", c)
	}
	if !strings.Contains(sh("grep -m1 flags /proc/cpuinfo"), " svm ") {
		t.Error("the guest's processor has no virtualization")
	}
	if d := devices(); !strings.Contains(d, i6300esb) || strings.Contains(d, virtioRNG) {
		t.Errorf("the guest sees the devices\n%s", d)
	}

	// Memory grows while the guest runs, in DIMMs.
	before := memory()
	spec.Memory.SizeMiB = ptr(int64(512))
	change(t, b, id, spec, backends.Live)
	if now := memory(); now < before+240 {
		t.Errorf("after 256 MiB more the guest has %d MiB instead of %d", now, before)
	}
	small := *spec
	small.Memory.SizeMiB = ptr(int64(520))
	from := get(t, b, id).Config
	for _, c := range backends.Diff(&from, &small) {
		if im := b.catalogue(t).ImpactOf(&from, &small, c); im.Effect != backends.EffectRestart || !strings.Contains(im.Reason, "128 MiB") {
			t.Errorf("to %s has the impact %+v", c, im)
		}
	}
	above := *spec
	above.Memory.SizeMiB = ptr(int64(768))
	err := b.Reconfigure(t.Context(), id, backends.Reconfiguration{Desired: &above, Changes: backends.Diff(&from, &above), Mode: backends.Live})
	if e := wantCode(t, err, backends.Invalid); e.Path != "memory.limit_mib" {
		t.Errorf("memory above its limit: %v", err)
	}

	// The next start merges the DIMMs, and a stopped VM takes any size.
	power(t, b, id, backends.PowerOff)
	power(t, b, id, backends.PowerOn)
	if text := l.Virsh(t, "dumpxml", "guest"); strings.Contains(text, "model='dimm'") {
		t.Error("the DIMMs still take slots after a restart")
	}
	for _, c := range backends.Diff(&get(t, b, id).Config, spec) {
		t.Errorf("after the restart the next plan would %s", c)
	}
	power(t, b, id, backends.PowerOff)
	spec.Memory = backends.Memory{SizeMiB: ptr(int64(300)), MaxMiB: ptr(int64(400)), HotAdd: ptr(false), Ballooning: ptr(false), LimitMiB: ptr(int64(0))}
	spec.Memory.MaxMiB = ptr(int64(300))
	spec.CPU = backends.CPU{Cores: ptr(int64(2)), MaxCores: ptr(int64(3))}
	spec.NestedVirtualization, spec.Watchdog, spec.RNG = ptr(false), ptr(""), ptr(true)
	change(t, b, id, spec, backends.Cold)
	power(t, b, id, backends.PowerOn)
	text := l.Virsh(t, "dumpxml", "guest")
	for part, want := range map[string]bool{
		"<feature policy='disable' name='svm'/>": true, "<watchdog ": false, "<rng ": true, "<maxMemory": false,
		"<memory unit='KiB'>307200</memory>": true, "hard_limit": false,
	} {
		if strings.Contains(text, part) != want {
			t.Errorf("%s in the running VM's definition: want %v in\n%s", part, want, text)
		}
	}
}
