package pvesim

import (
	"crypto/md5"  //nolint:gosec // one of the checksums that Proxmox VE takes
	"crypto/sha1" //nolint:gosec // one of the checksums that Proxmox VE takes
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"hash"
	"io"
	"path"
	"regexp"
	"strings"
)

// newFile is a file that comes to a storage by upload or download.
type newFile struct {
	storage *storage
	node    string
	content string
	name    string
	format  string
}

var (
	fileCharacters = regexp.MustCompile(`[^a-zA-Z0-9_.-]`)
	isoEnding      = regexp.MustCompile(`(?i)[^/]+\.(iso|img)$`)
	tmplEnding     = regexp.MustCompile(`(?i)[^/]+\.(tar|tar\.(gz|xz|zst|bz2))$`)
	importEnding   = regexp.MustCompile(`[a-zA-Z0-9\-.+=_]+\.(ova|qcow2|raw|vmdk)$`)
)

// newFile reads content and name from the parameters of an upload or a download.
func (r *request) newFile(st *storage) (*newFile, error) {
	name := strings.TrimSuffix(r.p["filename"], "\n")
	name = name[strings.LastIndexAny(name, `/\`)+1:]
	f := &newFile{storage: st, node: r.p["node"], content: r.p["content"], name: fileCharacters.ReplaceAllString(name, "_")}
	switch f.content {
	case "iso":
		f.format = "iso"
		if !isoEnding.MatchString(f.name) {
			return nil, wrongParam("filename", "wrong file extension")
		}
	case "vztmpl":
		f.format = "raw"
		if !tmplEnding.MatchString(f.name) {
			return nil, wrongParam("filename", "wrong file extension")
		}
	default:
		m := importEnding.FindStringSubmatch(f.name)
		if m == nil {
			return nil, wrongParam("filename", "invalid filename or wrong extension")
		}
		f.format = m[1]
	}
	return f, nil
}

func (f *newFile) volid() string { return f.storage.id + ":" + f.content + "/" + f.name }

// path is where the node has the file when it is there.
func (f *newFile) path() string {
	return path.Join(f.storage.root(), directories[f.content], f.name)
}

// put makes the file a volume, in the place of one that had its name. It is called with mu held.
func (c *cluster) put(f *newFile, data *content) *volume {
	return c.add(&volume{
		volid: f.volid(), node: f.storage.where(f.node), storage: f.storage, content: f.content, format: f.format,
		size: data.length(), data: data,
	})
}

// checked looks at what came as Proxmox VE does: an image has to be of its format, and an OVA to have a descriptor.
func (w *worker) checked(f *newFile, data *content, at string) error {
	switch f.format {
	case "ova":
		return w.checkOVA(data)
	case "qcow2", "vmdk":
		if _, err := checkImage(data, f.format); err != nil {
			w.logf("command '/usr/bin/qemu-img info '--output=json' %s -f %s' failed: exit code 1", at, f.format)
			return die("qemu-img: Could not open '%s': %v", at, err)
		}
	}
	return nil
}

func (w *worker) checkOVA(data *content) error {
	found, err := w.extract(data, func(name string) bool { return strings.HasSuffix(name, ".ovf") })
	if err != nil {
		w.logf("tar: This does not look like a tar archive")
		w.logf("tar: Exiting with failure status due to previous errors")
		return die("command 'tar -t -f' failed: exit code 2")
	}
	if found == nil {
		return die("ova archive has no .ovf file inside")
	}
	return nil
}

var hashes = map[string]func() hash.Hash{
	"md5": md5.New, "sha1": sha1.New, "sha224": sha256.New224, "sha256": sha256.New, "sha384": sha512.New384, "sha512": sha512.New,
}

// digest is the checksum of data in hexadecimal digits.
func digest(algorithm string, data *content) (string, error) {
	fresh, ok := hashes[algorithm]
	if !ok {
		return "", die("unknown algorithm '%s'", algorithm)
	}
	h := fresh()
	if _, err := io.Copy(h, data.reader()); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// verifySum compares data with the checksum that is expected, and says so in the log.
func (w *worker) verifySum(data *content, algorithm, want string) error {
	if algorithm == "" {
		return nil
	}
	got, err := digest(algorithm, data)
	if err != nil {
		return err
	}
	if !strings.EqualFold(got, want) {
		w.logf("calculating checksum...")
		return die("checksum mismatch: got '%s' != expect '%s'", got, want)
	}
	w.logf("calculating checksum...OK, checksum verified")
	return nil
}
