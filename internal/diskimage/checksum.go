package diskimage

import (
	"bufio"
	"context"
	"crypto/md5"  //nolint:gosec // see Checksum
	"crypto/sha1" //nolint:gosec // see Checksum
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"path"
	"regexp"
	"strings"
)

// Checksum is what the transferred bytes of an image must have: a digest, or a
// list (SHA256SUMS and the like) that holds it.
//
// SHA-256, SHA-384 and SHA-512 protect against a forged image. MD5 and SHA-1 are
// accepted because some vendors publish nothing else: they reveal a damaged or
// mixed-up image, but not one that was forged.
type Checksum struct {
	// Algorithm is md5, sha1, sha256, sha384 or sha512; empty with a List.
	Algorithm string
	// Hex is the digest in lower case; empty with a List.
	Hex string
	// List is the URL or local path of a list of checksums.
	List string
}

var algorithms = []struct {
	name string
	size int // bytes
	make func() hash.Hash
}{
	// From weak to strong.
	{"md5", md5.Size, md5.New},
	{"sha1", sha1.Size, sha1.New},
	{"sha256", sha256.Size, sha256.New},
	{"sha384", sha512.Size384, sha512.New384},
	{"sha512", sha512.Size, sha512.New},
}

const algorithmNames = "md5, sha1, sha256, sha384 or sha512"

// strength is the place of an algorithm in the table, or -1.
func strength(name string) int {
	for i, a := range algorithms {
		if a.name == name {
			return i
		}
	}
	return -1
}

// byLength guesses the algorithm of a digest in hex, or -1.
func byLength(digest string) int {
	for i, a := range algorithms {
		if len(digest) == 2*a.size {
			return i
		}
	}
	return -1
}

// ParseChecksum reads "sha256:<hex>" (or sha512, sha384, sha1, md5) or
// "file:<URL or path>" of a list of checksums. An empty text is the zero
// Checksum. It touches neither network nor files.
func ParseChecksum(text string) (Checksum, error) {
	if text == "" {
		return Checksum{}, nil
	}
	name, value, ok := strings.Cut(text, ":")
	if !ok {
		if i := byLength(text); i >= 0 && isHex(text) {
			return Checksum{}, errorf(Invalid, "a checksum names its algorithm: write %q in front, as in %q", algorithms[i].name+":", algorithms[i].name+":"+text[:8]+"...")
		}
		return Checksum{}, errorf(Invalid, "a checksum is written as ALGORITHM:DIGEST with %s, or file:LOCATION of a list of checksums", algorithmNames)
	}
	name = strings.ToLower(name)
	if name == "file" {
		return parseList(value)
	}
	i := strength(name)
	if i < 0 {
		return Checksum{}, errorf(Invalid, "the checksum algorithm %q is not known, use %s, or file: with a list of checksums", name, algorithmNames)
	}
	if !isHex(value) {
		return Checksum{}, errorf(Invalid, "a %s checksum is hexadecimal", name)
	}
	if want := 2 * algorithms[i].size; len(value) != want {
		return Checksum{}, errorf(Invalid, "a %s checksum has %d hexadecimal digits, this one has %d", name, want, len(value))
	}
	return Checksum{Algorithm: name, Hex: strings.ToLower(value)}, nil
}

func parseList(location string) (Checksum, error) {
	if location == "" {
		return Checksum{}, errorf(Invalid, "file: needs the URL or path of a list of checksums")
	}
	if strings.Contains(location, "://") {
		if err := ValidateURL(location); err != nil {
			return Checksum{}, err
		}
	}
	return Checksum{List: location}, nil
}

// IsZero reports whether nothing is to be checked.
func (c Checksum) IsZero() bool { return c == Checksum{} }

// String is the inverse of ParseChecksum, except that the URL of a list is shown
// without credentials.
func (c Checksum) String() string {
	switch {
	case c.List != "" && strings.Contains(c.List, "://"):
		return "file:" + redact(c.List)
	case c.List != "":
		return "file:" + c.List
	case c.Algorithm != "":
		return c.Algorithm + ":" + c.Hex
	}
	return ""
}

func (c Checksum) newHash() hash.Hash {
	if i := strength(c.Algorithm); i >= 0 {
		return algorithms[i].make()
	}
	return nil
}

// maxListBytes is far above the largest list that a distribution publishes.
const maxListBytes = 4 << 20

// resolveChecksum replaces a list by the digest that it holds for the source.
func (s Source) resolveChecksum(ctx context.Context) (Checksum, error) {
	if s.Checksum.List == "" {
		if s.Checksum.IsZero() {
			return s.Checksum, nil
		}
		// The fields may have been filled in without ParseChecksum.
		return ParseChecksum(s.Checksum.Algorithm + ":" + s.Checksum.Hex)
	}
	list := Source{Limits: s.Limits, Transport: s.Transport}
	list.Limits.MaxBytes = maxListBytes
	if strings.Contains(s.Checksum.List, "://") {
		list.URL = s.Checksum.List
	} else {
		list.Path = s.Checksum.List
	}
	sum, err := list.find(ctx, s.BaseName())
	var e *Error
	if errors.As(err, &e) {
		return Checksum{}, &Error{Kind: e.Kind, Msg: "checksum list " + list.String() + ": " + e.Msg, Err: err}
	}
	return sum, err
}

// find reads the source as a list of checksums and returns the one of name.
func (s Source) find(ctx context.Context, name string) (Checksum, error) {
	if err := s.Validate(); err != nil {
		return Checksum{}, err
	}
	in, err := s.openStream(ctx)
	if err != nil {
		return Checksum{}, err
	}
	defer in.Close()
	body, err := io.ReadAll(&transfer{in: in, max: maxListBytes})
	if err != nil {
		return Checksum{}, err
	}
	return findInList(string(body), name)
}

var (
	// 9f86d0...  name   or, for binary mode,   9f86d0... *name
	gnuLine = regexp.MustCompile(`^\\?([0-9a-fA-F]{32,128})[ \t]+\*?(.+)$`)
	// SHA256 (name) = 9f86d0...
	bsdLine = regexp.MustCompile(`^([A-Za-z0-9-]+) ?\((.+)\) ?= ?([0-9a-fA-F]{32,128})$`)
)

// findInList returns the strongest digest that the list has for name. A line
// that has exactly this name wins over one that has it below a directory. A
// list that is nothing but one digest belongs to whatever it was published for.
func findInList(text, name string) (Checksum, error) {
	var exact, below, bare []Checksum
	lines := bufio.NewScanner(strings.NewReader(text))
	lines.Buffer(nil, maxListBytes+1)
	for lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		var i int
		var digest, file string
		if m := bsdLine.FindStringSubmatch(line); m != nil {
			i, file, digest = strength(strings.ReplaceAll(strings.ToLower(m[1]), "-", "")), m[2], m[3]
			if i < 0 || len(digest) != 2*algorithms[i].size {
				continue
			}
		} else if m := gnuLine.FindStringSubmatch(line); m != nil {
			digest, file = m[1], m[2]
			if i = byLength(digest); i < 0 {
				continue
			}
		} else if i = byLength(line); i >= 0 && isHex(line) {
			digest = line
		} else {
			continue
		}
		sum := Checksum{Algorithm: algorithms[i].name, Hex: strings.ToLower(digest)}
		switch {
		case file == "":
			bare = append(bare, sum)
		case strings.TrimPrefix(file, "./") == name:
			exact = append(exact, sum)
		case path.Base(file) == name:
			below = append(below, sum)
		}
	}
	for _, found := range [][]Checksum{exact, below} {
		if len(found) > 0 {
			return strongest(found, name)
		}
	}
	if len(bare) == 1 {
		return bare[0], nil
	}
	return Checksum{}, errorf(Invalid, "no line names %q; give the digest itself, as in sha256:DIGEST", name)
}

func strongest(found []Checksum, name string) (Checksum, error) {
	best := found[0]
	for _, sum := range found[1:] {
		if sum.Algorithm == best.Algorithm && sum.Hex != best.Hex {
			return Checksum{}, errorf(Invalid, "there are two different %s digests for %q; give the digest itself, as in sha256:DIGEST", sum.Algorithm, name)
		}
		if strength(sum.Algorithm) > strength(best.Algorithm) {
			best = sum
		}
	}
	return best, nil
}

func isHex(s string) bool {
	_, err := hex.DecodeString(s)
	return err == nil
}
