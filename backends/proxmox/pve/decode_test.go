package pve

import (
	"encoding/json"
	"reflect"
	"testing"
)

func TestAnyFormOfAValue(t *testing.T) {
	type row struct {
		I Int
		F Float
		T Text
		B Bool
	}
	for text, want := range map[string]row{
		`{"I":5,"F":0.5,"T":"x","B":true}`:            {5, 0.5, "x", true},
		`{"I":"5","F":"0.5","T":7,"B":1}`:             {5, 0.5, "7", true},
		`{"I":5.0,"F":1,"T":1.50,"B":"1"}`:            {5, 1, "1.50", true},
		`{"I":"0256","F":"1e3","T":true,"B":"yes"}`:   {256, 1000, "1", true},
		`{"I":true,"F":false,"T":false,"B":"off"}`:    {1, 0, "0", false},
		`{"I":null,"F":null,"T":null,"B":null}`:       {},
		`{"I":"","F":"","T":"","B":""}`:               {},
		`{"I":9007199254740993,"T":9007199254740993}`: {I: 9007199254740993, T: "9007199254740993"},
		`{"T":{"a":1},"B":2,"I":-1}`:                  {I: -1, T: `{"a":1}`, B: true},
		`{"T":"ä\n\"","I":" 3 "}`:                     {I: 3, T: "ä\n\""},
		`[]`:                                          {},
		`null`:                                        {},
		`""`:                                          {},
	} {
		var got row
		if err := decode([]byte(text), &got); err != nil || got != want {
			t.Errorf("%s: %+v %v", text, got, err)
		}
	}
	for _, text := range []string{`{"I":"five"}`, `{"I":1e300}`, `{"I":"NaN"}`, `{"F":"x"}`, `{"F":"Inf"}`, `{"B":"maybe"}`, `{"I":[]}`, `[1]`, `"x"`} {
		var got row
		if err := decode([]byte(text), &got); err == nil {
			t.Errorf("%s: %+v", text, got)
		}
	}
	var p struct{ I *Int }
	if err := decode([]byte(`{"I":null}`), &p); err != nil || p.I != nil {
		t.Error("null is not absent")
	}
	if err := decode([]byte(`{"I":"0"}`), &p); err != nil || p.I == nil {
		t.Error("zero is absent")
	}
}

func TestValues(t *testing.T) {
	var v Values
	text := `{"memory":"0256","cores":2,"cpulimit":0.5,"onboot":1,"protection":true,"kvm":false,"boot":" ","none":null,"list":["a"],"map":{"b":1}}`
	want := Values{
		"memory": "0256", "cores": "2", "cpulimit": "0.5", "onboot": "1", "protection": "1", "kvm": "0", "boot": " ", "list": `["a"]`, "map": `{"b":1}`,
	}
	if err := decode([]byte(text), &v); err != nil || !reflect.DeepEqual(v, want) {
		t.Errorf("%v %v", v, err)
	}
	for _, empty := range []string{`[]`, `{}`, `null`} {
		v = nil
		if err := decode([]byte(empty), &v); err != nil || len(v) != 0 {
			t.Error(empty, v, err)
		}
	}
	var rows []Values
	if err := decode([]byte(`[{"vmid":100},{"vmid":"101","name":null}]`), &rows); err != nil || rows[1]["vmid"] != "101" || len(rows[1]) != 1 {
		t.Error(rows, err)
	}
	if err := decode([]byte(`{}`), &rows); err != nil {
		t.Error(err)
	}
	var raw json.RawMessage
	if err := decode([]byte(`[1]`), &raw); err != nil || string(raw) != "[1]" {
		t.Error(string(raw), err)
	}
}

// FuzzAnswer: no answer makes a decoder panic, and what is decoded is what was there.
func FuzzAnswer(f *testing.F) {
	for _, seed := range []string{
		`{"data":{"I":"5","F":1,"T":null,"B":"on","V":{"a":1},"R":[{"a":"b"}]}}`, `{"data":[],"total":"7"}`, `{"data":null,"errors":null,"message":null}`,
		`{"errors":{"a":"b"},"message":"x"}`, `{"errors":[{"a":1}]}`, `[]`, `"`, ``, `{"data":{"V":[[]],"R":{}}}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(_ *testing.T, body []byte) {
		data, err := envelope(body)
		if err == nil {
			var row struct {
				I Int
				F Float
				T Text
				B Bool
				V Values
				R []Values
			}
			_ = decode(data, &row)
			var v Values
			_ = decode(data, &v)
			var rows []Values
			_ = decode(data, &rows)
			var text string
			_ = decode(data, &text)
			var s taskStatus
			_ = decode(data, &s)
			var lines []logLine
			_ = decode(data, &lines)
			var a ticketAnswer
			_ = decode(data, &a)
		}
		message, params := complaint(body)
		_, _ = message, params
		_ = hiding([]string{string(body)})(string(body))
	})
}
