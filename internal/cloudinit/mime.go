package cloudinit

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"strings"
)

// How cloud-init merges our part over the user's: what the user wrote stays, lists grow.
const mergeHow = "list(append)+dict(no_replace,recurse_list)+str()"

// archive is a multipart/mixed message with the user's data, unchanged, and then ours. The boundary
// comes from the contents, so equal inputs give equal bytes.
func archive(user string, f format, own ownConfig) string {
	ours := cloudConfigHeader + "\nmerge_how: " + quote(mergeHow) + "\n" + own.yaml()
	sum := sha256.Sum256([]byte(user + "\x00" + ours))
	return message(hex.EncodeToString(sum[:16]), user, f, "text/cloud-config", ours)
}

// message is a multipart/mixed message with the user's data and a part of ours.
func message(digest, user string, f format, mimeType, ours string) string {
	boundary := "==virtrigaud-" + digest + "=="
	var b strings.Builder
	b.WriteString("Content-Type: multipart/mixed; boundary=\"" + boundary + "\"\nMIME-Version: 1.0\n")
	b.WriteString("\n--" + boundary + "\n")
	if f.mimeType == "multipart/mixed" {
		// A message is a part as it is, but for the line with which mail boxes separate messages.
		user = strings.TrimLeft(user, " \t\r\n")
		if strings.HasPrefix(user, "From ") {
			_, user, _ = strings.Cut(user, "\n")
		}
		b.WriteString(user)
	} else {
		theirs := f.mimeType
		if theirs == "" {
			theirs = "text/plain"
		}
		writePart(&b, theirs, user)
	}
	b.WriteString("\n--" + boundary + "\n")
	writePart(&b, mimeType, ours)
	b.WriteString("\n--" + boundary + "--\n")
	return b.String()
}

// writePart writes headers and a body. Anything but plain ASCII lines goes as base64:
// the parser in cloud-init garbles other bytes in a part that is not encoded.
func writePart(b *strings.Builder, mimeType, body string) {
	b.WriteString("Content-Type: " + mimeType)
	if strings.HasPrefix(mimeType, "text/") {
		b.WriteString("; charset=\"utf-8\"")
	}
	b.WriteString("\nMIME-Version: 1.0\n")
	if isPlain(body) {
		b.WriteString("Content-Transfer-Encoding: 7bit\n\n" + body)
		return
	}
	b.WriteString("Content-Transfer-Encoding: base64\n\n")
	encoded := base64.StdEncoding.EncodeToString([]byte(body))
	for len(encoded) > 76 {
		b.WriteString(encoded[:76] + "\n")
		encoded = encoded[76:]
	}
	b.WriteString(encoded)
}

func isPlain(s string) bool {
	for i := range len(s) {
		if c := s[i]; c != '\n' && c != '\t' && (c < ' ' || c > '~') {
			return false
		}
	}
	return true
}
