package diskimage

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"path"
	"path/filepath"
	"strings"
	"time"
)

// Source says where an image comes from and what is expected of it.
// Exactly one of URL and Path is set.
type Source struct {
	// URL is an http or https URL. User name and password in it are sent to
	// that host (and to redirects within it) and nowhere else; no other
	// credentials are ever sent: no cookies, no .netrc.
	URL string
	// Path is the path of a local regular file.
	Path string
	// Checksum is what the transferred bytes must have, that is the file as
	// published, before decompression. The zero value checks nothing.
	Checksum Checksum
	// Limits bound the transfer. Zero fields take their defaults.
	Limits Limits
	// Transport makes the requests; nil means a transport of its own that
	// honours the proxy variables of the environment.
	Transport http.RoundTripper
	// Progress, if set, is called about every MiB and at the end with the
	// transferred bytes so far and in total (-1: unknown). It is called by
	// the goroutine that reads the image and must not block.
	Progress func(done, total int64)
}

// Limits bound a transfer.
type Limits struct {
	// MaxBytes bounds the transfer and the decompressed content, each. Default 1 TiB.
	MaxBytes int64
	// ConnectTimeout bounds connecting and the TLS handshake, each. Default 30 s.
	ConnectTimeout time.Duration
	// IdleTimeout is how long a server may send nothing before the
	// connection counts as dropped. Default 60 s.
	IdleTimeout time.Duration
	// MaxTries is how often in a row a request may fail, or a connection drop
	// without one new byte, before the transfer does. Default 6.
	MaxTries int
	// RetryDelay is the first pause before another try; each further one is
	// twice as long, up to 30 s, with a random part. Default 500 ms.
	RetryDelay time.Duration
}

const (
	defaultMaxBytes = 1 << 40
	maxRedirects    = 10
	maxRetryDelay   = 30 * time.Second
)

func (l Limits) withDefaults() Limits {
	if l.MaxBytes <= 0 {
		l.MaxBytes = defaultMaxBytes
	}
	if l.ConnectTimeout <= 0 {
		l.ConnectTimeout = 30 * time.Second
	}
	if l.IdleTimeout <= 0 {
		l.IdleTimeout = 60 * time.Second
	}
	if l.MaxTries <= 0 {
		l.MaxTries = 6
	}
	if l.RetryDelay <= 0 {
		l.RetryDelay = 500 * time.Millisecond
	}
	return l
}

// String names the source for messages: no user name, password or query string.
func (s Source) String() string {
	if s.URL != "" {
		return redact(s.URL)
	}
	return s.Path
}

// BaseName is the file name of the image, without directory, query string and
// fragment: what a list of checksums calls it.
func (s Source) BaseName() string {
	if s.URL == "" {
		return filepath.Base(s.Path)
	}
	u, err := url.Parse(s.URL)
	if err != nil {
		return ""
	}
	name := path.Base(u.Path)
	if name == "." || name == "/" {
		return ""
	}
	return name
}

// Validate checks what can be checked without touching the network or the
// file system.
func (s Source) Validate() error {
	switch {
	case s.URL == "" && s.Path == "":
		return errorf(Invalid, "an image needs a URL or a local path")
	case s.URL != "" && s.Path != "":
		return errorf(Invalid, "an image has either a URL or a local path, not both")
	case s.URL != "":
		return ValidateURL(s.URL)
	}
	return nil
}

// ValidateURL reports whether raw can be the URL of an image: absolute, http or
// https, with a host. Its errors never show credentials.
func ValidateURL(raw string) error {
	u, err := url.Parse(raw)
	if err != nil {
		// The parser's own message may quote a piece of the password.
		return errorf(Invalid, "the URL %s cannot be parsed; special characters in user name, password and path must be percent-encoded", redact(raw))
	}
	switch strings.ToLower(u.Scheme) {
	case "http", "https":
	case "":
		return errorf(Invalid, "%q is not a URL: it must start with http:// or https://", redact(raw))
	default:
		return errorf(Invalid, "the URL scheme %q is not supported, only http and https", u.Scheme)
	}
	if u.Hostname() == "" {
		return errorf(Invalid, "the URL %s names no host", redact(raw))
	}
	return nil
}

// stream is the transferred bytes of a source, in order.
type stream interface {
	// Read answers io.EOF only after as many bytes as size says.
	Read(p []byte) (int, error)
	Close() error
	// size is the number of bytes in total, or -1.
	size() int64
}

// openStream opens the source and hands out its bytes as they are.
func (s Source) openStream(ctx context.Context) (stream, error) {
	if s.URL != "" {
		return openDownload(ctx, s)
	}
	return openLocal(ctx, s.Path)
}

// ReadSmall reads a source that has at most so many bytes, as they are, into memory. It is checked
// like an image; what is longer is of kind TooLarge.
func ReadSmall(ctx context.Context, s Source, most int64) ([]byte, error) {
	text, err := readSmall(ctx, s, most)
	if err != nil {
		return nil, about(s.String(), err)
	}
	return text, nil
}

func readSmall(ctx context.Context, s Source, most int64) ([]byte, error) {
	err := s.Validate()
	if err == nil {
		s.Checksum, err = s.resolveChecksum(ctx)
	}
	if err != nil {
		return nil, err
	}
	in, err := s.openStream(ctx)
	if err != nil {
		return nil, err
	}
	defer in.Close() //nolint:errcheck // nothing was written
	t := &transfer{in: in, sum: s.Checksum, hash: s.Checksum.newHash(), max: most}
	return io.ReadAll(t)
}
