package nfc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/vmware/govmomi/vim25/soap"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/diskimage"
)

// Send sends a request whose body is all that matters, and returns how many bytes of that went out. Neither its errors nor
// what vSphere logs of the request name the URL, which may be a secret.
func Send(ctx context.Context, c *soap.Client, method string, u *url.URL, header http.Header, body *Body, size int64) (int64, error) {
	req, err := http.NewRequestWithContext(ctx, method, u.String(), body)
	if err != nil {
		return 0, errors.New("vSphere gave an address that cannot be used")
	}
	req.Header = header
	req.ContentLength = size // -1 is chunked
	if size == 0 {
		req.Body = http.NoBody
	}
	// The transport waits for a Read that waits, so what may wait is ended with ctx.
	stop := context.AfterFunc(ctx, func() { _ = body.source.Close() })
	answer := post(c, req)
	stop()
	sent, read := body.End()
	switch {
	case ctx.Err() != nil:
		return sent, context.Cause(ctx)
	case read != nil && read != io.EOF:
		return sent, ContentError(read)
	case answer != nil:
		return sent, answer
	case read == nil && size != 0:
		return sent, backends.Errorf(backends.Transient, "", "", "vSphere took %d bytes of the upload and did not wait for the rest", sent)
	case size > 0 && sent != size:
		return sent, backends.Errorf(backends.Transient, "", "", "%d bytes were sent instead of %d", sent, size)
	}
	return sent, nil
}

func post(c *soap.Client, req *http.Request) error {
	res, err := c.Client.Do(req) //nolint:bodyclose // closed below
	if err != nil {
		var u *url.Error
		for errors.As(err, &u) {
			err = u.Err
		}
		return backends.Errorf(backends.Transient, "", "", "the connection to %s failed: %w", req.URL.Host, err)
	}
	defer res.Body.Close()                                      //nolint:errcheck // it was read
	text, _ := io.ReadAll(io.LimitReader(res.Body, 4096))       // only for the message
	_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, 1<<20)) // so that the connection can be used again
	if res.StatusCode >= 200 && res.StatusCode < 300 {
		return nil
	}
	return refusal(res.StatusCode, string(text))
}

// refusal is what an HTTP status says of an upload.
func refusal(status int, text string) error {
	why := fmt.Sprintf("%d %s", status, http.StatusText(status))
	if text = strings.Join(strings.Fields(text), " "); text != "" && !strings.Contains(text, "<") {
		why += ": " + text
	}
	code := backends.Transient
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden:
		return backends.Errorf(backends.Auth, "", "", "vSphere does not let the user upload (%s)", why).
			Advise("The user needs the privilege Datastore.FileManagement on the datastore, or VApp.Import for images of disks.")
	case http.StatusNotFound:
		code = backends.NotFound
	case http.StatusInsufficientStorage, http.StatusRequestEntityTooLarge:
		code = backends.Exhausted
	case http.StatusBadRequest, http.StatusConflict, http.StatusMethodNotAllowed:
		code = backends.Internal
	}
	if strings.Contains(strings.ToLower(text), "no space") || strings.Contains(strings.ToLower(text), "out of space") {
		code = backends.Exhausted
	}
	return backends.Errorf(code, "", "", "vSphere refused the upload (%s)", why)
}

// ContentError gives an error of a content's source a code.
func ContentError(err error) error {
	var coded *backends.Error
	if err == nil || errors.As(err, &coded) {
		return err
	}
	code := backends.CodeOf(err)
	switch diskimage.KindOf(err) {
	case diskimage.Invalid, diskimage.NotFound, diskimage.Denied, diskimage.Mismatch, diskimage.TooLarge, diskimage.Damaged:
		code = backends.Invalid
	case diskimage.Unsupported:
		code = backends.Unsupported
	case diskimage.Unreachable, diskimage.Incomplete, diskimage.Changed:
		code = backends.Transient
	default:
		if errors.Is(err, io.ErrUnexpectedEOF) {
			code = backends.Transient
		}
	}
	return &backends.Error{Code: code, Err: err}
}
