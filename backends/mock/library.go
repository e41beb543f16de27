package mock

import (
	"strings"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// library is the content library of every world, by LIBRARY/ITEM.
func library() map[string]backends.Image {
	items := map[string]backends.Image{}
	for _, im := range sampleImages {
		items["shared/"+im.Name] = im
	}
	return items
}

// libraryItem finds the item that an image is made from; one that is a disk also
// makes a template.
func (in *arrival) libraryItem() (image, error) {
	items := library()
	im, ok := items[in.source.LibraryItem]
	switch {
	case !ok:
		return image{}, refusal(backends.NotFound, "content_library", "there is no library item %q", in.source.LibraryItem).
			Advise("The items are %s.", strings.Join(sortedKeys(items), ", "))
	case im.Kind != in.kind && (im.Kind != "disk" || in.kind != "template"):
		return image{}, refusal(backends.Invalid, "kind", "library item %q is of kind %q, not %q", in.source.LibraryItem, im.Kind, in.kind)
	}
	return image{Image: im, Guest: osOf(im.Name)}, nil
}
