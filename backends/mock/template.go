package mock

import (
	"strings"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// template finds what VMSpec.Template names: a VM or template by id or name.
func (w *world) template(name string) (*source, error) {
	m := w.Machines[backends.ID(name)]
	if m == nil {
		m = w.named(name)
	}
	if m == nil {
		return nil, refusal(backends.NotFound, "template", "there is no template or VM %q", name)
	}
	return m.source()
}

// osOf guesses from an image's name what its guest calls itself.
func osOf(image string) string {
	for part, os := range map[string]string{
		"windows": "Microsoft Windows Server 2022",
		"ubuntu":  "Ubuntu 24.04 LTS",
	} {
		if strings.Contains(image, part) {
			return os
		}
	}
	return "Debian GNU/Linux 12 (bookworm)"
}
