package cloudinit

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

// renewal gives the guest of a clone a machine id of its own, once for each instance: systemd's DHCP client
// tells servers who it is by that id, so that a clone with its source's would get its source's address. It
// is a boot hook, which runs before all else that cloud-init does with a network, and which
// other vendor data cannot replace as they can a list of commands.
const renewal = `#cloud-boothook
#!/bin/sh
done=/var/lib/cloud/instance/virtrigaud-identity
[ -e "$done" ] && exit 0
if [ -s /etc/machine-id ] && command -v systemd-machine-id-setup >/dev/null; then
  rm -f /etc/machine-id
  [ -L /var/lib/dbus/machine-id ] || rm -f /var/lib/dbus/machine-id
  systemd-machine-id-setup
  if systemctl -q is-active systemd-networkd; then
    systemctl restart systemd-networkd
  fi
fi
: >"$done"
`

// withRenewal adds the renewal to vendor data.
func withRenewal(vendor string) string {
	if strings.TrimSpace(vendor) == "" {
		return renewal
	}
	f, _ := detect(vendor)
	sum := sha256.Sum256([]byte(vendor + "\x00" + renewal))
	return message(hex.EncodeToString(sum[:16]), vendor, f, "text/cloud-boothook", renewal)
}
