package vm_test

import (
	"os"
	"testing"

	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/libvirtlab"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/tfrun"
)

func TestMain(m *testing.M) {
	os.Exit(tfrun.Run(func() int { return libvirtlab.Main(m) }))
}
