package e2e

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/libvirtlab"
)

// guest looks into a running guest through its agent, beside the provider.
type guest struct {
	t      *testing.T
	lab    *libvirtlab.Lab
	domain string
}

const patience = 5 * time.Minute // under emulation, beside other tests

// run runs a program in the guest and returns what it printed.
func (g guest) run(args ...string) string {
	g.t.Helper()
	out, code := g.exec(args...)
	if code != 0 {
		g.t.Fatalf("%s in the guest ended with %d:\n%s", strings.Join(args, " "), code, out)
	}
	return out
}

// await runs a program whatever it exits with.
func (g guest) await(args ...string) {
	g.t.Helper()
	g.exec(args...)
}

func (g guest) exec(args ...string) (string, int) {
	g.t.Helper()
	var started struct{ PID int }
	g.agent("guest-exec", map[string]any{"path": args[0], "arg": args[1:], "capture-output": true}, &started)
	var status struct {
		Exited   bool
		ExitCode int
		Out      string `json:"out-data"`
		Err      string `json:"err-data"`
	}
	g.until(strings.Join(args, " ")+" ends", func() bool {
		g.agent("guest-exec-status", map[string]any{"pid": started.PID}, &status)
		return status.Exited
	})
	out, _ := base64.StdEncoding.DecodeString(status.Out)
	errs, _ := base64.StdEncoding.DecodeString(status.Err)
	return string(out) + string(errs), status.ExitCode
}

func (g guest) agent(command string, arguments map[string]any, answer any) {
	g.t.Helper()
	request, err := json.Marshal(map[string]any{"execute": command, "arguments": arguments})
	if err != nil {
		g.t.Fatal(err)
	}
	var reply struct{ Return json.RawMessage }
	var out string
	g.until("the agent answers "+command, func() bool {
		out, err = g.lab.TryVirsh(g.t.Context(), "qemu-agent-command", g.domain, string(request))
		return err == nil
	})
	if err := json.Unmarshal([]byte(out), &reply); err != nil {
		g.t.Fatalf("%s: %v in %s", command, err, out)
	}
	if err := json.Unmarshal(reply.Return, answer); err != nil {
		g.t.Fatalf("%s: %v in %s", command, err, out)
	}
}

// until waits for a condition.
func (g guest) until(what string, holds func() bool) {
	g.t.Helper()
	for end := time.Now().Add(patience); !holds(); time.Sleep(200 * time.Millisecond) {
		if time.Now().After(end) {
			g.t.Fatalf("after %s it does not hold that %s", patience, what)
		}
	}
}

// memory is what the guest has, in KiB.
func (g guest) memory() int {
	g.t.Helper()
	fields := strings.Fields(g.run("grep", "MemTotal", "/proc/meminfo"))
	n, err := strconv.Atoi(fields[1])
	if err != nil {
		g.t.Fatal(err)
	}
	return n
}

// disks is how many virtio disks the guest has.
func (g guest) disks() int {
	g.t.Helper()
	n := 0
	for name := range strings.FieldsSeq(g.run("ls", "/sys/block")) {
		if strings.HasPrefix(name, "vd") {
			n++
		}
	}
	return n
}

// wantSize fails unless the file system at path has at least so many MiB.
func (g guest) wantSize(path string, mib int) {
	g.t.Helper()
	fields := strings.Fields(g.run("df", "-BM", "--output=size", path))
	n, err := strconv.Atoi(strings.TrimSuffix(fields[len(fields)-1], "M"))
	if err != nil {
		g.t.Fatal(fmt.Errorf("df: %w", err))
	}
	if n < mib {
		g.t.Errorf("the file system has %d MiB, want at least %d", n, mib)
	}
}
