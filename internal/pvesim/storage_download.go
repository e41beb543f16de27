package pvesim

import (
	"context"
	"errors"
	"io"
	"strconv"
	"strings"
	"time"
)

func init() {
	handle("POST /nodes/{node}/storage/{storage}/download-url", downloadURL)
}

// interruptible reads until its task is stopped.
type interruptible struct {
	ctx context.Context
	io.Reader
}

func (r interruptible) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.Reader.Read(p)
}

// download is one download of a file by its URL.
type download struct {
	file           *newFile
	url            string
	verify         bool // the certificates of the server
	compression    string
	algorithm, sum string
}

func downloadURL(r *request) (any, error) {
	st, err := r.usable(r.p["node"], r.p["storage"])
	if err != nil {
		return nil, err
	}
	content := r.p["content"]
	switch {
	case !st.of().files:
		return nil, die("can't upload to storage type '%s', not a file based storage!", st.kind)
	case !st.holds(content):
		return nil, die("storage '%s' is not configured for content-type '%s'", st.id, content)
	}
	f, err := r.newFile(st)
	if err != nil {
		return nil, err
	}
	d := &download{
		file: f, url: r.p["url"], verify: r.p["verify-certificates"] != "0",
		compression: r.p["compression"], algorithm: r.p["checksum-algorithm"], sum: r.p["checksum"],
	}
	return r.fork(f.node, "download", f.name, func(w *worker) error {
		err := w.download(d)
		if err != nil && w.ctx.Err() != nil {
			return die("download failed: received interrupt")
		}
		return err
	}), nil
}

// download performs a download. Only a complete file that is right gets its name.
func (w *worker) download(d *download) error {
	if d.compression != "" && d.file.content != "iso" {
		return die("decompression not supported for %s", d.file.content)
	}
	w.logf("downloading %s to %s", d.url, d.file.path())
	there := w.existing(d.file)
	if there != nil {
		done, err := w.alreadyThere(d, there)
		if done || err != nil {
			return err
		}
	}
	at := d.file.path() + ".tmp_dwnl." + strconv.Itoa(w.task.pid)
	data, err := w.fetch(d, at)
	if err != nil {
		return err
	}
	if err := w.verifySum(data, d.algorithm, d.sum); err != nil {
		return err
	}
	if d.compression != "" {
		plain := d.file.path() + ".tmp_dcom." + strconv.Itoa(w.task.pid)
		w.logf("decompressing %s to %s", at, plain)
		if data, err = w.decompress(data, d.compression, at); err != nil {
			return err
		}
		at = plain
	}
	if err := w.checked(d.file, data, at); err != nil {
		return die("failed to verify file: %v", err)
	}
	return w.locked(func() error {
		w.put(d.file, data)
		w.say("download of '%s' to '%s' finished", d.url, d.file.path())
		return nil
	})
}

func (w *worker) existing(f *newFile) *volume {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.volume(f.node, f.volid())
}

// alreadyThere decides about a file that has the name: it is the right one, or the download fails.
func (w *worker) alreadyThere(d *download, v *volume) (bool, error) {
	if d.algorithm == "" {
		return false, die("refusing to override existing file '%s'", d.file.path())
	}
	got, err := digest(d.algorithm, v.data)
	if err != nil {
		return false, err
	}
	if !strings.EqualFold(got, d.sum) {
		w.logf("calculating checksum of existing file...")
		return false, die("checksum mismatch: got '%s' != expect '%s', aborting", got, d.sum)
	}
	w.logf("calculating checksum of existing file...OK, got correct file already, no need to download")
	return true, nil
}

// fetch gets the bytes, with the lines that wget writes.
func (w *worker) fetch(d *download, at string) (*content, error) {
	body, size, err := w.open(d)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	data := newContent(w.volumes.spool, 0)
	p := &progressReader{
		w: w, r: interruptible{w.ctx, body}, size: size, began: time.Now(), left: w.spaceNow(d.file), first: "Saving to: '" + at + "'",
	}
	err = data.fill(p)
	p.announce()
	if err != nil {
		if errors.Is(err, errNoSpace) {
			w.logf("%s: No space left on device", at)
			return nil, die("download failed: Cannot write to '%s' (No space left on device).", at)
		}
		if w.ctx.Err() != nil {
			return nil, w.ctx.Err()
		}
		w.logf("%s (%s) - Connection closed at byte %d.", wgetTime(), speed(p.read, p.began), p.read)
		return nil, die("download failed: exit code 4")
	}
	p.last()
	w.logf("%s (%s) - '%s' saved [%d/%d]", wgetTime(), speed(p.read, p.began), at, p.read, p.read)
	return data, nil
}

// spaceNow is the space that is left for a file.
func (w *worker) spaceNow(f *newFile) int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.spaceLeft(f.storage, f.node)
}
