package pvesim

import (
	"slices"
)

// storageKind is what is known of a type of storage.
type storageKind struct {
	formats  []string // of images, the default first
	contents []string // that it can hold
	standard []string // that it holds where storage.cfg says nothing
	required []string // options of which it cannot do without
	files    bool     // keeps files in directories, PVE's "path" storages
	shared   bool     // of itself, whatever "shared" says
	thick    bool     // takes the space of a volume when it is made
	extent   int64    // sizes are rounded up to its multiples
	features map[string]map[string][]string
}

var everything = []string{"images", "rootdir", "vztmpl", "iso", "backup", "snippets", "none", "import"}

// featuresByFormat and the others say what a storage can do with a volume: by feature, by what the
// volume is ("current", "base", or a "snap" of it), the formats that can.
var (
	diskFormats      = []string{"raw", "qcow2", "vmdk"}
	featuresByFormat = map[string]map[string][]string{
		"snapshot":   {"current": {"qcow2"}, "snap": {"qcow2"}},
		"clone":      {"base": diskFormats},
		"template":   {"current": {"raw", "qcow2", "vmdk", "subvol"}},
		"copy":       {"base": diskFormats, "current": diskFormats, "snap": {"qcow2"}},
		"sparseinit": {"base": diskFormats, "current": diskFormats},
		"rename":     {"current": diskFormats},
	}
	featuresOfThin = map[string]map[string][]string{
		"snapshot":   {"current": {"raw"}},
		"clone":      {"base": {"raw"}, "snap": {"raw"}},
		"template":   {"current": {"raw"}},
		"copy":       {"base": {"raw"}, "current": {"raw"}, "snap": {"raw"}},
		"sparseinit": {"base": {"raw"}, "current": {"raw"}},
		"rename":     {"current": {"raw"}},
	}
	featuresOfThick = map[string]map[string][]string{
		"snapshot": {"current": {"qcow2"}, "snap": {"qcow2"}},
		"copy":     {"base": {"raw", "qcow2"}, "current": {"raw", "qcow2"}, "snap": {"qcow2"}},
		"rename":   {"current": {"raw", "qcow2"}},
	}
	featuresOfZFS = map[string]map[string][]string{
		"snapshot":   {"current": {"raw", "subvol"}, "snap": {"raw", "subvol"}},
		"clone":      {"base": {"raw", "subvol"}},
		"template":   {"current": {"raw", "subvol"}},
		"copy":       {"base": {"raw", "subvol"}, "current": {"raw", "subvol"}},
		"sparseinit": {"base": {"raw", "subvol"}, "current": {"raw", "subvol"}},
		"replicate":  {"base": {"raw", "subvol"}, "current": {"raw", "subvol"}},
		"rename":     {"current": {"raw", "subvol"}},
	}
	featuresOfRBD = map[string]map[string][]string{
		"snapshot":   {"current": {"raw"}, "snap": {"raw"}},
		"clone":      {"base": {"raw"}, "snap": {"raw"}},
		"template":   {"current": {"raw"}},
		"copy":       {"base": {"raw"}, "current": {"raw"}, "snap": {"raw"}},
		"sparseinit": {"base": {"raw"}, "current": {"raw"}},
		"rename":     {"current": {"raw"}},
	}
	featuresOfBtrfs = map[string]map[string][]string{
		"snapshot":   {"current": {"raw", "qcow2", "subvol"}, "snap": {"raw", "qcow2", "subvol"}},
		"clone":      {"base": {"raw", "qcow2", "vmdk", "subvol"}, "current": {"raw"}, "snap": {"raw"}},
		"template":   {"current": {"raw", "qcow2", "vmdk", "subvol"}},
		"copy":       {"base": {"raw", "qcow2", "vmdk", "subvol"}, "current": {"raw", "qcow2", "vmdk", "subvol"}, "snap": {"raw", "qcow2", "subvol"}},
		"sparseinit": {"base": diskFormats, "current": diskFormats},
		"rename":     {"current": diskFormats},
	}
)

const (
	mib = 1 << 20
)

var storageKinds = map[string]*storageKind{
	"dir": {
		formats: diskFormats, contents: everything, standard: []string{"images", "rootdir"},
		required: []string{"path"}, files: true, features: featuresByFormat,
	},
	"nfs": {
		formats: diskFormats, contents: everything, standard: []string{"images"},
		required: []string{"server", "export"}, files: true, shared: true, features: featuresByFormat,
	},
	"cifs": {
		formats: diskFormats, contents: everything, standard: []string{"images"},
		required: []string{"server", "share"}, files: true, shared: true, features: featuresByFormat,
	},
	"glusterfs": {
		formats: diskFormats, contents: []string{"images", "vztmpl", "iso", "backup", "snippets", "import"},
		standard: []string{"images"}, required: []string{"volume"}, files: true, shared: true, features: featuresByFormat,
	},
	"cephfs": {
		formats: []string{"raw"}, contents: []string{"vztmpl", "iso", "backup", "snippets", "import"},
		standard: []string{"backup"}, files: true, shared: true, features: featuresByFormat,
	},
	"btrfs": {
		formats: []string{"raw", "subvol"}, contents: everything, standard: []string{"images", "rootdir"},
		required: []string{"path"}, files: true, features: featuresOfBtrfs,
	},
	"lvm": {
		formats: []string{"raw"}, contents: []string{"images", "rootdir"}, standard: []string{"images"},
		required: []string{"vgname"}, thick: true, extent: 4 * mib, features: featuresOfThick,
	},
	"lvmthin": {
		formats: []string{"raw"}, contents: []string{"images", "rootdir"}, standard: []string{"images", "rootdir"},
		required: []string{"thinpool", "vgname"}, extent: 4 * mib, features: featuresOfThin,
	},
	"zfspool": {
		formats: []string{"raw", "subvol"}, contents: []string{"images", "rootdir"}, standard: []string{"images", "rootdir"},
		required: []string{"pool"}, thick: true, extent: mib, features: featuresOfZFS,
	},
	"zfs": {
		formats: []string{"raw"}, contents: []string{"images"}, standard: []string{"images"},
		required: []string{"portal", "target", "pool", "iscsiprovider", "blocksize"},
		shared:   true, thick: true, extent: mib, features: featuresOfZFS,
	},
	"rbd": {
		formats: []string{"raw"}, contents: []string{"images", "rootdir"}, standard: []string{"images"},
		shared: true, extent: mib, features: featuresOfRBD,
	},
	"iscsi": {
		formats: []string{"raw"}, contents: []string{"images", "none"}, standard: []string{"images"},
		required: []string{"portal", "target"}, shared: true,
	},
	"iscsidirect": {
		formats: []string{"raw"}, contents: []string{"images"}, standard: []string{"images"},
		required: []string{"portal", "target"}, shared: true,
	},
	"pbs": {
		contents: []string{"backup", "none"}, standard: []string{"backup"},
		required: []string{"server", "datastore"}, shared: true,
	},
	"esxi": {
		contents: []string{"import"}, standard: []string{"import"},
		required: []string{"server", "username", "password"}, shared: true,
	},
}

// of is what is known of a storage's type.
func (st *storage) of() *storageKind {
	if k := storageKinds[st.kind]; k != nil {
		return k
	}
	return &storageKind{}
}

// shared tells whether all nodes see the same volumes.
func (st *storage) shared() bool { return st.of().shared || st.options["shared"] == "1" }

// disabled tells whether nobody may use it.
func (st *storage) disabled() bool { return st.options["disable"] == "1" }

// on tells whether a node has it.
func (st *storage) on(node string) bool {
	return st.options["nodes"] == "" || slices.Contains(splitList(st.options["nodes"]), node)
}

// contents are what it is set to hold.
func (st *storage) contents() []string {
	if list := splitList(st.options["content"]); len(list) > 0 {
		return list
	}
	return st.of().standard
}

// holds tells whether it is set to hold a type of content.
func (st *storage) holds(content string) bool { return slices.Contains(st.contents(), content) }

// formats are those of its images, the default first.
func (st *storage) formats() []string {
	list := st.of().formats
	if st.kind == "lvm" && st.options["snapshot-as-volume-chain"] == "1" {
		return []string{"qcow2", "raw"}
	}
	if f := st.options["format"]; f != "" && slices.Contains(list, f) {
		return append([]string{f}, slices.DeleteFunc(slices.Clone(list), func(s string) bool { return s == f })...)
	}
	return list
}

// thick tells whether a volume takes its space when it is made.
func (st *storage) thick() bool {
	if st.kind == "zfspool" || st.kind == "zfs" {
		return st.options["sparse"] != "1"
	}
	return st.of().thick || st.options["preallocation"] == "full" || st.options["preallocation"] == "falloc"
}

// supports tells whether a storage can do something ("snapshot", "clone", "template", "copy", "sparseinit",
// "rename") with volumes that are in use as they are. Without formats it asks for the storage's default format.
// For one volume, and what is not its current state, there is volume.can.
func (c *cluster) supports(st *storage, feature string, format ...string) bool {
	if len(format) == 0 && len(st.formats()) > 0 {
		format = st.formats()[:1]
	}
	kind := "current"
	if feature == "clone" {
		kind = "base"
	}
	for _, f := range format {
		if !slices.Contains(st.of().features[feature][kind], f) {
			return false
		}
	}
	return len(format) > 0
}

// can tells whether the volume's storage can do something with it, or with a snapshot of it.
func (v *volume) can(feature, snap string) bool {
	kind := "current"
	switch {
	case snap != "":
		kind = "snap"
	case v.isBase():
		kind = "base"
	}
	return slices.Contains(v.storage.of().features[feature][kind], v.format)
}
