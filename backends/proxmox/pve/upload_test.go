package pve

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

const uploadPath = "/nodes/pve1/storage/local/upload"

// received is what a storage gets.
type received struct {
	names    []string // of the form's fields, in order
	fields   map[string]string
	filename string
	size     int64
	sum      string
	length   int64 // Content-Length
}

// receive reads an upload as it comes.
func receive(r *http.Request) (received, error) {
	got := received{fields: map[string]string{}, length: r.ContentLength}
	_, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil {
		return got, err
	}
	form := multipart.NewReader(r.Body, params["boundary"])
	for {
		part, err := form.NextPart()
		if err == io.EOF {
			return got, nil
		}
		if err != nil {
			return got, err
		}
		got.names = append(got.names, part.FormName())
		if part.FileName() == "" {
			text, _ := io.ReadAll(part)
			got.fields[part.FormName()] = string(text)
			continue
		}
		got.filename = part.FileName()
		hash := sha256.New()
		if got.size, err = io.Copy(hash, part); err != nil {
			return got, err
		}
		got.sum = hex.EncodeToString(hash.Sum(nil))
	}
}

func storing(t *testing.T, got *received) reply {
	return reply{handle: func(w http.ResponseWriter, r *http.Request) {
		var err error
		if *got, err = receive(r); err != nil {
			t.Error(err)
		}
		ok("UPID:pve1:00001A75:000647B9:6B02A1FE:imgcopy::root@pam!tf:").play(w, r)
	}}
}

func TestUpload(t *testing.T) {
	f := newFake(t)
	c := connected(t, f.config())
	var got received
	f.on("POST "+uploadPath, storing(t, &got))
	content := []byte("content of an image")
	sum := sha256.Sum256(content)
	var mu sync.Mutex
	var last backends.Progress
	ctx := backends.WithProgress(t.Context(), func(p backends.Progress) {
		mu.Lock()
		defer mu.Unlock()
		last = p
	})
	var upid string
	err := c.Upload(ctx, uploadPath, Upload{
		Fields:   map[string]string{"checksum": hex.EncodeToString(sum[:]), "content": "iso", "checksum-algorithm": "sha256"},
		Filename: "a b.iso", Size: int64(len(content)), File: bytes.NewReader(append(content, "more than was said"...)), Object: `image "a"`,
	}, &upid)
	if err != nil || !strings.HasPrefix(upid, "UPID:pve1:") {
		t.Fatal(upid, err)
	}
	if want := []string{"content", "checksum-algorithm", "checksum", "filename"}; !slices.Equal(got.names, want) {
		t.Errorf("fields in the order %v", got.names)
	}
	if got.filename != "a b.iso" || got.size != int64(len(content)) || got.sum != hex.EncodeToString(sum[:]) || got.fields["content"] != "iso" || got.length <= got.size {
		t.Errorf("%+v", got)
	}
	mu.Lock()
	defer mu.Unlock()
	if last.Percent != 100 || last.Done != int64(len(content)) || last.Total != int64(len(content)) || last.Object != `image "a"` {
		t.Errorf("%+v", last)
	}
}

// zeros is a large file.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func TestUploadIsNotHeldInMemory(t *testing.T) {
	f := newFake(t)
	c := connected(t, f.config())
	var got received
	f.on("POST "+uploadPath, storing(t, &got))
	const size = 64 << 20
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if err := c.Upload(t.Context(), uploadPath, Upload{Fields: map[string]string{"content": "iso"}, Filename: "x.iso", Size: size, File: zeros{}}, nil); err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	if got.size != size {
		t.Errorf("%d bytes", got.size)
	}
	if used := after.TotalAlloc - before.TotalAlloc; used > 32<<20 {
		t.Errorf("%d MiB were allocated", used>>20)
	}
}

func TestUploadThatFails(t *testing.T) {
	f := newFake(t)
	c := connected(t, f.config())
	up := func(file io.Reader) error {
		return c.Upload(t.Context(), uploadPath, Upload{Fields: map[string]string{"content": "iso"}, Filename: "x.iso", Size: 1 << 20, File: file}, nil)
	}
	f.on("POST "+uploadPath, reply{handle: func(w http.ResponseWriter, r *http.Request) {
		_, _ = receive(r)
		ok("x").play(w, r)
	}})
	wants(t, up(strings.NewReader("short")), backends.Internal, "cannot be read", "it ends after 5 of 1048576 bytes")
	wants(t, up(io.MultiReader(strings.NewReader("x"), broken{})), backends.Internal, "cannot be read", "the disk is on fire")
	f.on("POST "+uploadPath, no(500, "not enough free space on storage"))
	wants(t, up(zeros{}), backends.Exhausted)
	f.on("POST "+uploadPath, bare(400, "Bad Request"))
	wants(t, up(zeros{}), backends.Invalid)
	before := f.count("POST " + uploadPath)
	f.on("POST "+uploadPath, drop)
	wants(t, up(zeros{}), backends.Transient)
	if n := f.count("POST " + uploadPath); n != before+1 {
		t.Errorf("sent %d times", n-before)
	}
	for _, name := range []string{"", "a/b.iso", "a\"b", "a\nb"} {
		wants(t, c.Upload(t.Context(), uploadPath, Upload{Filename: name, File: zeros{}}, nil), backends.Invalid)
	}
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, errors.New("the disk is on fire") }

// An upload whose ticket has ended is sent again from the start, where the file can be.
func TestUploadWithAnExpiredTicket(t *testing.T) {
	f := newFake(t)
	f.on("POST /access/ticket", ticket("one"), ticket("two"), ticket("three"))
	c := connected(t, byPassword(f))
	var got received
	f.on("POST "+uploadPath, reply{handle: func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.CopyN(io.Discard, r.Body, 1000)
		bare(401, "Authentication failed!").play(w, r)
	}}, storing(t, &got))
	file := strings.NewReader(strings.Repeat("x", 100) + "content")
	_, _ = file.Seek(100, io.SeekStart)
	err := c.Upload(t.Context(), uploadPath, Upload{Fields: map[string]string{"content": "iso"}, Filename: "x.iso", Size: 7, File: file}, nil)
	if err != nil || got.size != 7 {
		t.Error(got, err)
	}
}

// The time for an answer does not bound an upload that goes on.
func TestSlowUpload(t *testing.T) {
	f := newFake(t)
	cfg := f.config()
	cfg.RequestTimeout = 200 * time.Millisecond
	c := connected(t, cfg)
	var got received
	f.on("POST "+uploadPath, storing(t, &got))
	if err := c.Upload(t.Context(), uploadPath, Upload{Filename: "x.iso", Size: 10, File: &trickle{pause: 50 * time.Millisecond}}, nil); err != nil || got.size != 10 {
		t.Error(got, err)
	}
	f.on("POST "+uploadPath, hang)
	if err := c.Upload(t.Context(), uploadPath, Upload{Filename: "x.iso", Size: 10, File: &trickle{pause: time.Second}}, nil); backends.CodeOf(err) != backends.Transient {
		t.Error(err)
	}
}

// trickle gives a byte at a time.
type trickle struct{ pause time.Duration }

func (r *trickle) Read(p []byte) (int, error) {
	time.Sleep(r.pause)
	return copy(p[:1], "x"), nil
}
