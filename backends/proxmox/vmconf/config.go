package vmconf

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Config is a VM's configuration by key. "digest" is no part of it.
type Config map[string]string

// Values makes a Config of an answer of the API, in which a value may be a number, a text or a
// boolean. What is null or no scalar is left out.
func Values(in map[string]any) Config {
	c := Config{}
	for key, v := range in {
		if text, ok := Text(v); ok && key != "digest" {
			c[key] = text
		}
	}
	return c
}

// Text is a scalar of the API as text; ok is false for null, lists and objects.
func Text(v any) (text string, ok bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case bool:
		return Flag(v), true
	case json.Number:
		return v.String(), true
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64), true
	case int, int64, int32, uint, uint64, uint32:
		return fmt.Sprint(v), true
	}
	return "", false
}

// Clone returns a copy, which is never nil.
func (c Config) Clone() Config {
	if c == nil {
		return Config{}
	}
	return maps.Clone(c)
}

// Int reads a number; ok is false where the key is missing or no whole number.
func (c Config) Int(key string) (n int64, ok bool) {
	n, err := strconv.ParseInt(strings.TrimSpace(c[key]), 10, 64)
	return n, err == nil
}

// IntOr is Int with a value for what is not there.
func (c Config) IntOr(key string, missing int64) int64 {
	if n, ok := c.Int(key); ok {
		return n
	}
	return missing
}

// Bool reads a flag; missing is what it is where the key is not there.
func (c Config) Bool(key string, missing bool) bool {
	text, ok := c[key]
	if !ok || strings.TrimSpace(text) == "" {
		return missing
	}
	return IsTrue(strings.TrimSpace(text))
}

// Props reads a property string.
func (c Config) Props(key string) Props { return ParseProps(c[key]) }

// Slot is a numbered key: "scsi0" is {"scsi", 0}.
type Slot struct {
	Kind  string
	Index int
}

// String is the key.
func (s Slot) String() string { return s.Kind + strconv.Itoa(s.Index) }

// ParseSlot reads a numbered key of one of kinds; ok is false for anything else.
func ParseSlot(key string, kinds ...string) (s Slot, ok bool) {
	for _, kind := range kinds {
		rest, found := strings.CutPrefix(key, kind)
		if !found || rest == "" || len(rest) > 4 || len(rest) > 1 && rest[0] == '0' {
			continue
		}
		n, err := strconv.ParseUint(rest, 10, 16)
		if err != nil {
			continue
		}
		return Slot{kind, int(n)}, true
	}
	return Slot{}, false
}

// Buses of drives in Proxmox VE's order, with how many drives each has (qemu-server, Drive.pm).
var buses = []struct {
	name string
	size int
}{{"ide", 4}, {"scsi", 31}, {"virtio", 16}, {"sata", 6}}

// BusSize is how many drives a bus takes, 0 for one that there is not.
func BusSize(bus string) int {
	for _, b := range buses {
		if b.name == bus {
			return b.size
		}
	}
	return 0
}

// IsDrive reports whether a key is that of a drive on a bus: "scsi0", not "efidisk0".
func IsDrive(key string) bool {
	s, ok := ParseSlot(key, "ide", "scsi", "virtio", "sata")
	return ok && s.Index < BusSize(s.Kind)
}

// Drives are the keys of all drives on buses, in Proxmox VE's order: by bus, then by number.
func (c Config) Drives() []string {
	var keys []string
	for _, b := range buses {
		for i := range b.size {
			if key := (Slot{b.name, i}).String(); strings.TrimSpace(c[key]) != "" {
				keys = append(keys, key)
			}
		}
	}
	return keys
}

// Numbered are the keys of one kind ("net", "hostpci", "usb", "serial", "ipconfig", "unused"), by number.
func (c Config) Numbered(kind string) []string {
	var slots []Slot
	for key, text := range c {
		if s, ok := ParseSlot(key, kind); ok && strings.TrimSpace(text) != "" {
			slots = append(slots, s)
		}
	}
	slices.SortFunc(slots, func(a, b Slot) int { return a.Index - b.Index })
	keys := make([]string, len(slots))
	for i, s := range slots {
		keys[i] = s.String()
	}
	return keys
}

// Free is the first of keys that the configuration does not have, "" where it has all.
func (c Config) Free(keys ...string) string {
	for _, key := range keys {
		if _, taken := c[key]; !taken {
			return key
		}
	}
	return ""
}

// FreeNumber is the free key of a kind with the lowest number below most, or "".
func (c Config) FreeNumber(kind string, most int) string {
	for i := range most {
		if key := (Slot{kind, i}).String(); c.Free(key) != "" {
			return key
		}
	}
	return ""
}

// Without returns a copy that lacks keys.
func (c Config) Without(keys ...string) Config {
	out := c.Clone()
	for _, key := range keys {
		delete(out, key)
	}
	return out
}
