package cloudinit

import (
	"fmt"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"
	"golang.org/x/crypto/ssh"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// Problem is something that would fail or do nothing in the guest. An error is certain
// to; a warning may be meant. Texts hold no secrets.
type Problem struct {
	Path    backends.Path // of the attribute; in a list, of the list, and Text names the element
	Warning bool
	Text    string // a full sentence that says what is wrong, and what to write where that helps
}

// Validate finds what is wrong with the parts of a specification that a seed is made from. It
// needs no hypervisor, so it can run at plan. What is not set is no problem.
func Validate(spec *backends.VMSpec) []Problem {
	v := &validator{}
	v.networks(spec)
	if spec.DNS != nil {
		v.dns(spec.DNS)
	}
	if spec.CloudInit != nil {
		v.cloudInit(spec.CloudInit)
	}
	if spec.Customization != nil {
		v.customization(spec.Customization, spec.CloudInit)
	}
	return v.problems
}

type validator struct{ problems []Problem }

func (v *validator) errorf(p backends.Path, format string, args ...any) {
	v.problems = append(v.problems, Problem{Path: p, Text: fmt.Sprintf(format, args...)})
}

func (v *validator) warnf(p backends.Path, format string, args ...any) {
	v.problems = append(v.problems, Problem{Path: p, Warning: true, Text: fmt.Sprintf(format, args...)})
}

func (v *validator) cloudInit(ci *backends.CloudInit) {
	p := backends.Path("cloud_init")
	if ci.Hostname != nil {
		if why := badHostname(*ci.Hostname); why != "" {
			v.errorf(p.Attr("hostname"), "%q is not a host name (RFC 1123): %s.", *ci.Hostname, why)
		}
	}
	root := v.userData(p.Attr("user_data"), str(ci.UserData))
	v.userData(p.Attr("vendor_data"), str(ci.VendorData))
	v.document(p.Attr("meta_data"), str(ci.MetaData))
	if doc := v.document(p.Attr("network_config"), str(ci.NetworkConfig)); doc != nil &&
		lookup(doc, "version") == nil && lookup(doc, "network") == nil {
		v.warnf(p.Attr("network_config"), "The network configuration has no `version`: cloud-init reads version 1 or 2.")
	}
	v.users(p.Attr("users"), ci.Users, root)
	v.sshKeys(p.Attr("ssh_authorized_keys"), "", ci.SSHKeys)
	if users := lookup(root, "users"); len(ci.SSHKeys) > 0 && users != nil && users.Kind == yaml.SequenceNode {
		for _, name := range userNames(users) {
			if name == "default" {
				return
			}
		}
		v.warnf(p.Attr("ssh_authorized_keys"), "These keys are for the image's default user, which the `users` list of the user data leaves out: add `- default` to that list.")
	}
}

var hostLabel = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?$`)

func badHostname(name string) string {
	switch {
	case name == "":
		return "it is empty"
	case len(name) > 253:
		return "it is longer than 253 characters"
	}
	for label := range strings.SplitSeq(name, ".") {
		switch {
		case label == "":
			return "a part between dots is empty"
		case len(label) > 63:
			return "a part between dots is longer than 63 characters"
		case !hostLabel.MatchString(label):
			return "the parts between dots hold letters, digits and inner hyphens"
		}
	}
	return ""
}

// userData checks data of any format that cloud-init takes and returns its mapping
// where it is #cloud-config.
func (v *validator) userData(p backends.Path, text string) *yaml.Node {
	if strings.TrimSpace(text) == "" {
		return nil
	}
	f, ok := detect(text)
	switch {
	case strings.HasPrefix(text, "\ufeff"):
		v.warnf(p, "The text begins with a byte order mark, which hides its first line from cloud-init: remove it.")
	case !ok:
		v.warnf(p, "cloud-init ignores data whose first line does not say what it is: begin with `#cloud-config`, `#!/bin/sh` or another header that it knows.")
	case f.prefix == cloudConfigHeader:
		root, err := parseYAML(text)
		if err != nil {
			v.warnf(p, "cloud-init would ignore this #cloud-config: %s.", yamlMistake(err))
			return nil
		}
		if root != nil && root.Kind != yaml.MappingNode && root.Tag != "!!null" {
			v.warnf(p, "cloud-init would ignore this #cloud-config: it is not a YAML mapping (key: value).")
			return nil
		}
		return root
	}
	return nil
}

// document checks a text that must be one YAML mapping.
func (v *validator) document(p backends.Path, text string) *yaml.Node {
	doc, err := mapping(text)
	if err != nil {
		v.errorf(p, "cloud-init could not read this: %s.", yamlMistake(err))
		return nil
	}
	if text == "" {
		return nil
	}
	return doc
}

var userName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.-]*\$?$`)

func (v *validator) users(p backends.Path, users []backends.CloudUser, data *yaml.Node) {
	seen := map[string]bool{}
	written := userNames(lookup(data, "users"))
	for i, u := range users {
		switch {
		case u.Name == "":
			v.errorf(p, "User number %d has no name.", i+1)
		case u.Name == "default":
			v.errorf(p, "\"default\" stands for the image's own user, who is kept anyway: choose another name.")
		case len(u.Name) > 32 || !userName.MatchString(u.Name):
			v.errorf(p, "%q is not a user name: it begins with a letter or \"_\" and holds letters, digits, \"_\", \"-\" and \".\", at most 32.", u.Name)
		case seen[u.Name]:
			v.errorf(p, "User %q is listed twice.", u.Name)
		}
		if u.Name != "" && !seen[u.Name] {
			for _, name := range written {
				if name == u.Name {
					v.warnf(p, "The user data has an account %q too, which wins: this one is left out.", u.Name)
					break
				}
			}
		}
		seen[u.Name] = true
		if u.PasswordHash != "" && !looksHashed(u.PasswordHash) {
			v.errorf(p, "The password hash of user %q is not in crypt(3) form such as \"$6$...\": make one with `openssl passwd -6` or `mkpasswd`.", u.Name)
		}
		v.sshKeys(p, fmt.Sprintf(" of user %q", u.Name), u.SSHKeys)
	}
}

// looksHashed accepts modular crypt ("$6$salt$hash"), the 13 characters of DES, and
// the locked forms "!" and "*".
var hashed = regexp.MustCompile(`^(!?\$[A-Za-z0-9-]+\$[^:\s]+|[./A-Za-z0-9]{13}|[!*]+)$`)

func looksHashed(s string) bool { return hashed.MatchString(s) }

func (v *validator) sshKeys(p backends.Path, owner string, keys []string) {
	for i, key := range keys {
		switch {
		case strings.Contains(key, "PRIVATE KEY"):
			v.errorf(p, "Key number %d%s is a private key: give the public one, which ends in \".pub\".", i+1, owner)
		case strings.ContainsAny(strings.TrimSpace(key), "\r\n"):
			v.errorf(p, "Key number %d%s has more than one line: give each key as its own element.", i+1, owner)
		default:
			if _, _, _, _, err := ssh.ParseAuthorizedKey([]byte(key)); err != nil {
				v.errorf(p, "Key number %d%s is not an SSH public key in the form \"ssh-ed25519 AAAA... comment\".", i+1, owner)
			}
		}
	}
}
