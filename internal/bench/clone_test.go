package bench

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/libvirtlab"
)

// BenchmarkClone measures a linked clone against a full one, of a stopped VM with
// 1 GiB of content that cannot be compressed.
func BenchmarkClone(b *testing.B) {
	const (
		size = 1 << 30
		runs = 3
	)
	lab := libvirtlab.Shared(b)
	file := filepath.Join(b.TempDir(), "image.raw")
	noise(b, file, size)
	tf := newWorkspace(b, module)
	source := fmt.Sprintf(libvirtConfig, lab.URI()) + fmt.Sprintf(`
resource "virtrigaud_image" "content" {
  name       = "content"
  local_path = %q
  format     = "raw"
}
resource "virtrigaud_vm" "source" {
  name        = "source"
  image       = virtrigaud_image.content.id
  memory      = { size_mib = 64 }
  disks       = { root = {} }
  power_state = "stopped"
}
`, file)
	clone := func(linked bool) time.Duration {
		tf.write("main.tf", source+fmt.Sprintf(`
resource "virtrigaud_clone" "copy" {
  name        = "copy"
  source_vm   = virtrigaud_vm.source.id
  linked      = %t
  power_state = "stopped"
}
`, linked))
		took := tf.terraform("apply", "-auto-approve", "-no-color").wall
		tf.write("main.tf", source)
		tf.terraform("apply", "-auto-approve", "-no-color")
		return took
	}
	for b.Loop() {
		tf.write("main.tf", source)
		tf.terraform("apply", "-auto-approve", "-no-color")
		nothing := tf.best(runs, "apply", "-auto-approve", "-no-color").wall
		full, linked := time.Duration(0), time.Duration(0)
		for range runs {
			full, linked = least(full, clone(false)), least(linked, clone(true))
		}
		tf.terraform("destroy", "-auto-approve", "-no-color")
		b.Logf("terraform apply of one clone of a stopped VM with 1 GiB, best of %d", runs)
		b.Logf("  nothing to do  %6.2f s", nothing.Seconds())
		b.Logf("  full clone     %6.2f s", full.Seconds())
		b.Logf("  linked clone   %6.2f s   ratio %.2f of the full one, %.2f beyond an empty apply", linked.Seconds(),
			ratio(linked, full), ratio(linked-nothing, full-nothing))
		b.ReportMetric(ratio(linked, full), "x-full")
	}
}

// least is the lesser of two durations, of which 0 is none yet.
func least(a, b time.Duration) time.Duration {
	if a == 0 {
		return b
	}
	return min(a, b)
}
