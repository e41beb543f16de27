package conn

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// sshAuth is what a login can be tried with: one key, or else the agent and OpenSSH's
// usual key files.
type sshAuth struct {
	key  ssh.Signer // inline or from the file that the URI names
	name string     // of key
	home string     // of the user, "" where unknown
}

func newSSHAuth(t target, cfg SSH) (sshAuth, error) {
	var a sshAuth
	text := []byte(cfg.PrivateKey)
	switch {
	case cfg.PrivateKey != "":
		a.name = "the given private key"
	case t.keyFile != "":
		a.name = "the key in " + t.keyFile
		var err error
		if text, err = os.ReadFile(t.keyFile); err != nil {
			return a, badURI("the SSH key cannot be read: %w", err).Advise("Give the key itself in the provider block, or name a readable file with the parameter keyfile.")
		}
	default:
		a.home, _ = os.UserHomeDir() // then only the agent is left
		return a, nil
	}
	var err error
	if a.key, err = ssh.ParsePrivateKey(text); err != nil {
		return a, badKey(a.name, err)
	}
	return a, nil
}

// badKey says why a key cannot be used, never what it is.
func badKey(name string, err error) *backends.Error {
	var locked *ssh.PassphraseMissingError
	if errors.As(err, &locked) {
		e := backends.Errorf(backends.Auth, "connect to libvirtd", "libvirtd", "%s is protected by a passphrase", name).At(uriPath)
		return e.Advise("Load the key into an SSH agent (SSH_AUTH_SOCK), or give a key without a passphrase.")
	}
	e := backends.Errorf(backends.Invalid, "connect to libvirtd", "libvirtd", "%s is not a private key that can be used", name).At(uriPath)
	return e.Advise("Give the whole text of the key, in OpenSSH or PEM form, with its first and last line.")
}

// offer is what one login is tried with.
type offer struct {
	keys    []ssh.Signer
	sources []string
	skipped []string
}

// methods collects the keys for one login; done is called after it.
func (a sshAuth) methods() (o *offer, done func()) {
	o, done = &offer{}, func() {}
	if a.key != nil {
		o.add(a.name, a.key)
		return o, done
	}
	if socket := os.Getenv("SSH_AUTH_SOCK"); socket != "" {
		conn, err := net.Dial("unix", socket) //nolint:noctx // on this machine: answers or fails at once
		if err != nil {
			o.skipped = append(o.skipped, "the SSH agent does not answer")
		} else {
			// The agent signs during the login.
			done = func() { _ = conn.Close() }
			o.addAgent(conn)
		}
	}
	for _, name := range []string{"id_ed25519", "id_ecdsa", "id_rsa"} {
		o.addFile(filepath.Join(a.home, ".ssh", name))
	}
	return o, done
}

func (o *offer) add(source string, keys ...ssh.Signer) {
	o.keys = append(o.keys, keys...)
	o.sources = append(o.sources, source)
}

func (o *offer) addAgent(conn net.Conn) {
	keys, err := agent.NewClient(conn).Signers()
	switch {
	case err != nil:
		o.skipped = append(o.skipped, "the SSH agent does not answer")
	case len(keys) == 0:
		o.skipped = append(o.skipped, "the SSH agent holds no keys")
	default:
		o.add(fmt.Sprintf("the %d keys of the SSH agent", len(keys)), keys...)
	}
}

func (o *offer) addFile(path string) {
	text, err := os.ReadFile(path) //nolint:gosec // in the user's own folder
	if err != nil {
		return
	}
	key, err := ssh.ParsePrivateKey(text)
	if err != nil {
		var locked *ssh.PassphraseMissingError
		if errors.As(err, &locked) {
			o.skipped = append(o.skipped, path+" is protected by a passphrase")
		}
		return
	}
	o.add("the key in "+path, key)
}

func (o *offer) signers() ([]ssh.Signer, error) { return o.keys, nil }

// describe says what was tried.
func (o *offer) describe() string {
	said := "no key, because there is none"
	if len(o.sources) > 0 {
		said = strings.Join(o.sources, " and ")
	}
	if len(o.skipped) > 0 {
		said += " (" + strings.Join(o.skipped, "; ") + ")"
	}
	return said
}
