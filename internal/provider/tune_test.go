package provider

import (
	"os"
	"runtime/debug"
	"testing"
)

func TestTune_logs(t *testing.T) {
	for _, name := range []string{"", "TF_LOG", "TF_LOG_PROVIDER"} {
		t.Run("with "+name, func(t *testing.T) {
			for _, v := range []string{"TF_LOG", "TF_LOG_PROVIDER", "TF_LOG_SDK"} {
				t.Setenv(v, "")
			}
			t.Setenv("GOGC", "100")
			want := "OFF"
			if name != "" {
				t.Setenv(name, "DEBUG")
				want = ""
			}
			if err := Tune(); err != nil {
				t.Fatal(err)
			}
			if got := os.Getenv("TF_LOG_SDK"); got != want {
				t.Errorf("TF_LOG_SDK is %q, want %q", got, want)
			}
		})
	}
}

func TestTune_garbage(t *testing.T) {
	before := debug.SetGCPercent(100)
	t.Cleanup(func() { debug.SetGCPercent(before) })
	t.Setenv("TF_LOG_SDK", "OFF")
	for _, tt := range []struct {
		asked string
		want  int
	}{{"50", 100}, {"", gcPercent}} { // the runtime has read GOGC itself
		t.Setenv("GOGC", tt.asked)
		if err := Tune(); err != nil {
			t.Fatal(err)
		}
		if got := debug.SetGCPercent(100); got != tt.want {
			t.Errorf("with GOGC=%q it is %d, want %d", tt.asked, got, tt.want)
		}
	}
}
