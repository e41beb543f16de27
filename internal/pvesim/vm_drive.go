package pvesim

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// drive is the value of a drive's key: its volume and its options.
type drive struct {
	file    string            // a volume id, "none", "cdrom", a path, or "storage:size" where it is asked for
	options map[string]string // all but file; "size" is in PVE's spelling
}

// flagOptions are the options of drives and interfaces that are booleans: they are stored as 0 and 1.
var flagOptions = map[string]bool{
	"backup": true, "iothread": true, "ssd": true, "replicate": true, "ro": true, "shared": true, "snapshot": true,
	"detect_zeroes": true, "pre-enrolled-keys": true, "scsiblock": true, "firewall": true, "link_down": true,
}

var (
	newDisk       = regexp.MustCompile(`^(?:([^/:\s]+):)?(\d+(?:\.\d+)?)$`)
	cloudInitFile = regexp.MustCompile(`[:/](?:vm-\d+-)?cloudinit(?:\.(?:raw|qcow|qcow2|qed|vmdk|cloop))?$`)
)

// parseDrive reads what a drive's key holds. It does not judge the options: the schema did.
func parseDrive(text string) drive {
	d := drive{options: map[string]string{}}
	for i, part := range strings.Split(text, ",") {
		key, value, pair := strings.Cut(part, "=")
		switch {
		case !pair && i == 0, !pair && d.file == "":
			d.file = part
		case key == "file" || key == "volume":
			d.file = value
		case pair:
			d.options[key] = normalOption(key, value)
		}
	}
	for _, rate := range []string{"bps", "bps_rd", "bps_wr"} {
		if n, err := strconv.ParseFloat(d.options[rate], 64); err == nil {
			d.options["m"+rate] = fmt.Sprintf("%.3f", n/(1<<20))
			delete(d.options, rate)
		}
	}
	if size, ok := parseSize(d.options["size"]); ok {
		d.options["size"] = formatSize(size)
	}
	return d
}

// normalOption spells a boolean as Proxmox VE stores it.
func normalOption(key, value string) string {
	if !flagOptions[key] {
		return value
	}
	switch strings.ToLower(value) {
	case "1", "on", "yes", "true":
		return "1"
	case "0", "off", "no", "false":
		return "0"
	}
	return value
}

// String is the drive as Proxmox VE writes it: the volume, then the options in the order of their names.
func (d drive) String() string {
	var b strings.Builder
	b.WriteString(d.file)
	for _, key := range slices.Sorted(maps.Keys(d.options)) {
		b.WriteString("," + key + "=" + d.options[key])
	}
	return b.String()
}

// cdrom reports whether the drive is a CD-ROM drive, cloud-init ones included.
func (d drive) cdrom() bool { return d.options["media"] == "cdrom" }

// cloudInit reports whether the drive holds what cloud-init reads.
func (d drive) cloudInit() bool { return cloudInitFile.MatchString(d.file) }

// size is the size that the drive's value tells, in bytes.
func (d drive) size() int64 {
	n, _ := parseSize(d.options["size"])
	return n
}

func (d drive) setSize(n int64) { d.options["size"] = formatSize(n) }

// storage is the name of the storage of the drive's volume, "" where it has none.
func (d drive) storage() string {
	id, _, found := strings.Cut(d.file, ":")
	if !found || strings.HasPrefix(d.file, "/") {
		return ""
	}
	return id
}

// wanted is the storage and the size in GiB that "storage:size" asks for.
func (d drive) wanted() (storage string, gib string, ok bool) {
	parts := newDisk.FindStringSubmatch(d.file)
	if parts == nil {
		return "", "", false
	}
	return parts[1], parts[2], true
}

// driveKeys are the keys of drives, in the order in which Proxmox VE looks for one to boot from.
var driveKeys = func() []string {
	var keys []string
	for _, bus := range []struct {
		name  string
		count int
	}{{"ide", 4}, {"scsi", 31}, {"virtio", 16}, {"sata", 6}} {
		for i := range bus.count {
			keys = append(keys, bus.name+strconv.Itoa(i))
		}
	}
	return append(keys, "efidisk0", "tpmstate0")
}()

var driveKeySet = func() map[string]bool {
	set := map[string]bool{}
	for _, key := range driveKeys {
		set[key] = true
	}
	return set
}()

// isDrive reports whether key is that of a drive. Those of unused volumes are not.
func isDrive(key string) bool { return driveKeySet[key] }

// isUnused reports whether key is that of a volume that no drive uses.
func isUnused(key string) bool { return hasNumber(key, "unused") }

// hasNumber reports whether key is prefix and a number.
func hasNumber(key, prefix string) bool {
	rest, ok := strings.CutPrefix(key, prefix)
	if !ok || rest == "" {
		return false
	}
	_, err := strconv.Atoi(rest)
	return err == nil
}

// numbered is the key of a number: "net0".
func numbered(name string, i int) string { return name + strconv.Itoa(i) }

// parseSize reads a size in PVE's spelling: a number with K, M, G, T or nothing.
func parseSize(text string) (int64, bool) {
	if text == "" {
		return 0, false
	}
	unit := int64(1)
	if i := strings.IndexByte("KMGT", text[len(text)-1]); i >= 0 {
		unit <<= 10 * (i + 1)
		text = text[:len(text)-1]
	}
	n, err := strconv.ParseFloat(text, 64)
	if err != nil || n < 0 {
		return 0, false
	}
	return int64(n * float64(unit)), true
}

// formatSize writes a size with the largest unit that leaves no fraction; nothing at all is "0T".
func formatSize(n int64) string {
	units := []string{"", "K", "M", "G", "T"}
	i := 0
	for i < len(units)-1 && n%1024 == 0 {
		n /= 1024
		i++
	}
	return strconv.FormatInt(n, 10) + units[i]
}

// compareKeys orders keys of a configuration as their names and numbers go: net2 before net10.
func compareKeys(a, b string) int {
	an, ai := splitNumber(a)
	bn, bi := splitNumber(b)
	return cmp.Or(strings.Compare(an, bn), cmp.Compare(ai, bi))
}

func splitNumber(key string) (string, int) {
	name := strings.TrimRight(key, "0123456789")
	n, _ := strconv.Atoi(key[len(name):])
	return name, n
}
