package cloudinit

import "fmt"

// WithoutIdentity is a user's meta-data without what makes a guest that guest: its instance id and
// host name. Another VM that is made like it gets its own. Text that says neither is
// returned as it is; "" where nothing else is left.
func WithoutIdentity(metaData string) (string, error) {
	doc, err := mapping(metaData)
	if err != nil {
		return "", fmt.Errorf("meta_data cannot be read: %s", yamlMistake(err))
	}
	kept := doc.Content[:0:0]
	for i := 0; i+1 < len(doc.Content); i += 2 {
		switch doc.Content[i].Value {
		case "instance-id", "instance_id", "local-hostname", "local_hostname", "hostname":
		default:
			kept = append(kept, doc.Content[i], doc.Content[i+1])
		}
	}
	if len(kept) == len(doc.Content) {
		return metaData, nil
	}
	if len(kept) == 0 {
		return "", nil
	}
	doc.Content = kept
	return encodeYAML(doc)
}
