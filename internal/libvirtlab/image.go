package libvirtlab

import (
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

//go:embed guest/tiny.sh
var tinyScript []byte

//go:embed guest/full.sh
var fullScript []byte

// buildLimit bounds one build, and the wait for somebody else's.
const buildLimit = 10 * time.Minute

// TinyImage gives the path of a 25 MB qcow2 image whose guest answers the agent about three seconds
// after power-on. It boots by BIOS only and needs 256 MiB. It takes host name and static addresses
// from a NoCloud seed (by MAC address), and asks DHCP on every other NIC; it is no cloud-init.
//
// Images are built once and kept in the user's cache folder. Do not boot from the file itself: copy it.
func TinyImage(t testing.TB) string {
	t.Helper()
	return image(t, "tiny", tinyScript)
}

// FullImage gives the path of a 250 MB qcow2 image of Debian 13 with cloud-init and guest agent, which boots
// by BIOS and by UEFI with Secure Boot, and is ready after half a minute with two virtual CPUs.
// Its root file system grows to the size of the disk.
func FullImage(t testing.TB) string {
	t.Helper()
	return image(t, "full", fullScript)
}

// TinyImage is [TinyImage], for those who have a lab at hand.
func (l *Lab) TinyImage(t testing.TB) string { t.Helper(); return TinyImage(t) }

// FullImage is [FullImage], for those who have a lab at hand.
func (l *Lab) FullImage(t testing.TB) string { t.Helper(); return FullImage(t) }

func image(t testing.TB, kind string, script []byte) string {
	t.Helper()
	Require(t)
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	path, err := buildImage(t.Context(), filepath.Join(cache, "virtrigaud-lab"), kind, script)
	if err != nil {
		t.Fatalf("build the %s guest image: %v", kind, err)
	}
	return path
}

// buildImage gives the image that script builds, from the cache where it is there.
func buildImage(ctx context.Context, cache, kind string, script []byte) (string, error) {
	sum := sha256.Sum256(script)
	base := filepath.Join(cache, kind+"-"+hex.EncodeToString(sum[:6]))
	path := base + ".qcow2"
	if err := os.MkdirAll(cache, 0o755); err != nil { //nolint:gosec // a cache of public images
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, buildLimit)
	defer cancel()
	lock, err := lockFile(ctx, filepath.Join(cache, kind+".lock"))
	if err != nil {
		return "", err
	}
	defer lock.Close()
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	if err := os.WriteFile(base+".sh", script, 0o600); err != nil {
		return "", err
	}
	// A build that dies half-way must not leave something that looks finished.
	unfinished := base + ".part"
	cmd := exec.CommandContext(ctx, "bash", base+".sh", unfinished)
	// A terminated script still removes its work folder.
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 10 * time.Second
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w\n%s", err, out)
	}
	return path, os.Rename(unfinished, path)
}
