package cloudinit

import (
	"fmt"
	"strings"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// renderMetaData merges the user's mapping over instance-id and local-hostname. The user
// wins, except over an instance id that is asked for in its own attribute.
func renderMetaData(instanceID, host string, ci *backends.CloudInit) (string, error) {
	doc, err := mapping(str(ci.MetaData))
	if err != nil {
		return "", fmt.Errorf("meta_data cannot be merged with the instance id and host name: %s", yamlMistake(err))
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
