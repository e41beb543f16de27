package cloudinit

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"
)

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
	var value any
	if err := doc.Decode(&value); err != nil {
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

var yamlLine = regexp.MustCompile(`line (\d+)`)

// yamlMistake says where YAML is wrong. The parser's own words may quote a value, which may be
// a secret, so only well-known ones pass.
func yamlMistake(err error) string {
	text := err.Error()
	reason := "it is not valid YAML"
	for _, known := range []string{
		"mapping values are not allowed in this context", "found character that cannot start any token",
		"did not find expected key", "did not find expected '-' indicator", "could not find expected ':'",
		"did not find expected ',' or ']'", "did not find expected ',' or '}'", "found unexpected end of stream",
		"found a tab character that violates indentation", "block sequence entries are not allowed in this context",
		"already defined", "excessive aliasing",
	} {
		if strings.Contains(text, known) {
			reason = known
			break
		}
	}
	switch {
	case reason == "already defined":
		reason = "a key stands there twice"
	case strings.Contains(text, errNotMapping.Error()):
		return errNotMapping.Error()
	case strings.Contains(text, errSecondDocument.Error()):
		return errSecondDocument.Error()
	}
	if m := yamlLine.FindStringSubmatch(text); m != nil {
		return fmt.Sprintf("line %s: %s", m[1], reason)
	}
	return reason
}
