package libvirt

import (
	"context"
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/libvirtlab"
)

// TestQuiesced takes snapshots of a guest that writes: only in the quiesced one the file system is
// as after an unmount.
func TestQuiesced(t *testing.T) {
	l := libvirtlab.Shared(t)
	b := openLab(t, l)
	path := l.FullImage(t)
	image, err := b.ImportImage(t.Context(), backends.ImageSpec{Name: "full.qcow2", Kind: "disk"}, backends.ImageSource{
		Open: func(context.Context) (*backends.Content, error) {
			f, err := os.Open(path)
			return &backends.Content{Reader: f, Format: "qcow2", Size: -1, VirtualSize: -1}, err
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.DeleteImage(context.WithoutCancel(t.Context()), image.ID) })
	spec := blank("writer")
	spec.Image = image.ID
	spec.Memory = backends.Memory{SizeMiB: ptr(int64(512))}
	spec.CPU = backends.CPU{Cores: ptr(int64(2))}
	spec.Disks["root"] = backends.Disk{SizeGiB: ptr(int64(2))}
	spec.Networks = map[string]backends.NIC{"lan": {}}
	spec.CloudInit = &backends.CloudInit{Hostname: ptr("writer")}
	id := create(t, b, spec)
	power(t, b, id, backends.PowerOn)
	sh := func(script string) string {
		t.Helper()
		r, err := b.GuestExec(t.Context(), id, backends.GuestCommand{Path: "/bin/sh", Args: []string{"-c", script}})
		if err != nil {
			return err.Error()
		}
		return string(r.Stdout)
	}
	// A whole system boots in its own time, and one boot in many hangs under emulation.
	again := time.Now().Add(2 * time.Minute)
	for end := again.Add(3 * time.Minute); !strings.Contains(sh("echo it is up"), "it is up"); time.Sleep(time.Second) {
		switch now := time.Now(); {
		case now.After(end):
			t.Fatalf("the guest did not boot: %s", sh("echo it is up"))
		case now.After(again):
			power(t, b, id, backends.Reset)
			again = end
		}
	}
	sh("(while :; do date >> /root/log; done) >/dev/null 2>&1 &")
	for name, quiesce := range map[string]bool{"loud": false, "quiet": true} {
		held := get(t, b, id).Disks["root"].Path
		snap(t, b, id, backends.SnapshotSpec{Name: name, Quiesce: quiesce})
		if clean := cleanExt4(t, held); clean != quiesce {
			t.Errorf("in the snapshot %q the file system is clean: %t", name, clean)
		}
		before := sh("wc -c < /root/log")
		eventually(t, "the guest going on", func() string {
			if now := sh("wc -c < /root/log"); now == before {
				return now
			}
			return ""
		})
	}
	for _, s := range snapshotsOf(t, b, id) {
		if s.Quiesced != (s.Name == "quiet") {
			t.Errorf("listed %+v", s)
		}
	}
}

// cleanExt4 reports whether the largest partition of a disk image, an ext4 file system, needs no recovery.
func cleanExt4(t *testing.T, image string) bool {
	t.Helper()
	raw := filepath.Join(t.TempDir(), "disk.raw")
	if out, err := exec.CommandContext(t.Context(), "qemu-img", "convert", "-U", "-O", "raw", image, raw).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	f, err := os.Open(raw)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	// The largest partition, of a GPT or of an MBR.
	le := binary.LittleEndian
	start, most := int64(0), int64(0)
	note := func(first, sectors int64) {
		if first > 1 && sectors > most {
			start, most = first, sectors
		}
	}
	table := make([]byte, 1024+128*128)
	if _, err := f.ReadAt(table, 0); err != nil {
		t.Fatal(err)
	}
	for i := range 4 {
		note(int64(le.Uint32(table[446+16*i+8:])), int64(le.Uint32(table[446+16*i+12:])))
	}
	for i := 0; string(table[512:520]) == "EFI PART" && i < 128; i++ {
		entry := table[1024+128*i:]
		first := int64(le.Uint64(entry[32:]))
		note(first, int64(le.Uint64(entry[40:]))-first)
	}
	super := make([]byte, 1024)
	if _, err := f.ReadAt(super, start*512+1024); err != nil {
		t.Fatal(err)
	}
	if magic := le.Uint16(super[0x38:]); magic != 0xEF53 {
		t.Fatalf("no ext4 at sector %d: magic %#x", start, magic)
	}
	const needsRecovery = 0x4
	return le.Uint32(super[0x60:])&needsRecovery == 0
}

// TestSnapshotOfClone keeps what a linked clone shares, and what it is told of that.
func TestSnapshotOfClone(t *testing.T) {
	l := libvirtlab.Shared(t)
	b := openLab(t, l)
	source := create(t, b, blank("source"))
	home := get(t, b, source).Disks["root"]
	put(t, home, "0x11")
	power(t, b, source, backends.PowerOn)
	id, err := b.CloneVM(t.Context(), &backends.CloneSpec{Source: source, Linked: true, Spec: backends.VMSpec{Name: "heir"}})
	if id != "" {
		t.Cleanup(func() { _ = b.DeleteVM(context.WithoutCancel(t.Context()), id, backends.DeleteOptions{}) })
	}
	if err != nil {
		t.Fatal(err)
	}
	was := get(t, b, id)
	s := snap(t, b, id, backends.SnapshotSpec{Name: "s"})
	put(t, get(t, b, id).Disks["root"], "0x22")
	if err := b.RevertSnapshot(t.Context(), id, s); err != nil {
		t.Fatal(err)
	}
	see(t, get(t, b, id).Disks["root"].Path, "0x11")
	if err := b.DeleteSnapshot(t.Context(), id, s, false); err != nil {
		t.Fatal(err)
	}
	if is := get(t, b, id); is.Disks["root"] != was.Disks["root"] || len(backends.Diff(&was.Config, &is.Config)) > 0 {
		t.Errorf("the clone's disk was %+v and is %+v", was.Disks["root"], is.Disks["root"])
	}
	e := wantCode(t, b.DeleteVM(t.Context(), source, backends.DeleteOptions{}), backends.Precondition)
	if !strings.Contains(e.Error(), `VM "heir"`) {
		t.Errorf("the error does not name the clone: %v", e)
	}

	// A disk that outlives the clone takes with it what it shared.
	kept := was.Disks["root"].VolumeID
	if err := b.DeleteVM(t.Context(), id, backends.DeleteOptions{KeepDisks: []string{"root"}}); err != nil {
		t.Fatal(err)
	}
	if now := get(t, b, source); now.Disks["root"] != home || now.Power != backends.Running {
		t.Errorf("the source's disk was %+v and is %+v", home, now.Disks["root"])
	}
	if err := b.DeleteVM(t.Context(), source, backends.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	see(t, filepath.Join(l.Dir, "pool", strings.TrimPrefix(kept, "default/")), "0x11")
	if err := b.DeleteDisk(t.Context(), kept); err != nil {
		t.Fatal(err)
	}
}

// TestSnapshotTPM lets a VM with a TPM and firmware variables go on where it was.
func TestSnapshotTPM(t *testing.T) {
	l := libvirtlab.Shared(t)
	b := openLab(t, l)
	spec := blank("sealed")
	spec.Memory.SizeMiB = ptr(int64(256))
	spec.Firmware, spec.SecureBoot, spec.TPM = ptr("uefi"), ptr(true), ptr(true)
	id := create(t, b, spec)
	power(t, b, id, backends.PowerOn)
	s := snap(t, b, id, backends.SnapshotSpec{Name: "s", Memory: true})
	for _, action := range []backends.PowerAction{backends.PowerOff, backends.PowerOn} {
		power(t, b, id, action)
		if err := b.RevertSnapshot(t.Context(), id, s); err != nil {
			t.Fatal(err)
		}
		if vm := get(t, b, id); vm.Power != backends.Running || len(backends.Diff(&vm.Config, spec)) > 0 {
			t.Errorf("after the revert the VM is %s, to change: %v", vm.Power, backends.Diff(&vm.Config, spec))
		}
	}
	if err := b.DeleteVM(t.Context(), id, backends.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	l.AssertEmpty(t)
}
