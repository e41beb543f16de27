package pve

import (
	"context"
	"encoding"
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/proxmox/fault"
)

// Path makes a path of its elements, escaped: Path("nodes", "pve1", "qemu", 100) is /nodes/pve1/qemu/100.
func Path(elements ...any) string {
	var b strings.Builder
	for _, e := range elements {
		b.WriteString("/" + url.PathEscape(fmt.Sprint(e)))
	}
	return b.String()
}

// Get asks for what is at path and decodes the answer's data into into, which may be nil. See decode for what it takes.
func (c *Client) Get(ctx context.Context, path string, query url.Values, into any) error {
	return c.do(ctx, &call{method: http.MethodGet, path: path, query: query}, into)
}

// Post sends a form. It is never sent again once it may have been heard.
//
// The values of a form are strings, numbers, booleans, which become 1 and 0, or slices of strings, which
// are sent as so many values of the name. nil and nil pointers are left out; an empty string is sent as one.
func (c *Client) Post(ctx context.Context, path string, form map[string]any, into any) error {
	return c.send(ctx, http.MethodPost, path, form, into)
}

// Put is Post with another method.
func (c *Client) Put(ctx context.Context, path string, form map[string]any, into any) error {
	return c.send(ctx, http.MethodPut, path, form, into)
}

// Delete is Post with another method; its form travels in the query, because Proxmox VE takes no body with it.
func (c *Client) Delete(ctx context.Context, path string, form map[string]any, into any) error {
	values, secrets, err := encode(path, form)
	if err != nil {
		return err
	}
	return c.do(ctx, &call{method: http.MethodDelete, path: path, query: values, secrets: secrets}, into)
}

func (c *Client) send(ctx context.Context, method, path string, form map[string]any, into any) error {
	values, secrets, err := encode(path, form)
	if err != nil {
		return err
	}
	return c.do(ctx, &call{method: method, path: path, body: []byte(values.Encode()), kind: formType, secrets: secrets}, into)
}

const formType = "application/x-www-form-urlencoded"

// do makes a call and decodes what it answers.
func (c *Client) do(ctx context.Context, q *call, into any) error {
	a, err := c.exchange(ctx, q)
	if err != nil {
		return fault.Wrap(err, "", "")
	}
	if a.status < 200 || a.status > 299 {
		return fault.Wrap(c.refusal(q, a), "", "")
	}
	if into == nil {
		return nil
	}
	data, err := envelope(a.body)
	if err == nil {
		err = decode(data, into)
	}
	if err != nil {
		return c.nonsense(q, a, err)
	}
	return nil
}

// refusal is an answer that is no success as an error, without secrets.
func (c *Client) refusal(q *call, a *answer) *fault.Refusal {
	plain := c.complained(q, a, func(text string) string { return text })
	return c.complained(q, a, c.creds.hider(q.secrets)).Judge(plain)
}

func (c *Client) complained(q *call, a *answer, hide func(string) string) *fault.Refusal {
	r := &fault.Refusal{Method: q.method, Path: q.path, Status: a.status, Reason: hide(a.reason), Who: c.creds.who}
	message, params := complaint(a.body)
	r.Message = hide(message)
	for name, text := range params {
		if r.Params == nil {
			r.Params = map[string]string{}
		}
		r.Params[name] = hide(text)
	}
	return r
}

// nonsense is about an answer that cannot be understood.
func (c *Client) nonsense(q *call, a *answer, err error) error {
	if strings.Contains(a.header.Get("Content-Type"), "html") {
		return backends.Errorf(backends.Invalid, "", "", "what answers at %s is not the API of Proxmox VE", c.Endpoint()).
			Advise("Check host and port of the endpoint: Proxmox VE answers at port 8006.")
	}
	return backends.Errorf(backends.Internal, "", "", "Proxmox VE's answer to %s %s cannot be understood: %w", q.method, q.path, err)
}

// secretFields are the parameters whose values no error may show, by the end of their path.
var secretFields = map[string][]string{
	"":                  {"password", "cipassword", "sshkeys", "otp", "tfa-challenge", "secret", "encryption-key", "keyring", "target-endpoint"},
	"/agent/exec":       {"input-data", "command"},
	"/agent/file-write": {"content"},
}

// encode turns a form into values, and picks out the secrets.
func encode(path string, form map[string]any) (url.Values, []string, error) {
	values := url.Values{}
	for name, v := range form {
		texts, err := texts(v)
		if err != nil {
			return nil, nil, backends.Errorf(backends.Internal, "", "", "the parameter %s cannot be sent: %w", name, err)
		}
		if texts != nil {
			values[name] = texts
		}
	}
	var secrets []string
	for end, names := range secretFields {
		if !strings.HasSuffix(path, end) {
			continue
		}
		for _, name := range names {
			secrets = append(secrets, values[name]...)
		}
		if end == "/agent/exec" { // words such as "-c", which are in any text
			secrets = slices.DeleteFunc(secrets, func(s string) bool { return len(s) < 4 })
		}
	}
	return values, secrets, nil
}

// texts returns what is sent for a value, nil for nothing.
func texts(v any) ([]string, error) {
	switch v := v.(type) {
	case nil:
		return nil, nil
	case string:
		return []string{v}, nil
	case []string:
		return v, nil
	case bool:
		if v {
			return []string{"1"}, nil
		}
		return []string{"0"}, nil
	case encoding.TextMarshaler:
		text, err := v.MarshalText()
		return []string{string(text)}, err
	case fmt.Stringer:
		if r := reflect.ValueOf(v); r.Kind() == reflect.Pointer && r.IsNil() {
			return nil, nil
		}
		return []string{v.String()}, nil
	}
	switch r := reflect.ValueOf(v); r.Kind() {
	case reflect.Pointer:
		if r.IsNil() {
			return nil, nil
		}
		return texts(r.Elem().Interface())
	case reflect.Bool:
		return texts(r.Bool())
	case reflect.String:
		return []string{r.String()}, nil
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return []string{strconv.FormatInt(r.Int(), 10)}, nil
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return []string{strconv.FormatUint(r.Uint(), 10)}, nil
	case reflect.Float32, reflect.Float64:
		return []string{strconv.FormatFloat(r.Float(), 'f', -1, r.Type().Bits())}, nil
	default:
		return nil, fmt.Errorf("a value of type %T", v)
	}
}
