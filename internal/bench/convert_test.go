package bench

import (
	"flag"
	"fmt"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/libvirtlab"
)

var convertMiB = flag.Int64("convert-mib", 2048, "size of the disk that BenchmarkConvert converts")

// BenchmarkConvert imports a full disk from formats that no VM runs from: a VMDK, which qemu-img on the
// host converts after the upload, and a VHDX, which the provider makes raw as it passes. What counts is
// the provider's memory, whatever the disk's size.
func BenchmarkConvert(b *testing.B) {
	const bound = 64 // MiB, beyond what the provider has anyway
	lab := libvirtlab.Shared(b)
	size := *convertMiB << 20
	raw := filepath.Join(b.TempDir(), "disk.raw")
	noise(b, raw, size)
	for _, c := range []struct {
		name, format string
		options      []string
		target       string
	}{
		{"VMDK, streamOptimized, to qcow2", "vmdk", []string{"-o", "subformat=streamOptimized"}, "qcow2"},
		{"VHDX to raw", "vhdx", nil, "raw"},
		{"VHDX to qcow2", "vhdx", nil, "qcow2"},
	} {
		b.Run(c.format+"-"+c.target, func(b *testing.B) {
			file := filepath.Join(b.TempDir(), "disk."+c.format)
			args := append(append([]string{"convert", "-f", "raw", "-O", c.format}, c.options...), raw, file)
			if out, err := exec.CommandContext(b.Context(), "qemu-img", args...).CombinedOutput(); err != nil {
				b.Fatalf("qemu-img: %v\n%s", err, out)
			}
			idle := convert(b, lab, fileOf(b, 1<<20), "raw")
			for b.Loop() {
				took := convert(b, lab, file, c.target)
				b.Logf("%s, %d MiB without holes: %.1f s, peak memory of the provider %d MiB resident, %d MiB with an image of 1 MiB",
					c.name, size>>20, took.time.Seconds(), took.peak>>20, idle.peak>>20)
				more := float64(max(0, took.peak-idle.peak)) / (1 << 20)
				if more > bound {
					b.Errorf("the conversion takes %.0f MiB of memory, and the bound is %d", more, bound)
				}
				b.ReportMetric(more, "MiB-more")
				b.ReportMetric(float64(took.peak>>20), "MiB-peak")
			}
		})
	}
}

// fileOf writes a raw disk.
func fileOf(b *testing.B, size int64) string {
	b.Helper()
	file := filepath.Join(b.TempDir(), "small.raw")
	noise(b, file, size)
	return file
}

type conversion struct {
	time time.Duration
	peak int64
}

// convert imports a file once, with a provider of its own.
func convert(b *testing.B, lab *libvirtlab.Lab, file, target string) conversion {
	b.Helper()
	tf := newWorkspace(b, module)
	tf.write("main.tf", fmt.Sprintf(libvirtConfig, lab.URI())+fmt.Sprintf(`
resource "virtrigaud_image" "x" {
  name          = "converted"
  local_path    = %q
  target_format = %q
}
`, file, target))
	memory := watchMemory(b, tf.plugin)
	start := time.Now()
	tf.terraform("apply", "-auto-approve", "-no-color")
	c := conversion{time.Since(start), memory()}
	tf.terraform("destroy", "-auto-approve", "-no-color")
	return c
}
