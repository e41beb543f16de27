package diskimage

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// Fingerprint returns a short text that tells versions of an image apart, so
// that an unchanged image is not uploaded again. It transfers the image only
// where nothing cheaper can tell. Compare two with SameContent.
//
// In order of preference, it is
//
//   - "sha256:DIGEST" (or another algorithm) where the source has a checksum. A
//     list of checksums is read, the image is not: the fingerprint changes when
//     the list does.
//   - "sha256:DIGEST size=BYTES mtime=TIME" for a local file without a checksum. The
//     file is read to its end, unless previous, the fingerprint from an earlier
//     call, has the same size and time of modification (to the nanosecond); then
//     it is believed and returned again. So a file whose content was changed with
//     neither size nor time changing counts as the same.
//   - `etag=VALUE size=BYTES`, or `modified=TIME size=BYTES` if the server gives no ETag,
//     for a URL without a checksum.
//
// It is empty where a server gives neither ETag nor Last-Modified: then nothing
// is known, and only a checksum helps.
//
// A fingerprint holds no URL, path or credentials. The digests are those of the
// file as published, before decompression.
func Fingerprint(ctx context.Context, s Source, previous string) (string, error) {
	fp, err := fingerprint(ctx, s, previous)
	if err != nil {
		return "", about(s.String(), err)
	}
	return fp, nil
}

// SameContent reports whether two fingerprints promise the same bytes. Equal
// digests do, whatever the rest says (a file that was only touched is the same).
// Without digests the texts have to be equal. Nothing is the same as an empty
// fingerprint, nor are fingerprints of different kinds, even of the same image.
func SameContent(a, b string) bool {
	if a == "" || b == "" {
		return false
	}
	da, _, _ := strings.Cut(a, " ")
	db, _, _ := strings.Cut(b, " ")
	if sum, err := ParseChecksum(da); err == nil && sum.Hex != "" {
		return da == db
	}
	return a == b
}

func fingerprint(ctx context.Context, s Source, previous string) (string, error) {
	if err := s.Validate(); err != nil {
		return "", err
	}
	sum, err := s.resolveChecksum(ctx)
	switch {
	case err != nil:
		return "", err
	case !sum.IsZero():
		return sum.String(), nil
	case s.URL != "":
		return remoteFingerprint(ctx, s)
	}
	return localFingerprint(ctx, s, previous)
}

func localFingerprint(ctx context.Context, s Source, previous string) (string, error) {
	f, err := openLocal(ctx, s.Path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	stat := fmt.Sprintf("size=%d mtime=%s", f.size(), f.info.ModTime().UTC().Format(time.RFC3339Nano))
	if digest, rest, ok := strings.Cut(previous, " "); ok && rest == stat {
		if sum, err := ParseChecksum(digest); err == nil && sum.Algorithm == "sha256" {
			return previous, nil
		}
	}
	hash := Checksum{Algorithm: "sha256"}.newHash()
	t := &transfer{in: f, hash: hash, max: s.Limits.withDefaults().MaxBytes, progress: s.Progress}
	if err := t.drain(); err != nil {
		return "", err
	}
	return fmt.Sprintf("sha256:%x %s", hash.Sum(nil), stat), nil
}

func remoteFingerprint(ctx context.Context, s Source) (string, error) {
	f, err := newFetcher(s)
	if err != nil {
		return "", err
	}
	v, size, err := f.head(ctx)
	if err != nil {
		return "", err
	}
	var fp string
	switch {
	case v.etag != "":
		fp = "etag=" + v.etag
	case v.modified != "":
		fp = "modified=" + strings.ReplaceAll(v.modified, " ", "_")
	default:
		return "", nil
	}
	if size >= 0 {
		fp += fmt.Sprintf(" size=%d", size)
	}
	return fp, nil
}

// head asks for version and size (-1: unknown) of the file. Where HEAD is
// refused, as by URLs that are signed for GET, it asks for the first byte.
func (f *fetcher) head(ctx context.Context) (v version, size int64, err error) {
	err = f.retry(ctx, func() (time.Duration, error) {
		a, err := f.once(ctx, http.MethodHead, nil)
		if err != nil {
			return 0, err
		}
		if a.StatusCode == http.StatusOK {
			v, size = versionOf(a.Header), a.ContentLength
			a.close()
			return 0, nil
		}
		a.close()
		a, err = f.once(ctx, http.MethodGet, http.Header{"Range": {"bytes=0-0"}})
		if err != nil {
			return 0, err
		}
		defer a.close()
		switch a.StatusCode {
		case http.StatusOK:
			v, size = versionOf(a.Header), a.ContentLength
		case http.StatusPartialContent:
			_, total, _ := contentRange(a.Header.Get("Content-Range"))
			v, size = versionOf(a.Header), total
		default:
			return statusError(a.Response)
		}
		return 0, nil
	})
	return v, size, err
}
