// Package vmconf reads and writes the configuration of a Proxmox VE VM: a map of keys to texts, many
// of which are property strings ("local:100/vm-100-disk-0.qcow2,size=32G,ssd=1"). It is pure. Whatever
// it does not know it keeps as it is, and no text makes it panic: what people and later versions of
// Proxmox VE write into a configuration is theirs.
package vmconf

import (
	"slices"
	"strings"
)

// Pair is one part of a property string. Key is "" where the text has a bare value,
// which stands for the string's default key.
type Pair struct{ Key, Value string }

// Props is a property string: "value,key=value,...", in the order of the text.
type Props []Pair

// ParseProps splits a property string; it takes any text.
func ParseProps(text string) Props {
	if strings.TrimSpace(text) == "" {
		return nil
	}
	var p Props
	for part := range strings.SplitSeq(text, ",") {
		key, value, ok := strings.Cut(part, "=")
		if !ok {
			key, value = "", part
		}
		p = append(p, Pair{key, value})
	}
	return p
}

// String prints the parts in their order.
func (p Props) String() string {
	parts := make([]string, len(p))
	for i, part := range p {
		parts[i] = part.Value
		if part.Key != "" {
			parts[i] = part.Key + "=" + part.Value
		}
	}
	return strings.Join(parts, ",")
}

// Lookup returns the value of the first of keys that the text has; "" asks for the bare value.
func (p Props) Lookup(keys ...string) (value string, ok bool) {
	for _, key := range keys {
		for _, part := range p {
			if part.Key == key {
				return part.Value, true
			}
		}
	}
	return "", false
}

// Get is Lookup that answers "" for what is not there.
func (p Props) Get(keys ...string) string {
	value, _ := p.Lookup(keys...)
	return value
}

// Bool reads a flag; missing is what it is where the text does not have it.
func (p Props) Bool(key string, missing bool) bool {
	value, ok := p.Lookup(key)
	if !ok {
		return missing
	}
	return IsTrue(value)
}

// With returns a copy with a value set. A new key goes to its place by the alphabet, behind
// the first part, which is how Proxmox VE itself orders them; a bare value goes in front.
func (p Props) With(key, value string) Props {
	p = slices.Clone(p)
	for i := range p {
		if p[i].Key == key {
			p[i].Value = value
			return p
		}
	}
	at := len(p)
	for i := range p {
		if key == "" || i > 0 && p[i].Key > key {
			at = i
			break
		}
	}
	return slices.Insert(p, at, Pair{key, value})
}

// Without returns a copy that lacks keys.
func (p Props) Without(keys ...string) Props {
	return slices.DeleteFunc(slices.Clone(p), func(part Pair) bool { return slices.Contains(keys, part.Key) })
}

// Put is With, or Without where value is "".
func (p Props) Put(key, value string) Props {
	if value == "" {
		return p.Without(key)
	}
	return p.With(key, value)
}

// IsTrue reads a flag as Proxmox VE does.
func IsTrue(text string) bool {
	switch strings.ToLower(text) {
	case "1", "on", "yes", "true":
		return true
	}
	return false
}

// Flag writes a flag.
func Flag(on bool) string {
	if on {
		return "1"
	}
	return "0"
}
