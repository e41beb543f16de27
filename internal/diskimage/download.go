package diskimage

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// download is the stream of a URL. A dropped connection is taken up again where
// it broke off, provided that the server can do so and the file is still the same.
type download struct {
	*fetcher
	ctx context.Context

	version  version
	total    int64 // -1: the server did not say
	offset   int64 // of the next byte
	failures int   // in a row, without a new byte
	verified bool  // a checksum will prove the whole, so a resume needs no validator
	noRanges bool  // the server said that it has no ranges
	cur      *answer
}

// version is what a server says about the version of a file.
type version struct {
	etag     string
	modified string // the header, unparsed
}

func versionOf(h http.Header) version {
	return version{etag: h.Get("ETag"), modified: h.Get("Last-Modified")}
}

// differs reports whether two answers belong to different versions for sure.
func (v version) differs(w version) bool {
	if v.etag != "" && w.etag != "" {
		return v.etag != w.etag
	}
	return v.modified != "" && w.modified != "" && v.modified != w.modified
}

// validator is the value for If-Range. Weak ETags are not allowed there.
func (v version) validator() string {
	if v.etag != "" && !strings.HasPrefix(v.etag, "W/") {
		return v.etag
	}
	return v.modified
}

func openDownload(ctx context.Context, s Source) (*download, error) {
	f, err := newFetcher(s)
	if err != nil {
		return nil, err
	}
	d := &download{fetcher: f, ctx: ctx, verified: !s.Checksum.IsZero()}
	err = f.retry(ctx, func() (time.Duration, error) {
		a, err := f.once(ctx, http.MethodGet, nil)
		if err != nil {
			return 0, err
		}
		if a.StatusCode != http.StatusOK {
			defer a.close()
			return statusError(a.Response)
		}
		d.cur = a
		return 0, nil
	})
	if err != nil {
		return nil, err
	}
	d.version = versionOf(d.cur.Header)
	d.total = d.cur.ContentLength
	d.noRanges = strings.EqualFold(d.cur.Header.Get("Accept-Ranges"), "none")
	return d, nil
}

func (d *download) size() int64 { return d.total }

func (d *download) Close() error {
	if d.cur != nil {
		d.cur.close()
		d.cur = nil
	}
	return nil
}

func (d *download) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for {
		if d.total >= 0 && d.offset >= d.total {
			return 0, io.EOF
		}
		n, err := d.cur.Read(p)
		d.offset += int64(n)
		if d.total >= 0 && d.offset > d.total {
			return 0, errorf(Changed, "the server sent more than the %d bytes that it had promised", d.total)
		}
		if n > 0 {
			d.failures = 0
			return n, nil // an error with it comes again with the next read
		}
		if err == nil {
			continue
		}
		if err == io.EOF && d.total < 0 {
			return 0, io.EOF
		}
		if err := d.ctx.Err(); err != nil {
			return 0, fmt.Errorf("the transfer was stopped after %s: %w", d.extent(), err)
		}
		if err := d.resume(err); err != nil {
			return 0, err
		}
		if d.cur == nil { // nothing was left to send
			return 0, io.EOF
		}
	}
}

// extent says how much arrived.
func (d *download) extent() string {
	if d.total < 0 {
		return fmt.Sprintf("%d bytes (the server did not say how many there are)", d.offset)
	}
	return fmt.Sprintf("%d of %d bytes", d.offset, d.total)
}

func (d *download) cutShort(why string, drop error) error {
	if drop == io.EOF || errors.Is(drop, io.ErrUnexpectedEOF) {
		drop = errors.New("the connection was closed")
	}
	return &Error{Kind: Incomplete, Msg: fmt.Sprintf("download cut short: %s; %s (%s)", d.extent(), why, scrub(cause(drop).Error())), Err: beneath(drop)}
}

// resume opens a new connection for what is left after the drop. Without one
// after it, nothing was left.
func (d *download) resume(drop error) error {
	d.Close()
	validator := d.version.validator()
	switch {
	case d.noRanges:
		return d.cutShort("the server cannot continue a download", drop)
	case validator == "" && !d.verified:
		return d.cutShort("it cannot be continued safely, because the server gives neither ETag nor Last-Modified and no checksum is set", drop)
	}
	header := http.Header{}
	if d.offset > 0 {
		header.Set("Range", fmt.Sprintf("bytes=%d-", d.offset))
		if validator != "" {
			header.Set("If-Range", validator)
		}
	}
	last := drop
	for {
		d.failures++
		if d.failures > d.limits.MaxTries {
			return d.cutShort(fmt.Sprintf("no further byte in %d tries", d.limits.MaxTries), last)
		}
		if err := d.pause(d.ctx, d.failures, 0); err != nil {
			return err
		}
		a, err := d.once(d.ctx, http.MethodGet, header)
		if err == nil {
			err = d.accept(a, drop)
			if err == nil {
				return nil
			}
			a.close()
		}
		if ok, err := permanent(err); ok {
			return err
		}
		last = err
	}
}

// accept takes the answer as the rest of the download, or says why it is not.
func (d *download) accept(a *answer, drop error) error {
	changed := permanentError{errorf(Changed, "the file was replaced on the server during the download, after %s; try again", d.extent())}
	if a.StatusCode < 300 && d.version.differs(versionOf(a.Header)) {
		return changed
	}
	start, total, known := contentRange(a.Header.Get("Content-Range"))
	switch {
	case a.StatusCode == http.StatusOK && d.offset == 0:
		if d.total >= 0 && a.ContentLength != d.total {
			return changed
		}
	case a.StatusCode == http.StatusOK:
		return permanentError{d.cutShort("the server does not continue a download where it broke off", drop)}
	case a.StatusCode == http.StatusPartialContent:
		if !known || start != d.offset {
			return permanentError{d.cutShort("the server continues in another place than it was asked to", drop)}
		}
		if total >= 0 && d.total >= 0 && total != d.total {
			return changed
		}
		if d.total < 0 && total >= 0 {
			d.total = total
		}
	case a.StatusCode == http.StatusRequestedRangeNotSatisfiable:
		if d.total < 0 && total == d.offset {
			d.total = total // only the mark of the end was lost
			a.close()
			return nil
		}
		return permanentError{d.cutShort("the server has no more than that", drop)}
	default:
		_, err := statusError(a.Response)
		return err
	}
	d.cur = a
	return nil
}

// contentRange reads "bytes 100-199/200", "bytes 100-199/*" and "bytes */200".
// What is missing is -1.
func contentRange(h string) (start, total int64, ok bool) {
	h, found := strings.CutPrefix(h, "bytes ")
	span, size, slash := strings.Cut(h, "/")
	if !found || !slash {
		return -1, -1, false
	}
	total = -1
	if size != "*" {
		n, err := strconv.ParseInt(size, 10, 64)
		if err != nil || n < 0 {
			return -1, -1, false
		}
		total = n
	}
	if span == "*" {
		return -1, total, true
	}
	first, _, dash := strings.Cut(span, "-")
	start, err := strconv.ParseInt(first, 10, 64)
	if err != nil || !dash || start < 0 {
		return -1, -1, false
	}
	return start, total, true
}
