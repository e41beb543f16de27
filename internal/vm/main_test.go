package vm_test

import (
	"os"
	"testing"

	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/acctest"
)

func TestMain(m *testing.M) {
	code := m.Run()
	acctest.Cleanup()
	os.Exit(code)
}
