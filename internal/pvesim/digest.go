package pvesim

import (
	"crypto/sha1" //nolint:gosec // What Proxmox VE takes for digests of configuration files.
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// checksum is the digest of a configuration file with that text.
func checksum(text string) string {
	sum := sha1.Sum([]byte(text)) //nolint:gosec // As above.
	return hex.EncodeToString(sum[:])
}

// digestOf is the checksum of a configuration file; one that is empty has that of nothing.
func digestOf(parts ...section) string {
	var b strings.Builder
	for _, s := range parts {
		for _, k := range slices.Sorted(maps.Keys(s)) {
			fmt.Fprintf(&b, "%s: %s\n", k, s[k])
		}
	}
	return checksum(b.String())
}

// sameDigest refuses a digest that is given and is not the one there is.
func (r *request) sameDigest(now string) error {
	if d := r.p["digest"]; d != "" && d != now {
		return die("detected modified configuration - file changed by other user? Try again.")
	}
	return nil
}
