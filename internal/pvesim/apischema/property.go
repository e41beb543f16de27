package apischema

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
)

// Property is what a parameter, or a part of a property string, may be.
type Property struct {
	Type       string               `json:"type"` // "string", "integer", "number", "boolean", "array", "object", "null"
	Format     string               `json:"format"`
	Pattern    string               `json:"pattern"` // Perl's, without anchors
	Requires   string               `json:"requires"`
	Alias      string               `json:"alias"`    // another name for that key
	KeyAlias   string               `json:"keyAlias"` // the key whose value the name itself is, as "virtio" in "virtio=<mac>"
	Default    text                 `json:"default"`
	Optional   flag                 `json:"optional"`
	DefaultKey flag                 `json:"default_key"` // its value may stand without the key
	Enum       []text               `json:"enum"`
	Minimum    *json.Number         `json:"minimum"`
	Maximum    *json.Number         `json:"maximum"`
	MinLength  *int                 `json:"minLength"`
	MaxLength  *int                 `json:"maxLength"`
	Items      *Property            `json:"items"`
	Properties map[string]*Property `json:"properties"`
	// OnlyFor are the values of TypeProperty that this is there for; none is all.
	OnlyFor      []string `json:"instance-types"`
	TypeProperty string   `json:"type-property"`

	family bool // stands for a numbered family, "net[n]"
}

// flag is a boolean that may be written as a number.
type flag bool

func (f *flag) UnmarshalJSON(b []byte) error {
	*f = flag(string(b) == "1" || string(b) == "true" || string(b) == `"1"`)
	return nil
}

// text is a scalar in PVE's text form.
type text string

func (t *text) UnmarshalJSON(b []byte) error {
	var v any
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		return err
	}
	s, _ := scalar(v)
	*t = text(s)
	return nil
}

// families are how many members each numbered family of parameters has, from 0 on.
var families = map[string]int{
	"acmedomain": 6, "dev": 256, "hostpci": 16, "ide": 4, "ipconfig": 32, "mp": 256, "net": 32, "numa": 8,
	"parallel": 3, "sata": 6, "scsi": 31, "serial": 4, "unused": 256, "usb": 14, "virtio": 16, "virtiofs": 10,
}

func isFamily(name string) bool { return strings.HasSuffix(name, "[n]") }

// familyOf is the family's name of a numbered parameter that exists: "net[n]" of "net0", "" of "net32" and "name".
func familyOf(name string) string {
	base := strings.TrimRight(name, "0123456789")
	digits := name[len(base):]
	if digits == "" || base == "" || (digits[0] == '0' && digits != "0") {
		return ""
	}
	n, err := strconv.Atoi(digits)
	if err != nil || n >= families[base] {
		return ""
	}
	return base + "[n]"
}

// lookup finds what a name stands for, alone or in a family.
func lookup(in map[string]*Property, name string) *Property {
	if p := in[name]; p != nil && !p.family {
		return p
	}
	if family := familyOf(name); family != "" {
		return in[family]
	}
	return nil
}
