package libvirt

import (
	"crypto/rand"
	"encoding/hex"
	"strings"

	rpc "github.com/digitalocean/go-libvirt"
)

// newUUID makes a random UUID.
func newUUID() string {
	var u rpc.UUID
	_, _ = rand.Read(u[:]) // never fails
	u[6] = u[6]&0x0f | 0x40
	u[8] = u[8]&0x3f | 0x80
	return formatUUID(u)
}

func formatUUID(u rpc.UUID) string {
	s := hex.EncodeToString(u[:])
	return s[:8] + "-" + s[8:12] + "-" + s[12:16] + "-" + s[16:20] + "-" + s[20:]
}

func parseUUID(s string) (rpc.UUID, bool) {
	var u rpc.UUID
	if len(s) != 36 {
		return u, false
	}
	raw, err := hex.DecodeString(strings.ReplaceAll(s, "-", ""))
	if err != nil || len(raw) != len(u) {
		return u, false
	}
	copy(u[:], raw)
	return u, true
}
