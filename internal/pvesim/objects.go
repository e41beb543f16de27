package pvesim

import (
	"maps"
	"slices"
)

// objects are the entries of one configuration file, by id.
type objects struct {
	ids map[string]section
}

func newObjects() *objects { return &objects{ids: map[string]section{}} }

// names are the ids, sorted.
func (o *objects) names() []string { return slices.Sorted(maps.Keys(o.ids)) }

// digest is the checksum of the file.
func (o *objects) digest() string {
	var all []section
	for _, id := range o.names() {
		all = append(all, section{"id": id}, o.ids[id])
	}
	return digestOf(all...)
}
