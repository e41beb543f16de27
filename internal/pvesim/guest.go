package pvesim

import (
	"bytes"
	"slices"
	"strings"
	"time"
)

// GuestMarker is what the content of a disk begins with whose VM has a pretended guest, with an agent.
const GuestMarker = "pvesim guest\n"

// guestDelay is how long a guest takes to boot, and to shut down, unless Guest.SetDelay says otherwise.
const guestDelay = 10 * time.Millisecond

// guest is the system that runs in a VM, from one start of it to the next.
type guest struct {
	answers time.Time // from then on its agent answers
	channel bool      // the VM was started with the device that the agent talks through
	told    guestSettings
	frozen  bool // its file systems
	pid     int  // of the last process
	exited  map[int]guestExit
}

// guestControl is how the guest of one VM behaves, and what it keeps over its starts.
type guestControl struct {
	delay                  time.Duration
	network                time.Duration // how much longer its network takes than its agent
	silent, hanging, stays bool
	exec                   func(command []string, input string) (stdout, stderr string, exitCode int, found bool)
	files                  map[string]string
}

// guestStarted lets the guest of a VM boot, if one of its disks holds one. It is called with mu held, when the
// VM has begun to run.
func (c *cluster) guestStarted(m *machine) {
	m.inGuest = nil
	if !c.hasGuest(m) {
		return
	}
	m.inGuest = &guest{
		answers: time.Now().Add(m.control.bootTime()), channel: agentEnabled(m.config["agent"]),
		told: c.guestSettings(m), pid: 300, exited: map[int]guestExit{},
	}
}

// guestStopped ends the guest of a VM that stops. It is called with mu held.
func (c *cluster) guestStopped(m *machine) { m.inGuest = nil }

// guestObeys says how long the guest of a VM that runs takes to obey a request to shut down, and whether it
// obeys at all: a VM without a guest does not, nor one that is paused. It is called with mu held.
func (c *cluster) guestObeys(m *machine) (after time.Duration, obeys bool) {
	if m.inGuest == nil || m.paused || m.control.stays {
		return 0, false
	}
	return max(time.Until(m.inGuest.answers), 0) + m.control.bootTime(), true
}

// guestAnswers reports whether the agent in a VM answers at all, and at once.
func (c *cluster) guestAnswers(m *machine) bool {
	g := m.inGuest
	return m.running && !m.paused && g != nil && g.channel && !m.control.silent && !m.control.hanging && !time.Now().Before(g.answers)
}

func (g *guestControl) bootTime() time.Duration {
	if g.delay > 0 {
		return g.delay
	}
	return guestDelay
}

// hasGuest reports whether a disk of the VM has a guest on it, or one is pretended.
func (c *cluster) hasGuest(m *machine) bool {
	if c.opts.Guests {
		return true
	}
	for _, d := range guestDrives(m) {
		if d.cdrom {
			continue
		}
		if bytes.Equal(c.volumeBytes(m.node.name, d.volid, int64(len(GuestMarker))), []byte(GuestMarker)) {
			return true
		}
	}
	return false
}

// guestDrive is a drive as a guest sees it.
type guestDrive struct {
	key   string // "scsi0"
	volid string
	cdrom bool
}

// guestDrives are the drives of a VM that hold a volume, by key.
func guestDrives(m *machine) []guestDrive {
	var drives []guestDrive
	for key, value := range m.config {
		if bus := strings.TrimRight(key, "0123456789"); bus == key || !slices.Contains([]string{"ide", "sata", "scsi", "virtio"}, bus) {
			continue
		}
		volid, rest, _ := strings.Cut(value, ",")
		volid = strings.TrimPrefix(volid, "file=")
		if volid == "none" || volid == "cdrom" || !strings.Contains(volid, ":") {
			continue
		}
		cdrom := slices.Contains(strings.Split(rest, ","), "media=cdrom")
		drives = append(drives, guestDrive{key: key, volid: volid, cdrom: cdrom})
	}
	slices.SortFunc(drives, func(a, b guestDrive) int { return strings.Compare(a.key, b.key) })
	return drives
}

// volumeBytes is the beginning of a volume's content, at most n bytes; nil where it cannot be read.
func (c *cluster) volumeBytes(nodeName, volid string, n int64) []byte {
	v := c.volume(nodeName, volid)
	if v == nil {
		return nil
	}
	b := make([]byte, min(n, v.size))
	got, _ := v.data.ReadAt(b, 0)
	return b[:got]
}

// agentEnabled reports whether an "agent" value gives the VM the device of the agent.
func agentEnabled(value string) bool {
	for part := range strings.SplitSeq(value, ",") {
		switch key, v, named := strings.Cut(part, "="); {
		case !named:
			return saysYes(key)
		case key == "enabled":
			return saysYes(v)
		}
	}
	return false
}

// saysYes reads a boolean as PVE's property strings have it.
func saysYes(s string) bool {
	return slices.Contains([]string{"1", "on", "yes", "true"}, strings.ToLower(s))
}
