package backendtest

import (
	"strings"
	"testing"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// sh runs a script in a real guest and returns what it printed.
func (e *Env) sh(t *testing.T, id backends.ID, script string) string {
	t.Helper()
	r, err := e.GuestExec(e.Ctx(t), id, backends.GuestCommand{Path: "/bin/sh", Args: []string{"-c", script}})
	if err != nil {
		t.Fatalf("GuestExec: %v", err)
	}
	if r.ExitCode != 0 {
		t.Fatalf("%s: exit code %d: %s", script, r.ExitCode, r.Stderr)
	}
	return strings.TrimSpace(string(r.Stdout))
}

// dataDisk finds the disk "data" of guestSpec, whatever its bus is called.
const dataDisk = "for d in /dev/vdb /dev/sdb /dev/nvme0n2; do [ -b $d ] && break; done; "

// write puts a word on the disk "data" of a guest, without a file system: the
// bytes are on the disk when it returns.
func (e *Env) write(t *testing.T, id backends.ID, word string) {
	t.Helper()
	e.sh(t, id, dataDisk+"echo "+word+" | dd of=$d bs=512 conv=sync 2>/dev/null; sync")
}

// holds fails unless the disk "data" holds the word, not only the guest's memory.
func (e *Env) holds(t *testing.T, id backends.ID, word string) {
	t.Helper()
	got := e.sh(t, id, dataDisk+"echo 3 > /proc/sys/vm/drop_caches; dd if=$d bs=512 count=1 2>/dev/null | head -n 1")
	if got != word {
		t.Errorf("the disk holds %q, want %q", got, word)
	}
}

// remember puts a word into the guest's memory.
func (e *Env) remember(t *testing.T, id backends.ID, word string) {
	t.Helper()
	e.sh(t, id, "mkdir -p /run && echo "+word+" > /run/conformance")
}

func (e *Env) remembers(t *testing.T, id backends.ID, word string) {
	t.Helper()
	if got := e.sh(t, id, "cat /run/conformance"); got != word {
		t.Errorf("the guest's memory holds %q, want %q", got, word)
	}
}
