package pvesim

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
)

// success writes data in its envelope.
func success(w http.ResponseWriter, h *http.Request, r *request, data any) {
	envelope := map[string]any{"data": data}
	for k, v := range r.more {
		envelope[k] = v
	}
	if r.total != nil {
		envelope["total"] = *r.total
	}
	write(w, h, http.StatusOK, envelope)
}

// refuse writes what an error says to a client.
func refuse(w http.ResponseWriter, h *http.Request, err error) {
	var r *refusal
	if !errors.As(err, &r) {
		r = &refusal{status: http.StatusInternalServerError, reason: err.Error()}
	}
	message := r.message
	if message == "" {
		message = r.Error() + "\n"
	}
	reason := r.reason
	if reason == "" {
		reason = message
	}
	reason, _, _ = strings.Cut(reason, "\n")
	setReason(h, reason)
	switch {
	case r.empty:
		w.WriteHeader(r.status)
		return
	case r.bare:
		w.Header()["Content-Type"] = nil // net/http would guess one
		w.WriteHeader(r.status)
		_, _ = io.WriteString(w, r.reason)
		return
	}
	envelope := map[string]any{"data": nil, "message": message}
	if r.errors != nil {
		envelope["errors"] = r.errors
	}
	write(w, h, r.status, envelope)
}

// worthwhile is the size of an answer, in bytes, from which on it is compressed for clients that can read that.
const worthwhile = 1024

func write(w http.ResponseWriter, h *http.Request, status int, envelope map[string]any) {
	body, err := json.Marshal(envelope)
	if err != nil {
		status, body = http.StatusInternalServerError, []byte(`{"data":null,"message":"encoding failed\n"}`)
	}
	w.Header().Set("Content-Type", "application/json;charset=UTF-8")
	w.Header().Set("Server", "pve-api-daemon/3.0")
	if len(body) > worthwhile && strings.Contains(h.Header.Get("Accept-Encoding"), "gzip") {
		var packed bytes.Buffer
		z, _ := packers.Get().(*gzip.Writer)
		z.Reset(&packed)
		_, err := z.Write(body)
		if err = errors.Join(err, z.Close()); err == nil {
			body = packed.Bytes()
			w.Header().Set("Content-Encoding", "gzip")
		}
		packers.Put(z)
	}
	w.WriteHeader(status)
	_, _ = w.Write(body)
}

var packers = sync.Pool{New: func() any {
	z, _ := gzip.NewWriterLevel(nil, gzip.BestSpeed)
	return z
}}
