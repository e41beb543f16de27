package vmconf

import (
	"slices"
)

// Pending is what GET .../pending answers: a VM's configuration as it runs and as it will be
// after its next start.
type Pending struct {
	Current    Config // what runs
	Configured Config // what is configured: pending values win, and what is to be deleted is not there
	Keys       []string
	Digest     string
}

// ParsePending reads the rows of .../pending: {"key", "value", "pending", "delete"}.
func ParsePending(rows []map[string]any) Pending {
	p := Pending{Current: Config{}, Configured: Config{}}
	for _, row := range rows {
		key, ok := Text(row["key"])
		if !ok || key == "" {
			continue
		}
		value, hasValue := Text(row["value"])
		if key == "digest" {
			p.Digest = value
			continue
		}
		if hasValue {
			p.Current[key], p.Configured[key] = value, value
		}
		pending, hasPending := Text(row["pending"])
		// 1 is a deletion, 2 one that is forced.
		gone, deleted := Text(row["delete"])
		deleted = deleted && gone != "" && gone != "0"
		switch {
		case deleted:
			delete(p.Configured, key)
		case hasPending:
			p.Configured[key] = pending
		default:
			continue
		}
		p.Keys = append(p.Keys, key)
	}
	slices.Sort(p.Keys)
	p.Keys = slices.Compact(p.Keys)
	return p
}
