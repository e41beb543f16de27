package main

import (
	"os"
	"strings"
	"testing"
)

// shaky fails until a file exists, which it makes; broken always fails.
const shaky = `package p

import (
	"os"
	"testing"
)

func TestShaky(t *testing.T) {
	t.Run("part", func(t *testing.T) {
		if _, err := os.Stat("made"); err != nil {
			os.WriteFile("made", nil, 0o600)
			t.Fatal("not yet")
		}
	})
}

func TestSound(t *testing.T) {}
`

func TestAgain(t *testing.T) {
	const broken = "\nfunc TestBroken(t *testing.T) { t.Fatal(\"never\") }\n"
	for _, tc := range []struct {
		name, source string
		args         []string
		want         string // part of the error, "" for none
	}{
		{"a second try saves a shaky test", shaky, []string{"-again", "-timeout", "1m", "./..."}, ""},
		{"only where it is asked for", shaky, []string{"./..."}, "exit status 1"},
		{"not a broken one", shaky + broken, []string{"-again", "./..."}, "TestBroken failed twice"},
		{"not one that does not compile", shaky + "x", []string{"-again", "./..."}, "exit status 1"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			t.Setenv("GOFLAGS", "")
			for name, text := range map[string]string{"go.mod": "module p\n\ngo 1.25\n", "p_test.go": tc.source} {
				if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			err := run(t.Context(), tc.args)
			switch {
			case tc.want == "" && err != nil:
				t.Error(err)
			case tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)):
				t.Errorf("got %v, want %q", err, tc.want)
			}
		})
	}
}
