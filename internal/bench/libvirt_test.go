package bench

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/libvirtlab"
)

func TestMain(m *testing.M) { os.Exit(libvirtlab.Main(m)) }

const libvirtConfig = `
terraform {
  required_providers {
    virtrigaud = { source = "virtrigaud/virtrigaud" }
  }
}
provider "virtrigaud" {
  libvirt = { uri = %q }
}
`

// BenchmarkRefresh counts the calls that a refresh makes to libvirtd, as seen on
// the wire: with some VMs and with twice as many, so that what one more VM costs
// can be told from what the connection costs.
func BenchmarkRefresh(b *testing.B) {
	const few = 10
	lab := libvirtlab.Shared(b)
	w := newWire(b, lab.Socket())
	tf := newWorkspace(b, module)
	refresh := func(vms int) counted {
		tf.write("main.tf", fmt.Sprintf(libvirtConfig, w.uri())+fmt.Sprintf(`
resource "virtrigaud_vm" "all" {
  count       = %d
  name        = "vm-${count.index}"
  memory      = { size_mib = 64 }
  disks       = { root = { size_gib = 1 }, data = { size_gib = 1 } }
  networks    = { lan = {} }
  power_state = "stopped"
}
`, vms))
		tf.terraform("apply", "-auto-approve", "-no-color")
		w.reset()
		tf.terraform("plan", "-detailed-exitcode", "-no-color")
		return w.reset()
	}
	for b.Loop() {
		once, twice := refresh(few), refresh(2*few)
		tf.terraform("destroy", "-auto-approve", "-no-color")
		each := float64(twice.total()-once.total()) / few
		b.Logf("calls that terraform plan makes to libvirtd, VMs with two disks and one interface")
		b.Logf("  %d VMs: %d calls, %d VMs: %d calls: %.1f for each VM, %.0f for all", few, once.total(), 2*few, twice.total(),
			each, float64(once.total())-few*each)
		b.Logf("  by procedure, for %d VMs: %s", 2*few, procedures(twice.calls))
		b.ReportMetric(each, "calls/VM")
	}
}

// names of the procedures that count; the numbers are libvirt's remote protocol.
var names = map[uint32]string{
	14: "DomainGetXMLDesc", 273: "ConnectListAllDomains", 344: "ConnectGetAllDomainStats",
}

// procedures shows counts by procedure, most frequent first.
func procedures(calls map[uint32]int) string {
	numbers := make([]uint32, 0, len(calls))
	for n := range calls {
		numbers = append(numbers, n)
	}
	slices.SortFunc(numbers, func(x, y uint32) int { return calls[y] - calls[x] })
	all := make([]string, len(numbers))
	for i, n := range numbers {
		name, ok := names[n]
		if !ok {
			name = fmt.Sprintf("no. %d", n)
		}
		all[i] = fmt.Sprintf("%d %s", calls[n], name)
	}
	return strings.Join(all, ", ")
}

// BenchmarkUpload measures the upload of an image without holes against virsh,
// over the same wire, and the provider's memory meanwhile.
func BenchmarkUpload(b *testing.B) {
	const (
		size       = 2 << 30
		uploadRuns = 3
	)
	lab := libvirtlab.Shared(b)
	w := newWire(b, lab.Socket())
	file := filepath.Join(b.TempDir(), "image.raw")
	noise(b, file, size)
	tf := newWorkspace(b, module)
	tf.write("main.tf", fmt.Sprintf(libvirtConfig, w.uri())+fmt.Sprintf(`
resource "virtrigaud_image" "big" {
  name       = "big"
  local_path = %q
  format     = "raw"
}
`, file))
	for b.Loop() {
		theirs, ours, whole, peak := counted{}, counted{}, time.Duration(0), int64(0)
		// In turns, and the best of each: the disk is never quiet.
		for range uploadRuns {
			theirs = faster(theirs, virshUpload(b, w, file, size))
			memory := watchMemory(b, tf.plugin)
			start := time.Now()
			tf.terraform("apply", "-auto-approve", "-no-color")
			if took := time.Since(start); whole == 0 || took < whole {
				whole = took
			}
			peak = max(peak, memory())
			ours = faster(ours, w.reset())
			tf.terraform("destroy", "-auto-approve", "-no-color")
			w.reset()
		}

		mbs := func(d time.Duration) float64 { return size / 1e6 / d.Seconds() }
		b.Logf("upload of a 2 GiB image without holes, best of %d in turns", uploadRuns)
		b.Logf("  virsh vol-upload         %6.0f MB/s (%.2f s)", mbs(theirs.streamed), theirs.streamed.Seconds())
		b.Logf("  this provider            %6.0f MB/s (%.2f s)   ratio %.2f of virsh", mbs(ours.streamed), ours.streamed.Seconds(),
			ratio(theirs.streamed, ours.streamed))
		b.Logf("  whole terraform apply    %6.0f MB/s (%.2f s), with the digest of the file taken first", mbs(whole), whole.Seconds())
		b.Logf("  sent: %d bytes by virsh, %d by this provider", theirs.sent, ours.sent)
		b.Logf("  peak memory of the provider: %d MiB resident", peak>>20)
		b.ReportMetric(ratio(theirs.streamed, ours.streamed), "x-virsh")
		b.ReportMetric(float64(peak>>20), "MiB-peak")
	}
}

// noise writes a file that has no holes and cannot be compressed.
func noise(b *testing.B, file string, size int64) {
	b.Helper()
	f, err := os.Create(file)
	if err != nil {
		b.Fatal(err)
	}
	if _, err := io.CopyN(f, rand.Reader, size); err != nil {
		b.Fatal(err)
	}
	if err := f.Close(); err != nil {
		b.Fatal(err)
	}
}

func faster(a, b counted) counted {
	if a.sent == 0 || b.streamed < a.streamed {
		return b
	}
	return a
}

func virshUpload(b *testing.B, w *wire, file string, size int64) counted {
	b.Helper()
	virsh := func(args ...string) {
		b.Helper()
		cmd := exec.CommandContext(b.Context(), "virsh", append([]string{"-c", w.uri()}, args...)...)
		if out, err := cmd.CombinedOutput(); err != nil {
			b.Fatalf("virsh %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
	virsh("vol-create-as", libvirtlab.Pool, "theirs", strconv.FormatInt(size, 10), "--format", "raw")
	w.reset()
	virsh("vol-upload", "--pool", libvirtlab.Pool, "theirs", file)
	c := w.reset()
	virsh("vol-delete", "--pool", libvirtlab.Pool, "theirs")
	w.reset()
	return c
}

// watchMemory watches processes that run the program plugin until the result is
// called, which returns the most memory that one of them had resident.
func watchMemory(b *testing.B, plugin string) (peak func() int64) {
	b.Helper()
	ctx, cancel := context.WithCancel(b.Context())
	result := make(chan int64)
	go func() {
		var most int64
		ticker := time.NewTicker(20 * time.Millisecond)
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
				most = max(most, highWater(plugin))
			case <-ctx.Done():
				result <- most
				return
			}
		}
	}()
	return func() int64 {
		cancel()
		return <-result
	}
}

// highWater is the largest peak that the kernel has noted for a process of plugin.
func highWater(plugin string) int64 {
	var most int64
	all, _ := filepath.Glob("/proc/[0-9]*/exe") //nolint:errcheck // the pattern is well-formed
	for _, exe := range all {
		if target, err := os.Readlink(exe); err != nil || target != plugin {
			continue
		}
		status, err := os.ReadFile(filepath.Join(filepath.Dir(exe), "status"))
		if err != nil {
			continue // it has ended
		}
		for line := range strings.Lines(string(status)) {
			if fields := strings.Fields(line); len(fields) > 1 && fields[0] == "VmHWM:" {
				kib, _ := strconv.ParseInt(fields[1], 10, 64) //nolint:errcheck // the kernel writes a number
				most = max(most, kib<<10)
			}
		}
	}
	return most
}
