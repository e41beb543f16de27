package libvirt

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/libvirtlab"
)

// cgroup reads a file of the control group of the process with a number.
func cgroup(t *testing.T, pid, controller, file string) string {
	t.Helper()
	groups, err := os.ReadFile("/proc/" + pid + "/cgroup")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(groups)) {
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if parts[1] != controller {
			continue
		}
		text, err := os.ReadFile(filepath.Join("/sys/fs/cgroup", controller, strings.TrimSuffix(parts[2], "/emulator"), file))
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimSpace(string(text))
	}
	t.Fatalf("process %s is in no control group of %s", pid, controller)
	return ""
}

// qemuPID finds the QEMU process of a VM by its UUID.
func qemuPID(t *testing.T, id backends.ID) string {
	t.Helper()
	procs, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, p := range procs {
		line, err := os.ReadFile(p)
		if err == nil && strings.Contains(string(line), "-uuid\x00"+string(id)) {
			return filepath.Base(filepath.Dir(p))
		}
	}
	t.Fatalf("VM %s has no QEMU process", id)
	return ""
}

func residentKiB(t *testing.T, pid string) int {
	t.Helper()
	text, err := os.ReadFile("/proc/" + pid + "/status")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); len(f) > 1 && f[0] == "VmRSS:" {
			n, _ := strconv.Atoi(f[1])
			return n
		}
	}
	return 0
}

// TestLimits holds VMs to what the host's kernel knows of them: created, running and stopped.
func TestLimits(t *testing.T) {
	l := libvirtlab.Shared(t)
	b := openLab(t, l)
	spec := blank("limited")
	spec.CPU = backends.CPU{Cores: ptr(int64(2)), Shares: ptr(int64(2048)), LimitMHz: ptr(int64(1000))}
	spec.Memory = backends.Memory{SizeMiB: ptr(int64(128)), LimitMiB: ptr(int64(256)), ReservationMiB: ptr(int64(128))}
	spec.Disks["root"] = backends.Disk{SizeGiB: ptr(int64(1)), IOPSLimit: ptr(int64(500)), ThroughputMiB: ptr(int64(20))}
	id := create(t, b, spec)
	for _, c := range backends.Diff(&get(t, b, id).Config, spec) {
		t.Errorf("the next plan would %s", c)
	}
	power(t, b, id, backends.PowerOn)
	h, err := b.host(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	quota := func(mhz int64) string { _, q := cpuQuota(mhz, h.mhz); return fmt.Sprint(q) }
	pid := qemuPID(t, id)
	see := func(controller, file, want string) {
		t.Helper()
		if got := cgroup(t, pid, controller, file); got != want {
			t.Errorf("%s is %s, want %s", file, got, want)
		}
	}
	hard := func(limit, size int64) string {
		return fmt.Sprint((limit + overheadMiB(size, "qemu")) * mib)
	}
	see("cpu", "cpu.shares", "2048")
	see("cpu", "cpu.cfs_quota_us", quota(1000))
	see("memory", "memory.limit_in_bytes", hard(256, 128))
	if kib := residentKiB(t, pid); kib < 128<<10 {
		t.Errorf("of 128 MiB reserved only %d KiB are there after the start", kib)
	}
	iotune := func() string { return strings.Join(strings.Fields(l.Virsh(t, "blkdeviotune", "limited", "vda")), " ") }
	if got := iotune(); !strings.Contains(got, "total_bytes_sec: 20971520") || !strings.Contains(got, "total_iops_sec : 500") {
		t.Errorf("the disk is limited to %s", got)
	}

	// All of it changes while the VM runs.
	spec.CPU.Shares, spec.CPU.LimitMHz = ptr(int64(512)), ptr(int64(1500))
	spec.Memory.LimitMiB = ptr(int64(512))
	spec.Disks["root"] = backends.Disk{SizeGiB: ptr(int64(1)), IOPSLimit: ptr(int64(0)), ThroughputMiB: ptr(int64(5))}
	change(t, b, id, spec, backends.Live)
	see("cpu", "cpu.shares", "512")
	see("cpu", "cpu.cfs_quota_us", quota(1500))
	see("memory", "memory.limit_in_bytes", hard(512, 128))
	if got := iotune(); !strings.Contains(got, "total_bytes_sec: 5242880") || !strings.Contains(got, "total_iops_sec : 0") {
		t.Errorf("the disk is limited to %s", got)
	}

	// And goes.
	spec.CPU.Shares, spec.CPU.LimitMHz = nil, ptr(int64(0))
	spec.Memory.LimitMiB = ptr(int64(0))
	spec.Disks["root"] = backends.Disk{SizeGiB: ptr(int64(1)), ThroughputMiB: ptr(int64(0))}
	change(t, b, id, spec, backends.Live)
	see("cpu", "cpu.cfs_quota_us", "-1")
	if got, err := strconv.ParseInt(cgroup(t, pid, "memory", "memory.limit_in_bytes"), 10, 64); err != nil || got < 1<<50 {
		t.Errorf("the memory is still limited to %d bytes", got)
	}
	if text := l.Virsh(t, "dumpxml", "--inactive", "limited"); strings.Contains(text, "iotune") || strings.Contains(text, "hard_limit") {
		t.Errorf("limits are left in the definition:\n%s", text)
	}

	// A stopped VM, and one that is changed for its next start.
	spec.CPU.LimitMHz, spec.Memory.LimitMiB = ptr(int64(700)), ptr(int64(300))
	spec.Disks["root"] = backends.Disk{SizeGiB: ptr(int64(1)), IOPSLimit: ptr(int64(100))}
	change(t, b, id, spec, backends.Deferred)
	power(t, b, id, backends.PowerOff)
	spec.CPU.Shares, spec.Memory.ReservationMiB = ptr(int64(4096)), ptr(int64(0))
	spec.Memory.SizeMiB = ptr(int64(192))
	change(t, b, id, spec, backends.Cold)
	power(t, b, id, backends.PowerOn)
	pid = qemuPID(t, id)
	see("cpu", "cpu.shares", "4096")
	see("cpu", "cpu.cfs_quota_us", quota(700))
	see("memory", "memory.limit_in_bytes", hard(300, 192))
	if kib := residentKiB(t, pid); kib > 150<<10 {
		t.Errorf("without a reservation %d KiB are there after the start", kib)
	}
	if got := iotune(); !strings.Contains(got, "total_iops_sec : 100") {
		t.Errorf("the disk is limited to %s", got)
	}
}
