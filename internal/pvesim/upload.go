package pvesim

import (
	"errors"
	"io"
	"mime/multipart"
	"net/http"
	"os"
	"path/filepath"
)

// readUpload reads the fields and the file of an upload. Proxmox VE takes fields only ahead of the file, and the
// algorithm of a checksum only ahead of the checksum.
func readUpload(in map[string]any, body io.Reader, boundary string) (*upload, error) {
	bad := proxied(http.StatusBadRequest, "Bad Request")
	if boundary == "" {
		return nil, bad
	}
	// A client that still writes would not read the answer.
	defer func() { _, _ = io.Copy(io.Discard, body) }()
	parts := multipart.NewReader(body, boundary)
	for {
		part, err := parts.NextPart()
		if err != nil {
			return nil, bad
		}
		if part.FormName() == "filename" {
			return store(in, part)
		}
		value, err := io.ReadAll(io.LimitReader(part, maxForm))
		_, algorithm := in["checksum-algorithm"]
		if err != nil || part.FormName() == "" || part.FormName() == "checksum" && !algorithm {
			return nil, bad
		}
		in[part.FormName()] = string(value)
	}
}

// store writes the file of an upload to a temporary one.
func store(in map[string]any, part *multipart.Part) (*upload, error) {
	f, err := os.CreateTemp("", "pveupload-")
	if err != nil {
		return nil, die("unable to create temporary file: %v", err)
	}
	u := &upload{name: part.FileName(), path: f.Name()}
	u.size, err = io.Copy(f, part)
	if err = errors.Join(err, f.Close()); err != nil {
		_ = os.Remove(u.path)
		return nil, proxied(http.StatusBadRequest, "Bad Request")
	}
	in["filename"] = u.name
	in["tmpfilename"] = "/var/tmp/" + filepath.Base(u.path) // a digits' name is what the schema wants
	return u, nil
}
