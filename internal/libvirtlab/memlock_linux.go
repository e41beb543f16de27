package libvirtlab

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// libvirtd raises the limit of locked memory of every VM whose memory is limited, which root may not do
// in a container without CAP_SYS_RESOURCE. Nothing else of such a VM needs it, so there the lab
// runs libvirtd with a filter below which raising that limit does nothing and succeeds. The filter is
// set by this very program, which the lab starts as execVariable says.
const execVariable = "LIBVIRTLAB_EXEC"

func init() {
	if os.Getenv(execVariable) == "" || len(os.Args) < 2 {
		return
	}
	fmt.Fprintln(os.Stderr, execIgnoringMemlock(os.Args[1:]))
	os.Exit(1)
}

// daemonPrefix is what the namespace script puts before libvirtd; "" where that can do without.
func daemonPrefix() string {
	if runtime.GOARCH != "amd64" || mayRaiseLimits() {
		return ""
	}
	self, err := os.Executable()
	if err != nil {
		return ""
	}
	return self
}

// mayRaiseLimits reports whether this process has CAP_SYS_RESOURCE.
func mayRaiseLimits() bool {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return false
	}
	for line := range strings.Lines(string(status)) {
		if value, ok := strings.CutPrefix(line, "CapEff:"); ok {
			caps, err := strconv.ParseUint(strings.TrimSpace(value), 16, 64)
			return err == nil && caps&(1<<unix.CAP_SYS_RESOURCE) != 0
		}
	}
	return false
}

// execIgnoringMemlock becomes another program. It returns only if it cannot.
func execIgnoringMemlock(args []string) error {
	path, err := exec.LookPath(args[0])
	if err != nil {
		return err
	}
	// The filter is that of this thread, which becomes the program.
	runtime.LockOSThread()
	const (
		load, equal, leave = unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, unix.BPF_RET | unix.BPF_K
		number, arch, arg0 = 0, 4, 16 // where they are in what a filter looks at

		setrlimit, prlimit64 = 160, 302
	)
	// Jumps are counted from the line after each.
	program := []unix.SockFilter{
		0: {Code: load, K: arch},
		1: {Code: equal, K: unix.AUDIT_ARCH_X86_64, Jf: 12 - 2},
		2: {Code: load, K: number},
		3: {Code: equal, K: setrlimit, Jt: 9 - 4},
		4: {Code: equal, K: prlimit64, Jf: 12 - 5},
		// prlimit64(pid, resource, new, old): only reads where new is null.
		5:  {Code: load, K: arg0 + 2*8},
		6:  {Code: equal, K: 0, Jt: 12 - 7},
		7:  {Code: load, K: arg0 + 1*8},
		8:  {Code: equal, K: unix.RLIMIT_MEMLOCK, Jt: 11 - 9, Jf: 12 - 9},
		9:  {Code: load, K: arg0}, // setrlimit(resource, new)
		10: {Code: equal, K: unix.RLIMIT_MEMLOCK, Jf: 12 - 11},
		11: {Code: leave, K: unix.SECCOMP_RET_ERRNO}, // with the number 0, which is success
		12: {Code: leave, K: unix.SECCOMP_RET_ALLOW},
	}
	fprog := unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]}
	if err := unix.Prctl(unix.PR_SET_SECCOMP, unix.SECCOMP_MODE_FILTER, uintptr(unsafe.Pointer(&fprog)), 0, 0); err != nil {
		return fmt.Errorf("set the filter: %w", err)
	}
	if err := os.Unsetenv(execVariable); err != nil {
		return err
	}
	return syscall.Exec(path, args, os.Environ())
}
