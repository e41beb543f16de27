package libvirt

import (
	"os"
	"testing"

	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/libvirtlab"
)

func TestMain(m *testing.M) { os.Exit(libvirtlab.Main(m)) }
