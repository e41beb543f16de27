package vm_test

import (
	"os"
	"testing"

	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/tfrun"
)

func TestMain(m *testing.M) { os.Exit(tfrun.Main(m)) }
