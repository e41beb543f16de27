package libvirtlab

import (
	"context"
	"crypto/rand"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

//go:embed namespace.sh
var namespaceScript []byte

const dirPrefix = "virtrigaud-lab-"

// baseDir is where labs have their folders. QEMU runs as an ordinary user and must be able to walk there,
// which rules out a home folder; the name must be short, because socket names have 108 bytes.
func baseDir() string {
	if dir := os.Getenv("VIRTRIGAUD_LAB_DIR"); dir != "" {
		return dir
	}
	return "/tmp"
}

func (l *Lab) makeDir() error {
	// The lock comes first: a folder without a held lock is anybody's to sweep.
	name := dirPrefix + strings.ToLower(rand.Text()[:8])
	lock, err := lockFile(context.Background(), filepath.Join(baseDir(), name+".lock"))
	if err != nil {
		return err
	}
	l.lock = lock
	l.Dir = filepath.Join(baseDir(), name)
	for _, dir := range []string{
		"etc/qemu/networks", "etc/storage", "etc/secrets", "etc/nwfilter",
		"lib/qemu", "lib/swtpm", "lib/dnsmasq", "run", "cache", "log", "pool", "pki",
		"localca", "swtpmlog", "ovs", "mnt",
	} {
		if err := os.MkdirAll(filepath.Join(l.Dir, dir), 0o755); err != nil { //nolint:gosec // QEMU's user walks here
			return err
		}
	}
	return os.WriteFile(filepath.Join(l.Dir, "nokvm"), nil, 0o600)
}

// sweep removes what labs of dead processes left: folders and control groups. Their processes are gone,
// the kernel saw to that.
func sweep() error {
	locks, err := filepath.Glob(filepath.Join(baseDir(), dirPrefix+"*.lock"))
	if err != nil {
		return err
	}
	for _, name := range locks {
		lock, err := tryLockFile(name)
		if err != nil {
			continue // somebody's live lab, or swept by somebody else just now
		}
		remove(strings.TrimSuffix(name, ".lock"))
		lock.Close()
	}
	return nil
}

// remove deletes a lab's folder, its control groups and, last, its lock file.
func remove(dir string) {
	name := filepath.Base(dir)
	for _, pattern := range []string{"/sys/fs/cgroup/", "/sys/fs/cgroup/*/"} {
		groups, _ := filepath.Glob(pattern + name)
		for _, group := range groups {
			removeGroup(group)
		}
	}
	_ = os.RemoveAll(dir)
	_ = os.Remove(dir + ".lock")
}

// removeGroup removes a control group and those below it. Its files cannot be removed, only
// the folders, leaves first.
func removeGroup(group string) {
	entries, _ := os.ReadDir(group)
	for _, entry := range entries {
		if entry.IsDir() {
			removeGroup(filepath.Join(group, entry.Name()))
		}
	}
	_ = syscall.Rmdir(group)
}

const libvirtdConf = `listen_tls = 1
listen_tcp = 1
listen_addr = "127.0.0.1"
auth_tcp = "none"
auth_tls = "none"
auth_unix_rw = "none"
auth_unix_ro = "none"
ca_file = "%[1]s/cacert.pem"
cert_file = "%[1]s/servercert.pem"
key_file = "%[1]s/serverkey.pem"
host_uuid = "%[2]s"
`

// No label driver (the lab's mount namespace hides its state), log files instead of virtlogd, and no
// mount namespace per guest. swtpm as the user "tss" would need a writable /tmp.
const qemuConf = `security_driver = "none"
stdio_handler = "file"
namespaces = []
vnc_listen = "127.0.0.1"
swtpm_user = "root"
swtpm_group = "root"
`

func (l *Lab) writeConfig() error {
	uuid, err := os.ReadFile("/proc/sys/kernel/random/uuid")
	if err != nil {
		return err
	}
	conf := fmt.Sprintf(libvirtdConf, l.pki.Dir, strings.TrimSpace(string(uuid)))
	return errors.Join(
		os.WriteFile(filepath.Join(l.Dir, "etc/libvirtd.conf"), []byte(conf), 0o600),
		os.WriteFile(filepath.Join(l.Dir, "etc/qemu.conf"), []byte(qemuConf), 0o600),
	)
}

const natNetwork = `<network><name>` + Network + `</name><forward mode='nat'/><bridge name='virbr0' stp='off' delay='0'/>
<ip address='192.168.150.1' netmask='255.255.255.0'><dhcp><range start='192.168.150.10' end='192.168.150.200'/></dhcp></ip></network>`

const staticNetwork = `<network><name>` + StaticNetwork + `</name><bridge name='virbr1' stp='off' delay='0'/>
<ip address='10.150.0.1' netmask='255.255.255.0'/></network>`

func (l *Lab) defineDefaults() error {
	ctx, cancel := context.WithTimeout(l.ctx, startupLimit)
	defer cancel()
	for _, xml := range []string{natNetwork, staticNetwork} {
		if err := l.define(ctx, "net", xml); err != nil {
			return err
		}
	}
	for _, args := range [][]string{
		{"net-autostart", Network},
		{"net-start", Network},
		{"net-autostart", StaticNetwork},
		{"net-start", StaticNetwork},
		{"pool-define-as", Pool, "dir", "--target", filepath.Join(l.Dir, "pool")},
		{"pool-autostart", Pool},
		{"pool-start", Pool},
	} {
		if _, err := l.virsh(ctx, args...); err != nil {
			return err
		}
	}
	return nil
}
