package cloudinit

import "testing"

func TestWithoutIdentity(t *testing.T) {
	for name, c := range map[string]struct{ in, want string }{
		"empty":     {"", ""},
		"other":     {"# mine\nrole: web\n", "# mine\nrole: web\n"},
		"both":      {"instance-id: i-1\nrole: web\nlocal-hostname: old\n", "role: web\n"},
		"all of it": {"{instance-id: i-1, local-hostname: old}", ""},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := WithoutIdentity(c.in)
			if err != nil || got != c.want {
				t.Errorf("got %q, %v, want %q", got, err, c.want)
			}
		})
	}
	if _, err := WithoutIdentity("- a list"); err == nil {
		t.Error("a list is no meta-data")
	}
}
