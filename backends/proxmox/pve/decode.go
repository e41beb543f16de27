package pve

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
)

// The types of answers vary between versions of Proxmox VE and with how a value was set: a number may come as
// a string, a boolean as a number, anything as null. These types take them all; null leaves them as they are.

// Int is a whole number: 5, "5", 5.0, true.
type Int int64

// UnmarshalJSON decodes any form of it; "" is 0.
func (i *Int) UnmarshalJSON(data []byte) error {
	text, ok, err := scalar(data)
	if err != nil || !ok {
		return err
	}
	text = strings.TrimSpace(text)
	if text == "" {
		*i = 0
		return nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err == nil {
		*i = Int(n)
		return nil
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsNaN(f) || f >= math.MaxInt64 || f <= math.MinInt64 {
		return fmt.Errorf("%q is not a whole number", shorten(text))
	}
	*i = Int(f)
	return nil
}

// Float is a number.
type Float float64

// UnmarshalJSON decodes any form of it; "" is 0.
func (f *Float) UnmarshalJSON(data []byte) error {
	text, ok, err := scalar(data)
	if err != nil || !ok {
		return err
	}
	text = strings.TrimSpace(text)
	if text == "" {
		*f = 0
		return nil
	}
	n, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsNaN(n) || math.IsInf(n, 0) {
		return fmt.Errorf("%q is not a number", shorten(text))
	}
	*f = Float(n)
	return nil
}

// Text is a string: "x", 5, true (which is "1").
type Text string

// UnmarshalJSON decodes any form of it; lists and objects stay JSON.
func (t *Text) UnmarshalJSON(data []byte) error {
	text, ok, err := scalar(data)
	if err == nil && ok {
		*t = Text(text)
	}
	return err
}

// Bool is a truth value: true, 1, "1", "on", "yes".
type Bool bool

// UnmarshalJSON decodes any form of it; "" is false.
func (b *Bool) UnmarshalJSON(data []byte) error {
	text, ok, err := scalar(data)
	if err != nil || !ok {
		return err
	}
	switch strings.ToLower(strings.TrimSpace(text)) {
	case "1", "true", "yes", "on":
		*b = true
	case "", "0", "false", "no", "off":
		*b = false
	default:
		n, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return fmt.Errorf("%q is neither true nor false", shorten(text))
		}
		*b = n != 0
	}
	return nil
}

// Values is what a configuration holds, as its file does: every value is a text. true is "1", null is left out,
// and lists and objects stay JSON.
type Values map[string]string

// UnmarshalJSON decodes an object.
func (c *Values) UnmarshalJSON(data []byte) error {
	var raw map[string]json.RawMessage
	if err := decode(data, &raw); err != nil || raw == nil {
		return err
	}
	values := make(Values, len(raw))
	for key, v := range raw {
		text, ok, err := scalar(v)
		if err != nil {
			return err
		}
		if ok {
			values[key] = text
		}
	}
	*c = values
	return nil
}

// scalar returns the text of a JSON value; null is no value.
func scalar(data []byte) (text string, ok bool, err error) {
	data = bytes.TrimSpace(data)
	if len(data) == 0 {
		return "", false, errors.New("no JSON")
	}
	switch data[0] {
	case '"':
		err = json.Unmarshal(data, &text)
		return text, true, err
	case 'n':
		return "", false, nil
	case 't':
		return "1", true, nil
	case 'f':
		return "0", true, nil
	}
	return string(data), true, nil
}

func shorten(text string) string {
	if r := []rune(text); len(r) > 40 {
		return string(r[:40]) + "..."
	}
	return text
}

// decode decodes a JSON value. Perl has one form for what is empty: an empty list is taken for an empty object
// and the other way round, and "" for either.
func decode(data json.RawMessage, into any) error {
	data = bytes.TrimSpace(data)
	if len(data) == 0 || bytes.Equal(data, []byte("null")) {
		return nil
	}
	target := reflect.TypeOf(into)
	if target.Kind() == reflect.Pointer && target != reflect.TypeFor[*json.RawMessage]() {
		kind := target.Elem().Kind()
		if (kind == reflect.Map || kind == reflect.Struct) && empty(data, '[', ']') || kind == reflect.Slice && empty(data, '{', '}') {
			return nil
		}
	}
	return json.Unmarshal(data, into)
}

// empty reports whether data is "" or a pair of brackets with nothing inside.
func empty(data []byte, open, end byte) bool {
	if bytes.Equal(data, []byte(`""`)) {
		return true
	}
	return len(data) >= 2 && data[0] == open && data[len(data)-1] == end && len(bytes.TrimSpace(data[1:len(data)-1])) == 0
}

// envelope takes the data out of an answer.
func envelope(body []byte) (json.RawMessage, error) {
	var e struct {
		Data json.RawMessage `json:"data"`
	}
	if len(bytes.TrimSpace(body)) == 0 {
		return nil, errors.New("it is empty")
	}
	err := json.Unmarshal(body, &e)
	return e.Data, err
}

// complaint takes apart what a refusal's body says, whatever its form.
func complaint(body []byte) (message string, params map[string]string) {
	var e map[string]json.RawMessage
	if json.Unmarshal(body, &e) != nil {
		if len(body) < 1000 && !bytes.HasPrefix(bytes.TrimSpace(body), []byte("<")) {
			message = string(body)
		}
		return message, nil
	}
	if raw, ok := e["message"]; ok {
		message, _, _ = scalar(raw)
	}
	var errs Values
	if raw, ok := e["errors"]; ok && errs.UnmarshalJSON(raw) == nil {
		params = errs
	}
	return message, params
}
