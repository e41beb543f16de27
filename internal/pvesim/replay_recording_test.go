package pvesim

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// exchange is one recorded request with its answer.
type exchange struct {
	Method   string            `json:"method"`
	Path     string            `json:"path"`
	Params   any               `json:"params"`
	Status   int               `json:"status"`
	Reason   string            `json:"reason"`
	Headers  map[string]string `json:"headers"`
	Body     any               `json:"body"`
	Note     string            `json:"note"`
	Encoding string            `json:"request_encoding"` // "json", "multipart" or "" for a form
}

// recordings are the scenarios by name, "05-config".
func recordings(t *testing.T) map[string][]exchange {
	t.Helper()
	files, err := filepath.Glob("testdata/recordings/*.json.gz")
	if err != nil || len(files) == 0 {
		t.Fatalf("no recordings: %v", err)
	}
	all := map[string][]exchange{}
	for _, file := range files {
		f, err := os.Open(file)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		r, err := gzip.NewReader(f)
		if err != nil {
			t.Fatal(err)
		}
		d := json.NewDecoder(r)
		d.UseNumber()
		var list []exchange
		if err := d.Decode(&list); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		all[strings.TrimSuffix(filepath.Base(file), ".json.gz")] = list
	}
	return all
}

// reply is what the simulator answered.
type reply struct {
	status int
	reason string
	kind   string // content type
	body   any    // as exchange.Body
}

// caller sends recorded requests to a server.
type caller struct {
	server *Server
	client *http.Client
}

func newCaller(t *testing.T, s *Server) *caller {
	t.Helper()
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM([]byte(s.CACertificate())) {
		t.Fatal("the server's authority is no certificate")
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}
	t.Cleanup(transport.CloseIdleConnections)
	return &caller{server: s, client: &http.Client{Transport: transport}}
}

// raw is a body that a form of the parameters is not.
type raw struct{ kind, body string }

// send sends a request as it was recorded, with headers on top; an uploaded file has a size in bytes.
func (c *caller) send(ctx context.Context, x exchange, headers http.Header, body *raw, size int) (reply, error) {
	path, query, _ := strings.Cut(x.Path, "?")
	target := c.server.URL() + prefix + path
	kind, content := "", ""
	switch {
	case body != nil:
		kind, content = body.kind, body.body
	case x.Method == http.MethodGet || x.Method == http.MethodDelete:
		query = strings.Trim(query+"&"+encode(x.Params), "&")
	case x.Encoding == "json":
		b, err := json.Marshal(x.Params)
		if err != nil {
			return reply{}, err
		}
		kind, content = "application/json", string(b)
	case x.Encoding == "multipart":
		var err error
		if kind, content, err = form(x.Params, size); err != nil {
			return reply{}, err
		}
	default:
		kind, content = "application/x-www-form-urlencoded", encode(x.Params)
	}
	if query != "" {
		target += "?" + query
	}
	req, err := http.NewRequestWithContext(ctx, x.Method, target, strings.NewReader(content))
	if err != nil {
		return reply{}, err
	}
	for k, v := range headers {
		req.Header[k] = v
	}
	if kind != "" {
		req.Header.Set("Content-Type", kind)
	}
	res, err := c.client.Do(req)
	if err != nil {
		return reply{}, err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return reply{}, err
	}
	_, reason, _ := strings.Cut(res.Status, " ")
	got := reply{status: res.StatusCode, reason: reason, kind: res.Header.Get("Content-Type"), body: string(text)}
	if strings.HasPrefix(got.kind, "application/json") && len(text) > 0 {
		d := json.NewDecoder(bytes.NewReader(text))
		d.UseNumber()
		got.body = nil
		if err := d.Decode(&got.body); err != nil {
			return reply{}, fmt.Errorf("the answer is no JSON: %w", err)
		}
	}
	return got, nil
}

// encode writes parameters as a form.
func encode(params any) string {
	values := url.Values{}
	switch params := params.(type) {
	case map[string]any:
		for k, v := range params {
			values.Set(k, plainText(v))
		}
	case []any: // in order, names may come twice
		for _, pair := range params {
			kv := pair.([]any)
			values.Add(plainText(kv[0]), plainText(kv[1]))
		}
	}
	return values.Encode()
}

func plainText(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case json.Number:
		return v.String()
	case bool:
		if v {
			return "1"
		}
		return "0"
	}
	return fmt.Sprint(v)
}

// fileOf is the content of an uploaded file. What was sent was not recorded but for its size, and once its checksum:
// ten times "A".
func fileOf(size int) []byte { return bytes.Repeat([]byte("A"), size) }

// form writes parameters as an upload: fields in order, then the file.
func form(params any, size int) (kind, body string, err error) {
	m, ok := params.(map[string]any)
	if !ok {
		return "", "", fmt.Errorf("an upload with the parameters %v", params)
	}
	var fields [][2]string
	if list, ok := m["form_fields_in_order"].([]any); ok {
		for _, pair := range list {
			kv := pair.([]any)
			fields = append(fields, [2]string{plainText(kv[0]), plainText(kv[1])})
		}
	} else {
		for k, v := range m {
			if k != "filename" {
				fields = append(fields, [2]string{k, plainText(v)})
			}
		}
		slices.SortFunc(fields, func(a, b [2]string) int { return strings.Compare(a[0], b[0]) })
	}
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for _, field := range fields {
		if err := w.WriteField(field[0], field[1]); err != nil {
			return "", "", err
		}
	}
	if name, there := m["filename"]; there {
		part, err := w.CreateFormFile("filename", plainText(name))
		if err != nil {
			return "", "", err
		}
		if _, err := part.Write(fileOf(size)); err != nil {
			return "", "", err
		}
	}
	if err := w.Close(); err != nil {
		return "", "", err
	}
	return w.FormDataContentType(), b.String(), nil
}
