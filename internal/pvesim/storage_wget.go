package pvesim

import (
	"compress/bzip2"
	"compress/gzip"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"time"

	"github.com/klauspost/compress/zstd"
)

// fetchClient is a client as the nodes' own tools: without a proxy, and with certificates checked or not.
func fetchClient(verify bool) *http.Client {
	return &http.Client{Transport: &http.Transport{
		TLSClientConfig:    &tls.Config{InsecureSkipVerify: !verify, MinVersion: tls.VersionTLS12}, //nolint:gosec // as the request asks for
		DisableCompression: true,
		DisableKeepAlives:  true,
	}}
}

// open connects and follows redirections.
func (w *worker) open(d *download) (io.ReadCloser, int64, error) {
	client := fetchClient(d.verify)
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	target := d.url
	for range 20 {
		u, err := url.Parse(target)
		if err != nil {
			return nil, 0, die("download failed: %s: %v.", target, errors.Unwrap(err))
		}
		w.logf("--%s--  %s", wgetTime(), withoutPassword(u))
		req, err := http.NewRequestWithContext(w.ctx, http.MethodGet, target, nil)
		if err != nil {
			return nil, 0, die("download failed: exit code 1")
		}
		req.Header.Set("User-Agent", "Wget/1.21.3")
		answer, err := client.Do(req)
		if err != nil {
			return nil, 0, w.unreachable(u, err)
		}
		w.logf("Connecting to %s... connected.", hostPort(u))
		w.logf("HTTP request sent, awaiting response... %s", answer.Status)
		if next := answer.Header.Get("Location"); answer.StatusCode/100 == 3 && next != "" {
			_ = answer.Body.Close()
			to, err := u.Parse(next)
			if err != nil {
				return nil, 0, die("download failed: exit code 8")
			}
			w.logf("Location: %s [following]", next)
			target = to.String()
			continue
		}
		if answer.StatusCode != http.StatusOK {
			_ = answer.Body.Close()
			_, reason, _ := strings.Cut(answer.Status, " ")
			w.logf("%s ERROR %d: %s.", wgetTime(), answer.StatusCode, reason)
			return nil, 0, die("download failed: exit code 8")
		}
		w.logf("%s", lengthLine(answer))
		return answer.Body, answer.ContentLength, nil
	}
	return nil, 0, die("download failed: 20 redirections exceeded.")
}

// unreachable says why there was no answer.
func (w *worker) unreachable(u *url.URL, err error) error {
	var dns *net.DNSError
	var certificate *tls.CertificateVerificationError
	switch {
	case w.ctx.Err() != nil:
		return w.ctx.Err()
	case errors.Is(err, syscall.ECONNREFUSED):
		return die("download failed: Connecting to %s... failed: Connection refused.", hostPort(u))
	case errors.As(err, &dns):
		w.logf("Resolving %s (%s)... failed: Name or service not known.", u.Hostname(), u.Hostname())
		return die("download failed: wget: unable to resolve host address '%s'", u.Hostname())
	case errors.As(err, &certificate):
		w.logf("Connecting to %s... connected.", hostPort(u))
		w.logf("ERROR: The certificate of '%s' is not trusted.", u.Hostname())
		return die("download failed: exit code 5")
	}
	w.logf("Connecting to %s... connected.", hostPort(u))
	w.logf("HTTP request sent, awaiting response... No data received.")
	return die("download failed: exit code 4")
}

func hostPort(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return u.Hostname() + ":" + port
}

func withoutPassword(u *url.URL) string {
	if _, has := u.User.Password(); !has {
		return u.String()
	}
	shown := *u
	shown.User = url.UserPassword(u.User.Username(), "*password*")
	return shown.String()
}

func wgetTime() string { return time.Now().Format(time.DateTime) }

func lengthLine(answer *http.Response) string {
	kind := ""
	if t := answer.Header.Get("Content-Type"); t != "" {
		t, _, _ = strings.Cut(t, ";")
		kind = " [" + t + "]"
	}
	n := answer.ContentLength
	switch {
	case n < 0:
		return "Length: unspecified" + kind
	case n < 1024:
		return fmt.Sprintf("Length: %d%s", n, kind)
	}
	return fmt.Sprintf("Length: %d (%s)%s", n, shortSize(n), kind)
}

// shortSize is a size as wget writes it, "192K".
func shortSize(n int64) string {
	f, unit := float64(n), ""
	for _, u := range []string{"K", "M", "G", "T"} {
		if f < 1024 {
			break
		}
		f, unit = f/1024, u
	}
	if f < 10 {
		return fmt.Sprintf("%.1f%s", f, unit)
	}
	return fmt.Sprintf("%.0f%s", f, unit)
}

func speed(n int64, since time.Time) string {
	perSecond := float64(n) / max(time.Since(since).Seconds(), 1e-6)
	return fmt.Sprintf("%.0f MB/s", max(perSecond/1e6, 1))
}

var errNoSpace = errors.New("no space left on device")

// dots is how much one line of progress is about.
const dots = 32 << 20

// progressReader writes a line for each 32 MiB, as "wget --progress=dot:giga".
type progressReader struct {
	w     *worker
	r     io.Reader
	size  int64 // -1 unknown
	left  int64 // space on the storage
	read  int64
	began time.Time
	first string // of the lines, "" once it is written
}

// announce writes the line that wget keeps until it writes the next, or ends.
func (p *progressReader) announce() {
	if p.first != "" {
		p.w.logf("%s", p.first)
		p.first = ""
	}
}

func (p *progressReader) Read(b []byte) (int, error) {
	n, err := p.r.Read(b)
	lines := p.read / dots
	p.read += int64(n)
	if p.read > p.left {
		return n, errNoSpace
	}
	for ; lines < p.read/dots; lines++ {
		p.line(lines*dots, 4)
	}
	return n, err
}

// last is the line that reaches 100 %.
func (p *progressReader) last() {
	if p.read%dots != 0 || p.read == 0 {
		p.line(p.read/dots*dots, int(p.read%dots/(dots/4)))
	}
}

func (p *progressReader) line(from int64, full int) {
	p.announce()
	groups := strings.Repeat(" ........", full)
	percent := ""
	if p.size > 0 {
		percent = fmt.Sprintf("%3d%%", min(p.read, p.size)*100/p.size)
	}
	rate := fmt.Sprintf("%.0fM", max(float64(p.read)/1e6/max(time.Since(p.began).Seconds(), 1e-6), 1))
	after := " 0s"
	if p.read == p.size {
		after = "=0s"
	}
	p.w.logf("%6dK%-36s%s %5s%s", from>>10, groups, percent, rate, after)
}

// decompress undoes the compression of a file.
func (w *worker) decompress(data *content, kind, at string) (*content, error) {
	var r io.Reader
	var err error
	tool := "zcat"
	switch kind {
	case "gz":
		r, err = gzip.NewReader(data.reader())
	case "bz2":
		r, tool = bzip2.NewReader(data.reader()), "bzcat -q"
	case "zst":
		tool = "zstd -q -d -c"
		var z *zstd.Decoder
		if z, err = zstd.NewReader(data.reader(), zstd.WithDecoderConcurrency(1)); err == nil {
			defer z.Close()
			r = z
		}
	default:
		tool, err = "lzop -d -c", errors.New("not simulated")
	}
	plain := newContent(w.volumes.spool, 0)
	if err == nil {
		err = plain.fill(interruptible{w.ctx, r})
	}
	if errors.Is(err, context.Canceled) {
		return nil, err
	}
	if err != nil {
		w.logf("%s: %v", tool, err)
		return nil, die("command '%s %s' failed: exit code 1", tool, at)
	}
	return plain, nil
}
