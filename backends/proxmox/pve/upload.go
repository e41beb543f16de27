package pve

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"slices"
	"strings"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// Upload is a file on its way to a storage.
type Upload struct {
	Fields   map[string]string // content, checksum-algorithm, checksum
	Filename string
	Size     int64     // of the file, in bytes: Proxmox VE wants to know it beforehand
	File     io.Reader // read once; where it is an io.Seeker, an upload that was refused for an old login is repeated
	Object   string    // that progress is reported of: `image "debian-12"`
}

// Upload sends a file to path, which is that of a storage's upload, and decodes the answer, a UPID, into into. The file is not held in
// memory. The task that follows puts it in its place and checks its checksum.
func (c *Client) Upload(ctx context.Context, path string, u Upload, into any) error {
	s, err := newStream(ctx, &u)
	if err != nil {
		return err
	}
	return c.do(ctx, &call{method: http.MethodPost, path: path, stream: s, kind: s.kind}, into)
}

// stream is a file within a form.
type stream struct {
	ctx        context.Context // to report progress to
	upload     *Upload
	head, tail []byte
	kind       string
	total      int64
	start      int64 // of the file in File
	begun      bool
	err        error // of reading the file
}

// newStream puts the form around the file. Proxmox VE reads a form by order: fields before the file, checksum-algorithm before checksum.
func newStream(ctx context.Context, u *Upload) (*stream, error) {
	if u.Filename == "" || strings.ContainsAny(u.Filename, "\"/\\\r\n") {
		return nil, backends.Errorf(backends.Invalid, "upload", u.Object, "%q is not a file name", u.Filename)
	}
	if u.Size < 0 {
		return nil, backends.Errorf(backends.Internal, "upload", u.Object, "the size of %s is not known", u.Filename)
	}
	names := make([]string, 0, len(u.Fields))
	for name := range u.Fields {
		names = append(names, name)
	}
	order := func(name string) int {
		return slices.Index([]string{"checksum", "checksum-algorithm", "content"}, name)
	}
	slices.SortFunc(names, func(a, b string) int { return order(b) - order(a) })
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for _, name := range names {
		_ = w.WriteField(name, u.Fields[name]) // to memory
	}
	_, _ = w.CreateFormFile("filename", u.Filename)
	head := bytes.Clone(b.Bytes())
	b.Reset()
	_ = w.Close()
	s := &stream{ctx: ctx, upload: u, head: head, tail: bytes.Clone(b.Bytes()), kind: w.FormDataContentType()}
	s.total = int64(len(s.head)) + u.Size + int64(len(s.tail))
	if seeker, ok := u.File.(io.Seeker); ok {
		if at, err := seeker.Seek(0, io.SeekCurrent); err == nil {
			s.start = at
		}
	}
	return s, nil
}

// reader returns the form. touch is called when some of it is taken.
func (s *stream) reader(touch func()) io.ReadCloser {
	s.begun = true
	return io.NopCloser(io.MultiReader(bytes.NewReader(s.head), &meter{stream: s, touch: touch}, bytes.NewReader(s.tail)))
}

// rewind makes the stream ready to be sent again, if nothing of it was or the file can be read again.
func (s *stream) rewind() bool {
	if !s.begun {
		return true
	}
	seeker, ok := s.upload.File.(io.Seeker)
	if !ok {
		return false
	}
	_, err := seeker.Seek(s.start, io.SeekStart)
	return err == nil
}

// meter reads the file, no more and no less than its size, and reports how far it is.
type meter struct {
	stream *stream
	touch  func()
	done   int64
	shown  int
}

func (m *meter) Read(p []byte) (int, error) {
	u := m.stream.upload
	left := u.Size - m.done
	if left == 0 {
		return 0, io.EOF
	}
	n, err := u.File.Read(p[:min(int64(len(p)), left)])
	m.done += int64(n)
	m.touch()
	if percent := int(m.done * 100 / max(u.Size, 1)); n > 0 && (percent > m.shown || m.done == u.Size) {
		m.shown = percent
		backends.Report(m.stream.ctx, backends.Progress{Op: "upload " + u.Filename, Object: u.Object, Percent: percent, Done: m.done, Total: u.Size})
	}
	switch {
	case err == io.EOF && m.done < u.Size:
		err = fmt.Errorf("it ends after %d of %d bytes", m.done, u.Size)
		fallthrough
	case err != nil && err != io.EOF:
		m.stream.err = err
	case err == io.EOF:
		err = nil // the next read says so
	}
	return n, err
}
