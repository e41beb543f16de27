package nfc

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/vmware/govmomi/vim25/soap"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// waiting is a content that waits after its first bytes until it is closed.
type waiting struct {
	*io.PipeReader
}

// newWaiting returns such a content and a channel that is closed once its first bytes were read.
func newWaiting(t *testing.T) (source waiting, begun <-chan struct{}) {
	t.Helper()
	r, w := io.Pipe()
	read, wrote := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(wrote)
		if _, err := w.Write(make([]byte, 4096)); err == nil {
			close(read)
		}
	}()
	t.Cleanup(func() {
		_ = r.Close() // whatever the test did
		<-wrote
	})
	return waiting{r}, read
}

// send sends the content to a server, and fails the test if that does not end.
func send(ctx context.Context, t *testing.T, source waiting, size int64, h http.HandlerFunc) (int64, error) {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	u, err := soap.ParseURL(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	type result struct {
		sent int64
		err  error
	}
	done := make(chan result, 1)
	go func() {
		sent, err := Send(ctx, soap.NewClient(u, false), http.MethodPut, u, http.Header{}, NewBody(source, source, nil), size)
		done <- result{sent, err}
	}()
	select {
	case r := <-done:
		return r.sent, r.err
	case <-time.After(20 * time.Second):
		t.Fatal("the upload does not end")
		return 0, nil
	}
}

// TestCancelEndsAWaitingUpload cancels uploads of a known size and chunked ones while their content waits.
func TestCancelEndsAWaitingUpload(t *testing.T) {
	for name, size := range map[string]int64{"sized": 1 << 20, "chunked": -1} {
		t.Run(name, func(t *testing.T) {
			source, begun := newWaiting(t)
			ctx, cancel := context.WithCancelCause(t.Context())
			why := errors.New("interrupted")
			go func() {
				<-begun
				cancel(why)
			}()
			sent, err := send(ctx, t, source, size, func(_ http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
			})
			if !errors.Is(err, why) {
				t.Errorf("a cancelled upload is %v", err)
			}
			if sent != 4096 {
				t.Errorf("%d bytes were sent", sent)
			}
			if _, err := source.Read(make([]byte, 1)); !errors.Is(err, io.ErrClosedPipe) {
				t.Errorf("the content is open (%v)", err)
			}
		})
	}
}

// TestRefusalEndsAWaitingUpload has the server refuse an upload whose content waits.
func TestRefusalEndsAWaitingUpload(t *testing.T) {
	source, _ := newWaiting(t)
	_, err := send(t.Context(), t, source, -1, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.ReadFull(r.Body, make([]byte, 4096))
		w.Header().Set("Connection", "close")
		http.Error(w, "no space left", http.StatusInsufficientStorage)
	})
	if backends.CodeOf(err) != backends.Exhausted {
		t.Errorf("a refused upload is %v", err)
	}
}
