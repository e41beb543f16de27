package vsphere

import "strings"

// vSphere keeps these characters of a name escaped, because inventory paths are made of names
// (ManagedEntity.name in the API reference).
var (
	escaper   = strings.NewReplacer("%", "%25", "/", "%2f", `\`, "%5c")
	unescaper = strings.NewReplacer("%2f", "/", "%2F", "/", "%5c", `\`, "%5C", `\`, "%25", "%")
)

// escaped is a name as vSphere keeps it, plain one as its user knows it.
func escaped(name string) string { return escaper.Replace(name) }
func plain(name string) string   { return unescaper.Replace(name) }
