package proxmox

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"fmt"
	"io"
	"strings"
)

const (
	packed = "gz:"
	// maxUnpacked bounds what a packed text becomes: nothing that fits into a description needs more.
	maxUnpacked = 1 << 22
)

// pack makes a long text shorter; one that gets no shorter stays, unless it would look like a packed one.
func pack(text string) string {
	if len(text) < 64 && !strings.HasPrefix(text, packed) {
		return text
	}
	var b bytes.Buffer
	w, _ := gzip.NewWriterLevel(&b, gzip.BestCompression) // the level is one that there is
	_, _ = io.WriteString(w, text)                        // to memory
	_ = w.Close()
	short := packed + base64.RawStdEncoding.EncodeToString(b.Bytes())
	if len(short) >= len(text) && !strings.HasPrefix(text, packed) {
		return text
	}
	return short
}

// unpack is the reverse of pack.
func unpack(text string) (string, error) {
	encoded, ok := strings.CutPrefix(text, packed)
	if !ok {
		return text, nil
	}
	data, err := base64.RawStdEncoding.DecodeString(encoded)
	if err != nil {
		return "", fmt.Errorf("a packed text is damaged: %w", err)
	}
	r, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return "", fmt.Errorf("a packed text is damaged: %w", err)
	}
	out, err := io.ReadAll(io.LimitReader(r, maxUnpacked))
	if err != nil {
		return "", fmt.Errorf("a packed text is damaged: %w", err)
	}
	return string(out), nil
}
