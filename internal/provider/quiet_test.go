package provider

import (
	"os"
	"testing"
)

func TestQuiet(t *testing.T) {
	for _, name := range []string{"", "TF_LOG", "TF_LOG_PROVIDER"} {
		t.Run("with "+name, func(t *testing.T) {
			for _, v := range []string{"TF_LOG", "TF_LOG_PROVIDER", "TF_LOG_SDK"} {
				t.Setenv(v, "")
			}
			want := "OFF"
			if name != "" {
				t.Setenv(name, "DEBUG")
				want = ""
			}
			if err := Quiet(); err != nil {
				t.Fatal(err)
			}
			if got := os.Getenv("TF_LOG_SDK"); got != want {
				t.Errorf("TF_LOG_SDK is %q, want %q", got, want)
			}
		})
	}
}
