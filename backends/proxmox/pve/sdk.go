package pve

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	proxmox "github.com/Telmate/proxmox-api-go/proxmox"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/proxmox/fault"
)

// sdkHost stands for the endpoint in use in requests of the SDK.
const sdkHost = "https://pve.invalid"

// newSDK makes a client whose requests go through c. It has a user's name, because it looks for one, and no login of its own.
func newSDK(c *Client) (*proxmox.Client, error) {
	sdk, err := proxmox.NewClient(sdkHost+apiRoot, &http.Client{Transport: bridge{c}}, "", nil, "", 0, false)
	if err != nil {
		return nil, err
	}
	sdk.Username, _, _ = strings.Cut(c.creds.who, "!")
	return sdk, nil
}

// bridge makes the requests of the SDK.
type bridge struct{ c *Client }

// RoundTrip makes a request. An answer that refuses gets a body that the SDK can read and that says all there is: it
// loses the reason phrase and trips over errors that are no object.
func (b bridge) RoundTrip(req *http.Request) (*http.Response, error) {
	path, ok := strings.CutPrefix(req.URL.EscapedPath(), apiRoot)
	if !ok {
		return nil, fmt.Errorf("%s is not of the API", req.URL.Path)
	}
	q := &call{method: req.Method, path: path, query: req.URL.Query(), kind: req.Header.Get("Content-Type")}
	if req.Body != nil {
		body, err := io.ReadAll(req.Body)
		_ = req.Body.Close()
		if err != nil {
			return nil, err
		}
		q.body = body
		if form, err := url.ParseQuery(string(body)); err == nil {
			for _, name := range secretFields[""] {
				q.secrets = append(q.secrets, form[name]...)
			}
		}
	}
	a, err := b.c.exchange(req.Context(), q)
	if err != nil {
		return nil, fault.Wrap(err, "", "")
	}
	body := a.body
	if a.status < 200 || a.status > 299 {
		body = b.c.readable(q, a)
	}
	return &http.Response{
		Status: fmt.Sprintf("%03d %s", a.status, a.reason), StatusCode: a.status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: a.header, Body: io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(body)), Request: req,
	}, nil
}

// readable is the body of a refusal in the form that the SDK expects.
func (c *Client) readable(q *call, a *answer) []byte {
	r := c.refusal(q, a)
	body := map[string]any{"data": nil, "message": r.Error()}
	if len(r.Params) > 0 {
		body["errors"] = r.Params
	}
	text, _ := json.Marshal(body) // maps of strings
	return text
}
