package conn

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// hostKeys verifies SSH host keys.
type hostKeys struct {
	verify      string // "normal", "auto" (an unknown host is believed) or "ignore"
	known       ssh.HostKeyCallback
	authorities bool // some hosts are known by a certificate authority
}

func newHostKeys(t target, cfg SSH) (*hostKeys, error) {
	h := &hostKeys{verify: t.verify}
	if h.verify == "ignore" {
		return h, nil
	}
	text := cfg.KnownHosts
	if text == "" {
		var err error
		if text, err = readKnownHosts(t.knownHosts); err != nil {
			return nil, err
		}
	}
	text = usableLines(text)
	h.authorities = strings.Contains(text, "@cert-authority")
	var err error
	if h.known, err = parseKnownHosts(text); err != nil {
		return nil, backends.Errorf(backends.Internal, "connect to libvirtd", "libvirtd", "the known hosts cannot be used: %w", err)
	}
	return h, nil
}

// readKnownHosts reads the file that is named, which must be there, or all the usual ones.
func readKnownHosts(named string) (string, error) {
	if named != "" {
		text, err := os.ReadFile(named) //nolint:gosec // named by the user
		if err != nil {
			return "", badURI("the known hosts cannot be read: %w", err).Advise("Give the lines in the provider block, or name a readable file with the parameter known_hosts.")
		}
		return string(text), nil
	}
	files := []string{"/etc/ssh/ssh_known_hosts"}
	if home, err := os.UserHomeDir(); err == nil {
		files = append(files, filepath.Join(home, ".ssh", "known_hosts"), filepath.Join(home, ".config", "libvirt", "known_hosts"))
	}
	var all strings.Builder
	for _, f := range files {
		text, err := os.ReadFile(f) //nolint:gosec // OpenSSH's and libvirt's own places
		if err == nil {
			all.Write(text)
			all.WriteByte('\n')
		}
	}
	return all.String(), nil
}

// usableLines leaves out the lines that the parser would refuse the whole text for.
func usableLines(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		if _, _, _, _, _, err := ssh.ParseKnownHosts([]byte(line)); err == nil {
			b.WriteString(strings.TrimSpace(line) + "\n")
		}
	}
	return b.String()
}

// parseKnownHosts goes through a file that exists for a moment, because the parser
// reads nothing else. Known hosts are no secret.
func parseKnownHosts(text string) (ssh.HostKeyCallback, error) {
	f, err := os.CreateTemp("", "known-hosts-*")
	if err != nil {
		return nil, err
	}
	defer os.Remove(f.Name()) //nolint:errcheck // in the folder for such things
	_, err = f.WriteString(text)
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, err
	}
	return knownhosts.New(f.Name())
}

func (h *hostKeys) check(host string, remote net.Addr, key ssh.PublicKey) error {
	if h.verify == "ignore" {
		return nil
	}
	err := h.known(host, remote, key)
	if err == nil {
		return nil
	}
	var mismatch *knownhosts.KeyError
	var revoked *knownhosts.RevokedError
	shown := fmt.Sprintf("%s %s", key.Type(), ssh.FingerprintSHA256(key))
	switch {
	case errors.As(err, &revoked):
		return hostKeyError("the key of the SSH host %s (%s) is marked as revoked", host, shown).
			Advise("Do not connect before the host has a new key.")
	case !errors.As(err, &mismatch):
		return hostKeyError("the key of the SSH host %s cannot be verified: %w", host, err)
	case len(mismatch.Want) == 0 && h.verify == "auto":
		return nil
	case len(mismatch.Want) == 0:
		return hostKeyError("the SSH host %s is not a known host; its key is %s", host, shown).
			Advise("If that is the host's fingerprint, add this line to the known hosts: %s", knownhosts.Line([]string{host}, key))
	}
	known := make([]string, len(mismatch.Want))
	for i, w := range mismatch.Want {
		known[i] = w.Key.Type() + " " + ssh.FingerprintSHA256(w.Key)
	}
	return hostKeyError("the SSH host %s shows another key (%s) than the known hosts have (%s)", host, shown, strings.Join(known, ", ")).
		Advise("Somebody may be listening in. If the host was installed anew, replace its line in the known hosts by: %s", knownhosts.Line([]string{host}, key))
}

func hostKeyError(format string, args ...any) *backends.Error {
	return backends.Errorf(backends.Auth, "", "", format, args...)
}

// algorithms are those of the keys that are known of a host, so that a host with
// several keys shows one of them; nil where any will do.
func (h *hostKeys) algorithms(address string) []string {
	if h.verify == "ignore" || h.authorities {
		return nil
	}
	var mismatch *knownhosts.KeyError
	if !errors.As(h.known(address, &net.TCPAddr{}, noKey{}), &mismatch) {
		return nil
	}
	var names []string
	for _, w := range mismatch.Want {
		kinds := []string{w.Key.Type()}
		if w.Key.Type() == ssh.KeyAlgoRSA {
			kinds = []string{ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256, ssh.KeyAlgoRSA}
		}
		for _, k := range kinds {
			if !slices.Contains(names, k) {
				names = append(names, k)
			}
		}
	}
	return names
}

// noKey equals no key.
type noKey struct{}

func (noKey) Type() string                        { return "none" }
func (noKey) Marshal() []byte                     { return []byte("none") }
func (noKey) Verify([]byte, *ssh.Signature) error { return errors.New("not a key") }
