package cloudinit

import (
	"reflect"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

const cloudConfigHeader = "#cloud-config"

// format is what the first line of user data says it is.
type format struct {
	prefix   string // lower case
	mimeType string // "" where cloud-init has none: other agents read it
}

// formats is ordered so that the longer of two prefixes with one start is first.
var formats = []format{
	{"#include-once", "text/x-include-once-url"},
	{"#include", "text/x-include-url"},
	{"#cloud-config-archive", "text/cloud-config-archive"},
	{"#cloud-config-jsonp", "text/cloud-config-jsonp"},
	{cloudConfigHeader, "text/cloud-config"},
	{"#upstart-job", "text/upstart-job"},
	{"#part-handler", "text/part-handler"},
	{"#cloud-boothook", "text/cloud-boothook"},
	{"## template: jinja", "text/jinja2"},
	{"#!", "text/x-shellscript"},
	{"\x1f\x8b", "application/gzip"},
	// Read by cloudbase-init on Windows.
	{"#ps1", ""},
	{"rem cmd", ""},
	{"<powershell>", ""},
	{"<script>", ""},
}

// detect finds the format of user data as cloud-init does: leading white space and case
// do not matter. ok is false where nothing would read it.
func detect(text string) (f format, ok bool) {
	start := strings.TrimLeft(text, " \t\r\n\v\f")
	start = strings.ToLower(start[:min(len(start), 64)])
	for _, f := range formats {
		if strings.HasPrefix(start, f.prefix) {
			return f, true
		}
	}
	if isMIME(text) {
		return format{mimeType: "multipart/mixed"}, true
	}
	return format{mimeType: "text/plain"}, false
}

var mimeVersion = regexp.MustCompile(`(?im)^mime-version:`)

func isMIME(text string) bool { return mimeVersion.MatchString(text[:min(len(text), 4096)]) }

// renderUserData joins what the user wrote with the accounts and keys of the attributes. The user's
// text is never rewritten: ours is added to its lists or appended where the outcome parses as the
// merged mapping, and otherwise a MIME archive holds both. The host name is not here: it is in
// the meta-data, which every format of user data leaves alone.
func renderUserData(ci *backends.CloudInit) string {
	user := str(ci.UserData)
	if len(ci.Users) == 0 && len(ci.SSHKeys) == 0 {
		if strings.TrimSpace(user) == "" {
			return cloudConfigHeader + "\n{}\n"
		}
		return user
	}
	own := ownConfig{SSHKeys: ci.SSHKeys}
	if len(ci.Users) > 0 {
		own.Users = append(own.Users, "default")
	}
	for _, u := range ci.Users {
		own.Users = append(own.Users, newAccount(u))
	}
	return join(user, own)
}

// join adds what the attributes ask for to what the user wrote.
func join(user string, own ownConfig) string {
	if strings.TrimSpace(user) == "" {
		return cloudConfigHeader + "\n" + own.yaml()
	}
	f, _ := detect(user)
	if f.prefix == cloudConfigHeader {
		if root, err := parseYAML(user); err == nil {
			own = own.without(root)
			if own.empty() {
				return user
			}
			if text, ok := own.addTo(user); ok {
				return text
			}
			if root != nil && root.Kind == yaml.MappingNode && len(root.Content) == 0 { // {}
				return cloudConfigHeader + "\n" + own.yaml()
			}
		}
	}
	return archive(user, f, own)
}

// ownConfig is what the attributes ask for, in the terms of #cloud-config.
type ownConfig struct {
	Users    []any    `yaml:"users,omitempty"` // "default" or account
	SSHKeys  []string `yaml:"ssh_authorized_keys,omitempty"`
	TimeZone string   `yaml:"timezone,omitempty"`
}

type account struct {
	Name       string   `yaml:"name"`
	Groups     []string `yaml:"groups,omitempty"`
	Shell      string   `yaml:"shell,omitempty"`
	Sudo       string   `yaml:"sudo,omitempty"`
	LockPasswd *bool    `yaml:"lock_passwd,omitempty"`
	Password   string   `yaml:"hashed_passwd,omitempty"`
	SSHKeys    []string `yaml:"ssh_authorized_keys,omitempty"`
}

func newAccount(u backends.CloudUser) account {
	a := account{Name: u.Name, Groups: u.Groups, Shell: u.Shell, Sudo: u.Sudo, SSHKeys: u.SSHKeys}
	if u.PasswordHash != "" {
		unlocked := false
		a.LockPasswd, a.Password = &unlocked, u.PasswordHash
	}
	return a
}

func (c ownConfig) empty() bool {
	return len(c.Users) == 0 && len(c.SSHKeys) == 0 && c.TimeZone == ""
}

func (c ownConfig) yaml() string {
	text, err := encodeYAML(c)
	if err != nil {
		// Strings and lists of them always encode.
		panic("cloudinit: encode accounts: " + err.Error())
	}
	return text
}

// without drops what the user wrote as well: accounts of that name and equal keys. A list of
// users that the user wrote says itself whether it has the default user.
func (c ownConfig) without(root *yaml.Node) ownConfig {
	var out ownConfig
	users := lookup(root, "users")
	theirs := userNames(users)
	for _, u := range c.Users {
		switch u := u.(type) {
		case string:
			if users == nil {
				out.Users = append(out.Users, u)
			}
		case account:
			if !slices.Contains(theirs, u.Name) {
				out.Users = append(out.Users, u)
			}
		}
	}
	if lookup(root, "timezone") == nil {
		out.TimeZone = c.TimeZone
	}
	var keys []string
	if list := lookup(root, "ssh_authorized_keys"); list != nil && list.Kind == yaml.SequenceNode {
		for _, k := range list.Content {
			keys = append(keys, strings.TrimSpace(k.Value))
		}
	}
	for _, k := range c.SSHKeys {
		if !slices.Contains(keys, strings.TrimSpace(k)) {
			out.SSHKeys = append(out.SSHKeys, k)
		}
	}
	return out
}

// userNames lists the accounts of a #cloud-config's users in each form that cloud-init takes.
func userNames(users *yaml.Node) []string {
	var names []string
	if users == nil {
		return nil
	}
	switch users.Kind {
	case yaml.ScalarNode:
		for name := range strings.SplitSeq(users.Value, ",") {
			names = append(names, strings.TrimSpace(name))
		}
	case yaml.MappingNode:
		for i := 0; i+1 < len(users.Content); i += 2 {
			names = append(names, users.Content[i].Value)
		}
	case yaml.SequenceNode:
		for _, u := range users.Content {
			if u.Kind == yaml.ScalarNode {
				names = append(names, u.Value)
			} else if name := lookup(u, "name"); name != nil {
				names = append(names, name.Value)
			}
		}
	default: // no form that cloud-init takes
	}
	return names
}

// addTo adds c to the user's text without changing any of its lines. ok is false where the
// result would not parse as the user's mapping with c added, say after a flow mapping.
func (c ownConfig) addTo(text string) (merged string, ok bool) {
	want, ok := decodeMap(text)
	if !ok {
		return "", false
	}
	ours, ok := decodeMap(c.yaml())
	if !ok {
		return "", false
	}
	merged = text
	var appended ownConfig
	for _, part := range []struct {
		key  string
		only ownConfig
	}{{"users", ownConfig{Users: c.Users}}, {"ssh_authorized_keys", ownConfig{SSHKeys: c.SSHKeys}}} {
		items, asked := ours[part.key].([]any)
		if !asked {
			continue
		}
		if list, exists := want[part.key]; exists {
			old, isList := list.([]any)
			if !isList {
				return "", false
			}
			want[part.key] = append(slices.Clip(old), items...)
			if merged, ok = insertItems(merged, part.key, part.only); !ok {
				return "", false
			}
			continue
		}
		want[part.key] = items
		appended.Users = append(appended.Users, part.only.Users...)
		appended.SSHKeys = append(appended.SSHKeys, part.only.SSHKeys...)
	}
	if c.TimeZone != "" {
		want["timezone"], appended.TimeZone = c.TimeZone, c.TimeZone
	}
	if !appended.empty() {
		if !strings.HasSuffix(merged, "\n") {
			merged += "\n"
		}
		merged += appended.yaml()
	}
	got, ok := decodeMap(merged)
	return merged, ok && reflect.DeepEqual(got, want)
}

// insertItems puts the one list of c behind the last item of the list under key, at the items'
// own indentation.
func insertItems(text, key string, c ownConfig) (string, bool) {
	root, err := parseYAML(text)
	if err != nil || root == nil {
		return "", false
	}
	list := lookup(root, key)
	if list == nil || list.Kind != yaml.SequenceNode || list.Style&yaml.FlowStyle != 0 || len(list.Content) == 0 {
		return "", false
	}
	lines := strings.SplitAfter(text, "\n")
	end := len(lines) // the line of the next top-level key
	for i := 0; i+1 < len(root.Content); i += 2 {
		if root.Content[i+1] == list && i+2 < len(root.Content) {
			end = root.Content[i+2].Line - 1
		}
	}
	for end > 0 {
		line := strings.TrimSpace(lines[end-1])
		if line != "" && !strings.HasPrefix(line, "#") {
			break
		}
		end--
	}
	if end == 0 || end > len(lines) {
		return "", false
	}
	indent := strings.Repeat(" ", max(list.Column-1, 0))
	var b strings.Builder
	b.WriteString(strings.Join(lines[:end], ""))
	if !strings.HasSuffix(b.String(), "\n") {
		b.WriteByte('\n')
	}
	_, items, _ := strings.Cut(c.yaml(), "\n") // without the key's own line
	for line := range strings.Lines(items) {
		b.WriteString(indent + strings.TrimPrefix(line, "  "))
	}
	b.WriteString(strings.Join(lines[end:], ""))
	return b.String(), true
}

// decodeMap decodes a mapping; a document without content is an empty one.
func decodeMap(text string) (m map[string]any, ok bool) {
	root, err := mapping(text)
	if err != nil {
		return nil, false
	}
	m = map[string]any{}
	return m, root.Decode(&m) == nil
}
