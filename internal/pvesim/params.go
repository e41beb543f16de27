package pvesim

import (
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"os"
)

// maxForm is how much a request may bring beside an upload, in bytes.
const maxForm = 512 << 10

// upload is a file that a request brought. It is removed when the request is answered, unless keep is set.
type upload struct {
	name string
	path string // of a temporary file
	size int64
	keep bool
}

// cleanup removes what the request left.
func (r *request) cleanup() {
	if r.upload != nil && !r.upload.keep {
		_ = os.Remove(r.upload.path)
	}
}

// readParams reads the parameters of a request: from the query, from a form or a JSON object in the body, or from
// the fields of an upload.
func readParams(h *http.Request) (map[string]any, *upload, error) {
	in := map[string]any{}
	addValues(in, h.URL.RawQuery)
	kind, attributes, _ := mime.ParseMediaType(h.Header.Get("Content-Type"))
	if kind == "multipart/form-data" {
		file, err := readUpload(in, h.Body, attributes["boundary"])
		return in, file, err
	}
	body, err := io.ReadAll(io.LimitReader(h.Body, maxForm+1))
	if err != nil {
		return nil, nil, proxied(http.StatusBadRequest, "Bad Request")
	}
	if len(body) == 0 {
		return in, nil, nil
	}
	if len(body) > maxForm {
		_, _ = io.Copy(io.Discard, h.Body)
		return nil, nil, unread(http.StatusNotImplemented, "for data too large")
	}
	switch kind {
	case "", "application/x-www-form-urlencoded":
		addValues(in, string(body))
	case "application/json":
		var object map[string]any
		if err := json.Unmarshal(body, &object); err != nil {
			return nil, nil, unread(http.StatusInternalServerError, perlJSON(body))
		}
		for k, v := range object {
			in[k] = v
		}
	default:
		return nil, nil, unread(http.StatusVariantAlsoNegotiates, fmt.Sprintf("upload 'Content-Type '%s' not implemented", h.Header.Get("Content-Type")))
	}
	return in, nil, nil
}

// addValues adds what is written like a query. A name that comes twice is a list.
func addValues(in map[string]any, query string) {
	values, err := url.ParseQuery(query)
	if err != nil && len(values) == 0 {
		return
	}
	for k, list := range values {
		if len(list) == 1 {
			in[k] = list[0]
			continue
		}
		all := make([]any, len(list))
		for i, v := range list {
			all[i] = v
		}
		in[k] = all
	}
}

// plain is a value as text.
func plain(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case bool:
		if v {
			return "1"
		}
		return "0"
	case float64:
		return fmt.Sprintf("%.15g", v)
	case nil:
		return ""
	}
	return fmt.Sprint(v)
}
