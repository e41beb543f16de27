package cloudinit

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// renderMetaData merges the user's mapping over instance-id and local-hostname. The user
// wins, except over an instance id that is asked for in its own attribute.
func renderMetaData(instanceID, vmName string, ci *backends.CloudInit) (string, error) {
	host := str(ci.Hostname)
	if host == "" {
		host = Hostname(vmName)
	}
	doc, err := mapping(str(ci.MetaData))
	if err != nil {
		return "", fmt.Errorf("meta_data cannot be merged with the instance id and host name: %w", err)
	}
	if instanceID != "" && (ci.InstanceID != nil || lookup(doc, "instance-id") == nil) {
		setKey(doc, "instance-id", instanceID)
	}
	if lookup(doc, "local-hostname") == nil {
		setKey(doc, "local-hostname", host)
	}
	return encodeYAML(doc)
}

// Hostname makes a host name of a VM's name: lower case; each run of characters other than
// a-z, 0-9, "-" and "." becomes one "-"; each label between dots loses hyphens at its ends
// and what exceeds 63 characters; empty labels go, and labels beyond 253 characters in all. A
// name of which nothing is left becomes "vm".
func Hostname(vmName string) string {
	var b strings.Builder
	gap := false
	for _, r := range strings.ToLower(vmName) {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9', r == '-', r == '.':
			b.WriteRune(r)
			gap = false
		case !gap:
			b.WriteByte('-')
			gap = true
		}
	}
	var name string
	for label := range strings.SplitSeq(b.String(), ".") {
		label = strings.Trim(label, "-")
		if len(label) > 63 {
			label = strings.TrimRight(label[:63], "-")
		}
		if label == "" {
			continue
		}
		if name == "" {
			name = label
			continue
		}
		if len(name)+1+len(label) > 253 {
			break
		}
		name += "." + label
	}
	if name == "" {
		return "vm"
	}
	return name
}

var errSecondDocument = errors.New("a second document begins at \"---\"")

var errNotMapping = errors.New("it is not a YAML mapping (key: value)")

// mapping parses text as one YAML mapping; empty text is an empty mapping.
func mapping(text string) (*yaml.Node, error) {
	doc, err := parseYAML(text)
	if err != nil {
		return nil, err
	}
	switch {
	case doc == nil:
		return &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}, nil
	case doc.Kind == yaml.ScalarNode && doc.Tag == "!!null":
		return &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map", HeadComment: doc.HeadComment}, nil
	case doc.Kind != yaml.MappingNode:
		return nil, errNotMapping
	}
	return doc, nil
}

// parseYAML is the root node of the only document in text, or nil where there is none. The
// text is also decoded, which finds duplicate keys and aliases that lead nowhere.
func parseYAML(text string) (root *yaml.Node, err error) {
	defer func() {
		// The parser promises no panics but has had some; text from a user must not crash a plan.
		if recover() != nil {
			root, err = nil, errors.New("it is not valid YAML")
		}
	}()
	var doc, second yaml.Node
	dec := yaml.NewDecoder(strings.NewReader(text))
	if err := dec.Decode(&doc); err != nil {
		if errors.Is(err, io.EOF) {
			return nil, nil
		}
		return nil, err
	}
	if err := dec.Decode(&second); !errors.Is(err, io.EOF) {
		return nil, errSecondDocument
	}
	var any any
	if err := doc.Decode(&any); err != nil {
		return nil, err
	}
	if len(doc.Content) == 0 {
		return nil, nil
	}
	return doc.Content[0], nil
}

// lookup is the value of a key in a mapping node, or nil.
func lookup(m *yaml.Node, key string) *yaml.Node {
	if m == nil || m.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(m.Content); i += 2 {
		if m.Content[i].Value == key {
			return m.Content[i+1]
		}
	}
	return nil
}

// setKey replaces or prepends a key, so that the made ones stand first.
func setKey(m *yaml.Node, key, value string) {
	var node yaml.Node
	node.SetString(value)
	if old := lookup(m, key); old != nil {
		*old = node
		return
	}
	var name yaml.Node
	name.SetString(key)
	at := 0
	if lookup(m, "instance-id") != nil {
		at = 2
	}
	m.Content = append(m.Content[:at:at], append([]*yaml.Node{&name, &node}, m.Content[at:]...)...)
}

func encodeYAML(v any) (text string, err error) {
	defer func() {
		if recover() != nil { // as in parseYAML
			text, err = "", errors.New("it cannot be written as YAML")
		}
	}()
	var b bytes.Buffer
	enc := yaml.NewEncoder(&b)
	enc.SetIndent(2)
	if err := enc.Encode(v); err != nil {
		return "", err
	}
	if err := enc.Close(); err != nil {
		return "", err
	}
	return b.String(), nil
}
