package libvirtlab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

// Require skips the test, with the reason, where the lab cannot be had. Where CI is "true" the lab
// must be there: then it fails the test.
func Require(t testing.TB) {
	t.Helper()
	err := Available()
	switch {
	case err == nil:
	case os.Getenv("CI") == "true":
		t.Fatalf("the libvirt lab is required where CI=true: %v", err)
	default:
		t.Skipf("left out, needs the libvirt lab: %v", err)
	}
}

// Available says why the lab cannot be had on this machine; nil where it can.
var Available = sync.OnceValue(func() error {
	if runtime.GOOS != "linux" {
		return fmt.Errorf("it runs on Linux only, this is %s", runtime.GOOS)
	}
	if os.Geteuid() != 0 {
		return errors.New("it needs root, for namespaces and network bridges")
	}
	var missing []string
	for _, tool := range []string{
		"libvirtd", "virsh", "qemu-system-x86_64", "qemu-img", "swtpm", "dnsmasq", "unshare", "nsenter", "ip", // to run
		"mmdebstrap", "mcopy", "mkfs.vfat", "syslinux", "sfdisk", "cpio", "busybox", // to build guests
	} {
		if _, err := exec.LookPath(tool); err != nil {
			missing = append(missing, tool)
		}
	}
	if len(missing) > 0 {
		return fmt.Errorf("not on PATH: %s (scripts/setup installs them on Debian)", strings.Join(missing, ", "))
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, "unshare", "--mount", "--net", "--pid", "--cgroup", "--fork", "true").CombinedOutput()
	if err != nil {
		return fmt.Errorf("namespaces are not allowed here: %s", strings.TrimSpace(string(out)))
	}
	return nil
})
