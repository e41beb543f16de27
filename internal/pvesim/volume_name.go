package pvesim

import (
	"path"
	"regexp"
	"strconv"
	"strings"
)

// volumeName is what the name of a volume says.
type volumeName struct {
	content string // "images", "iso", ...
	name    string // "vm-110-disk-0.qcow2", "debian.iso"
	vmid    int
	base    string // the base of a linked clone, "base-135-disk-0.qcow2"
	baseVM  int
	isBase  bool
	format  string
}

var (
	volidSyntax   = regexp.MustCompile(`(?i)^([a-z][a-z0-9\-_.]*[a-z0-9]):(.+)$`)
	linkedSyntax  = regexp.MustCompile(`^(\d+)/(\S+)/(\d+)/(\S+)$`)
	ownedSyntax   = regexp.MustCompile(`^(\d+)/(\S+)$`)
	imageSyntax   = regexp.MustCompile(`^((vm-|base-|subvol-|basevol-)?[^/\s]+\.(raw|qcow2|vmdk|subvol))$`)
	isoSyntax     = regexp.MustCompile(`(?i)^iso/([^/]+\.(iso|img))$`)
	tmplSyntax    = regexp.MustCompile(`^vztmpl/([^/]+\.tar\.(gz|xz|zst|bz2)|[^/]+\.tar)$`)
	backupSyntax  = regexp.MustCompile(`^backup/([^/]+\.(tgz|tar|tar\.gz|tar\.lzo|tar\.zst|vma|vma\.gz|vma\.lzo|vma\.zst))$`)
	snippetSyntax = regexp.MustCompile(`^snippets/([^/]+)$`)
	insideSyntax  = regexp.MustCompile(`^import/([A-Za-z0-9._+=\- ]+\.ova)/([A-Za-z0-9._+=\- ]+\.(qcow2|raw|vmdk))$`)
	importSyntax  = regexp.MustCompile(`^import/([A-Za-z0-9._+=\- ]+\.(ova|ovf|qcow2|raw|vmdk))$`)
	thinSyntax    = regexp.MustCompile(`^((vm|base)-(\d+)-\S+)$`)
	thickSyntax   = regexp.MustCompile(`^(vm-(\d+)-\S+)$`)
	pooledSyntax  = regexp.MustCompile(`^((base|basevol)-(\d+)-[^/\s]+/)?((base|basevol|vm|subvol)-(\d+)-[^/\s]+)$`)
)

// cutVolid parts "local:iso/x.iso" in the storage and the name.
func cutVolid(volid string) (storage, name string, ok bool) {
	m := volidSyntax.FindStringSubmatch(volid)
	if m == nil {
		return "", "", false
	}
	return m[1], m[2], true
}

// parse reads the name of a volume as the storage's type does.
func (st *storage) parse(name string) (volumeName, error) {
	switch {
	case st.of().files:
		return parseFile(name)
	case st.kind == "lvmthin":
		if m := thinSyntax.FindStringSubmatch(name); m != nil {
			return volumeName{content: "images", name: m[1], vmid: digits(m[3]), isBase: m[2] == "base", format: "raw"}, nil
		}
		return volumeName{}, die("unable to parse lvm volume name '%s'", name)
	case st.kind == "lvm":
		if m := thickSyntax.FindStringSubmatch(name); m != nil {
			n := volumeName{content: "images", name: m[1], vmid: digits(m[2]), format: "raw"}
			if strings.HasSuffix(name, ".qcow2") {
				n.format = "qcow2"
			}
			return n, nil
		}
		return volumeName{}, die("unable to parse lvm volume name '%s'", name)
	case st.kind == "pbs":
		if rest, ok := strings.CutPrefix(name, "backup/"); ok {
			return volumeName{content: "backup", name: rest, format: "pbs-vm"}, nil
		}
		return volumeName{}, die("unable to parse PBS volume name '%s'", name)
	}
	m := pooledSyntax.FindStringSubmatch(name)
	if m == nil {
		kind := "zfs"
		if st.kind == "rbd" || st.kind == "iscsi" {
			kind = st.kind
		}
		return volumeName{}, die("unable to parse %s volume name '%s'", kind, name)
	}
	n := volumeName{content: "images", name: m[4], vmid: digits(m[6]), base: strings.TrimSuffix(m[1], "/"), baseVM: digits(m[3]), format: "raw"}
	n.isBase = m[5] == "base" || m[5] == "basevol"
	if m[5] == "subvol" || m[5] == "basevol" {
		n.format = "subvol"
	}
	return n, nil
}

func parseFile(name string) (volumeName, error) {
	if m := linkedSyntax.FindStringSubmatch(name); m != nil {
		if _, _, err := parseImage(m[2]); err != nil {
			return volumeName{}, err
		}
		format, base, err := parseImage(m[4])
		return volumeName{content: "images", name: m[4], vmid: digits(m[3]), base: m[2], baseVM: digits(m[1]), isBase: base, format: format}, err
	}
	if m := ownedSyntax.FindStringSubmatch(name); m != nil {
		format, base, err := parseImage(m[2])
		return volumeName{content: "images", name: m[2], vmid: digits(m[1]), isBase: base, format: format}, err
	}
	if m := isoSyntax.FindStringSubmatch(name); m != nil {
		return volumeName{content: "iso", name: m[1], format: "raw"}, nil
	}
	if m := tmplSyntax.FindStringSubmatch(name); m != nil {
		return volumeName{content: "vztmpl", name: m[1], format: "raw"}, nil
	}
	if m := backupSyntax.FindStringSubmatch(name); m != nil {
		n := volumeName{content: "backup", name: m[1], format: "raw"}
		if o := backupOwner.FindStringSubmatch(m[1]); o != nil {
			n.vmid = digits(o[1])
		}
		return n, nil
	}
	if m := snippetSyntax.FindStringSubmatch(name); m != nil {
		return volumeName{content: "snippets", name: m[1], format: "raw"}, nil
	}
	if m := insideSyntax.FindStringSubmatch(name); m != nil {
		return volumeName{content: "import", name: m[1] + "/" + m[2], format: "ova+" + m[3]}, nil
	}
	if m := importSyntax.FindStringSubmatch(name); m != nil {
		return volumeName{content: "import", name: m[1], format: m[2]}, nil
	}
	return volumeName{}, die("unable to parse directory volume name '%s'", name)
}

var backupOwner = regexp.MustCompile(`^vzdump-(?:lxc|qemu)-(\d+)-`)

// parseImage reads the name of an image's file.
func parseImage(name string) (format string, isBase bool, err error) {
	m := imageSyntax.FindStringSubmatch(name)
	if m == nil {
		return "", false, die("unable to parse volume filename '%s'", name)
	}
	return m[3], m[2] == "base-" || m[2] == "basevol-", nil
}

// digits reads digits.
func digits(text string) int {
	n, _ := strconv.Atoi(text)
	return n
}

// directories are those of a file storage, by content.
var directories = map[string]string{
	"images": "images", "rootdir": "private", "iso": "template/iso", "vztmpl": "template/cache",
	"backup": "dump", "snippets": "snippets", "import": "import",
}

// root is the directory of a file storage.
func (st *storage) root() string {
	if p := st.options["path"]; p != "" {
		return p
	}
	return "/mnt/pve/" + st.id
}

// pathOf is where a node has a volume.
func (st *storage) pathOf(n volumeName) string {
	switch st.kind {
	case "lvm", "lvmthin":
		return "/dev/" + st.options["vgname"] + "/" + n.name
	case "zfspool":
		if n.format == "subvol" {
			return "/" + st.options["pool"] + "/" + n.name
		}
		return "/dev/zvol/" + st.options["pool"] + "/" + n.name
	case "rbd":
		pool := st.options["pool"]
		if pool == "" {
			pool = "rbd"
		}
		return "rbd:" + pool + "/" + n.name
	}
	if n.content == "images" {
		return path.Join(st.root(), "images", strconv.Itoa(n.vmid), n.name)
	}
	return path.Join(st.root(), directories[n.content], n.name)
}

// imageName is the full name of an image of a VM, "110/vm-110-disk-0.qcow2" or "vm-110-disk-0".
func (st *storage) imageName(vmid int, file string) string {
	if st.of().files {
		return strconv.Itoa(vmid) + "/" + file
	}
	return file
}
