package ovf

import (
	"bufio"
	"bytes"
	"crypto/sha1" //nolint:gosec // what manifests have; it finds damage
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"hash"
	"path"
	"regexp"
	"strings"

	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/diskimage"
)

// maxManifest bounds a manifest; one line is about 100 bytes.
const maxManifest = 1 << 20

// manifest has the digests of a package's files, by name.
type manifest map[string]digest

type digest struct {
	algorithm string // "sha1", "sha256", "sha384", "sha512"
	hex       string
}

var (
	// SHA256(disk.vmdk)= 0123..., as the standard has it.
	manifestLine = regexp.MustCompile(`^(SHA-?(?:1|256|384|512))\s*\((.+)\)\s*=\s*([0-9a-fA-F]+)$`)
	// 0123...  disk.vmdk, as sha256sum writes it.
	sumLine = regexp.MustCompile(`^([0-9a-fA-F]{40,128})\s+\*?(.+)$`)
	byHex   = map[int]string{40: "sha1", 64: "sha256", 96: "sha384", 128: "sha512"}
)

func parseManifest(text []byte) (manifest, error) {
	bad := func(line string) error {
		return errorf(diskimage.Damaged, "its manifest cannot be read: %q is neither ALGORITHM(FILE)= DIGEST nor DIGEST FILE", line)
	}
	m := manifest{}
	for in := bufio.NewScanner(bytes.NewReader(bytes.TrimPrefix(text, []byte("\xef\xbb\xbf")))); in.Scan(); {
		line := strings.TrimSpace(in.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		var name string
		var d digest
		if p := manifestLine.FindStringSubmatch(line); p != nil {
			d.algorithm, name, d.hex = strings.ToLower(strings.ReplaceAll(p[1], "-", "")), p[2], strings.ToLower(p[3])
		} else if p := sumLine.FindStringSubmatch(line); p != nil {
			name, d.hex = p[2], strings.ToLower(p[1])
			d.algorithm = byHex[len(d.hex)]
		}
		if d.algorithm == "" || byHex[len(d.hex)] != d.algorithm {
			return nil, bad(line[:min(len(line), 200)])
		}
		name = path.Clean(strings.TrimSpace(name))
		if old, twice := m[name]; twice && old != d {
			return nil, errorf(diskimage.Damaged, "its manifest has two digests for %q", name)
		}
		m[name] = d
	}
	if len(m) == 0 {
		return nil, errorf(diskimage.Damaged, "its manifest is empty")
	}
	return m, nil
}

// sums hashes a file for a manifest that may come only later.
type sums map[string]hash.Hash

// sumsFor makes what the entry of a manifest needs, or, where there is no manifest yet, all.
func sumsFor(m manifest, name string) sums {
	all := sums{}
	if m == nil {
		for _, a := range byHex {
			all[a] = newHash(a)
		}
		return all
	}
	if d, ok := m[name]; ok {
		all[d.algorithm] = newHash(d.algorithm)
	}
	return all
}

func newHash(algorithm string) hash.Hash {
	switch algorithm {
	case "sha1":
		return sha1.New() //nolint:gosec // see above
	case "sha384":
		return sha512.New384()
	case "sha512":
		return sha512.New()
	}
	return sha256.New()
}

func (s sums) Write(p []byte) (int, error) {
	for _, h := range s {
		h.Write(p) //nolint:errcheck // a hash never fails
	}
	return len(p), nil
}

// digests is what was hashed.
func (s sums) digests() map[string]string {
	all := make(map[string]string, len(s))
	for a, h := range s {
		all[a] = hex.EncodeToString(h.Sum(nil))
	}
	return all
}

// check holds the files that came against the manifest.
func (m manifest) check(came map[string]map[string]string) error {
	for name, want := range m {
		got, ok := came[name]
		if !ok {
			return errorf(diskimage.Damaged, "its manifest names the file %q, which the package lacks", name)
		}
		if d, hashed := got[want.algorithm]; hashed && d != want.hex {
			return errorf(diskimage.Damaged, "the file %q in it is not what the manifest says: its %s is %s, not %s; the package was changed or damaged after it was made",
				name, want.algorithm, d, want.hex)
		}
	}
	return nil
}
