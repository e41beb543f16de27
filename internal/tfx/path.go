package tfx

import (
	"github.com/hashicorp/terraform-plugin-framework/path"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// Path turns a portable path into the framework's, path.Empty() for "".
func Path(p backends.Path) path.Path {
	out := path.Empty()
	for _, s := range p.Steps() {
		if s.IsKey {
			out = out.AtMapKey(s.Name)
		} else {
			out = out.AtName(s.Name)
		}
	}
	return out
}
