package vmconf

import (
	"path"
	"regexp"
	"strconv"
	"strings"
)

// Drive is a disk, CD-ROM, EFI variable store or TPM state: "VOLUME,option=value,...".
type Drive struct{ Props }

// ParseDrive reads a drive; it takes any text.
func ParseDrive(text string) Drive { return Drive{ParseProps(text)} }

// Drive reads the drive at a key.
func (c Config) Drive(key string) Drive { return ParseDrive(c[key]) }

// NewDrive starts a drive with what it is made of: a volume id, "STORAGE:GIB", "none".
func NewDrive(volume string) Drive { return Drive{Props{{"", volume}}} }

// Volume is the volume id, "none", or "cdrom" for the node's own drive.
func (d Drive) Volume() string { return d.Get("", "file", "volume") }

// WithVolume returns a copy with another volume.
func (d Drive) WithVolume(volume string) Drive {
	return Drive{d.Without("file", "volume").With("", volume)}
}

// Put is Props.Put.
func (d Drive) Put(key, value string) Drive { return Drive{d.Props.Put(key, value)} }

// Without is Props.Without.
func (d Drive) Without(keys ...string) Drive { return Drive{d.Props.Without(keys...)} }

// IsCDROM reports whether it is a drive for media, a seed's among them.
func (d Drive) IsCDROM() bool {
	return d.Get("media") == "cdrom" || d.Volume() == "none" || d.Volume() == "cdrom"
}

var cloudInitVolume = regexp.MustCompile(`(^|[:/])vm-\d+-cloudinit(\.[a-z0-9]+)?$`)

// IsCloudInit reports whether it is Proxmox VE's own cloud-init drive.
func (d Drive) IsCloudInit() bool {
	volume := d.Volume()
	return strings.HasSuffix(volume, ":cloudinit") || cloudInitVolume.MatchString(volume)
}

// Bytes is the size, 0 where it is not told.
func (d Drive) Bytes() int64 {
	n, _ := ParseSize(d.Get("size"))
	return n
}

// Storage is the storage that the volume is on, "" for none.
func (d Drive) Storage() string { return ParseVolume(d.Volume()).Storage }

// Format is the format of the content: the option's, else that of the volume's name, else "raw".
func (d Drive) Format() string {
	if f := d.Get("format"); f != "" {
		return f
	}
	return ParseVolume(d.Volume()).Format()
}

// Volume is a volume id, "STORAGE:NAME".
type Volume struct{ Storage, Name string }

// ParseVolume splits a volume id; Storage is "" where it is none.
func ParseVolume(id string) Volume {
	storage, name, ok := strings.Cut(id, ":")
	if !ok || strings.HasPrefix(id, "/") {
		return Volume{Name: id}
	}
	return Volume{storage, name}
}

// String is the volume id.
func (v Volume) String() string {
	if v.Storage == "" {
		return v.Name
	}
	return v.Storage + ":" + v.Name
}

var volumeOwner = regexp.MustCompile(`^(?:vm|base|subvol|basevol)-(\d{1,10})-`)

// Owner is the VMID that the volume's name says it belongs to, 0 for none. Only that VM's removal
// removes the volume.
func (v Volume) Owner() int64 {
	m := volumeOwner.FindStringSubmatch(path.Base(v.Name))
	if m == nil {
		return 0
	}
	n, _ := strconv.ParseInt(m[1], 10, 64)
	return n
}

// Format is what the name says of the content's format; a name without an extension is raw.
func (v Volume) Format() string {
	switch ext := strings.TrimPrefix(path.Ext(path.Base(v.Name)), "."); ext {
	case "qcow2", "vmdk", "qcow", "qed", "cloop":
		return ext
	}
	return "raw"
}

// Base is the id of the volume that a linked clone's shares content with, "" where there is none:
// "local:9000/base-9000-disk-0.qcow2/137/vm-137-disk-0.qcow2", "data:base-100-disk-0/vm-101-disk-0".
func (v Volume) Base() string {
	at := strings.Index(v.Name, "base")
	if at < 0 || at > 0 && v.Name[at-1] != '/' {
		return ""
	}
	end := strings.IndexByte(v.Name[at:], '/')
	if end < 0 {
		return ""
	}
	return Volume{v.Storage, v.Name[:at+end]}.String()
}
