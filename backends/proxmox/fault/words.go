package fault

import (
	"regexp"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// word is a text of Proxmox VE and what it means.
type word struct {
	pattern *regexp.Regexp
	verdict verdict
}

func say(pattern string, v verdict) word { return word{regexp.MustCompile(`(?i)` + pattern), v} }

// byWords judges a text: the first pattern that matches decides.
func byWords(text string) (verdict, bool) {
	for _, topic := range [][]word{first, locks, taken, space, states, missing, wrong, passing, last} {
		for _, w := range topic {
			if w.pattern.MatchString(text) {
				return w.verdict, true
			}
		}
	}
	return verdict{}, false
}

const (
	waitForOther = "Another operation works on it. If none does any more, remove the lock on its node: qm unlock VMID."
	makeRoom     = "Free space on the storage, or name another one."
	snapshots    = "Use a storage and format with snapshots: qcow2 on a directory or NFS, lvmthin, ZFS, RBD."
)

// first are texts that patterns of a wider meaning would match too.
var first = []word{
	say(`file change by other user|detected modified configuration`, verdict{
		code: backends.Conflict, is: ErrDigest, remedy: "Somebody changed the configuration at the same time. Apply again.",
	}),
	say(`received interrupt|interrupted by signal`, verdict{code: backends.Canceled}),
	say(`no quorum|unable to open file '/etc/pve/.* - permission denied`, verdict{
		code: backends.Transient, remedy: "The cluster has no quorum: check which nodes are up (pvecm status).",
	}),
	say(`VM quit/powerdown failed - got timeout|guest-ping' failed - got timeout`, verdict{code: backends.Timeout}),
	say(`only root (may|can) |can only be (set|changed|modified) by root|superuser`, verdict{code: backends.Auth, remedy: asRoot}),
	say(`cloud-init drive is already attached`, verdict{code: backends.Invalid}),
	say(`could not find target VM|same storage with same format|^script '.*' does not exist`, verdict{code: backends.Invalid}),
	say(`^Agent error: `, verdict{code: backends.Precondition}),
	say(`(?:QEMU )?guest agent is not running|No QEMU guest agent configured`, verdict{
		code: backends.Precondition, remedy: "Install and start qemu-guest-agent in the guest, and enable the agent in the VM's configuration.",
	}),
	say(`savevm-start has not been found`, verdict{code: backends.Unsupported}),
}

// locks are about what another operation holds.
var locks = []word{
	say(`(VM|CT) is locked \(suspended\)`, verdict{code: backends.Precondition, remedy: "The VM is suspended to disk. Start it first."}),
	say(`(VM|CT) is locked`, verdict{code: backends.Locked, remedy: waitForOther, is: ErrLocked}),
	say(`can't a?c?quire lock|can't lock file|got lock (request )?timeout|unable to acquire (cfs )?lock`,
		verdict{code: backends.Locked, remedy: waitForOther, is: ErrLocked}),
	say(`disk is locked|device or resource busy|dataset is busy`, verdict{code: backends.Locked}),
}

// taken are about names and numbers that something else has.
var taken = []word{
	say(`\b(VM|CT) \d+ already exists|unable to create (VM|CT) \d+: config file already exists`, verdict{code: backends.Conflict, kind: "VM", is: ErrTaken}),
	say(`qemu-server/\d+\.conf\S* - File exists`, verdict{code: backends.Conflict, kind: "VM", is: ErrTaken}),
	say(`vm-\d+-cloudinit.* already exists`, verdict{
		code: backends.Conflict, is: ErrLeftover, remedy: "An earlier VM of the VMID has left this volume. Remove it: pvesm free STORAGE:VOLUME",
	}),
	say(`already (exists|defined|used)\b|refusing to override existing|is already in use for VM`, verdict{code: backends.Conflict}),
	say(`storage ID '.*' already`, verdict{code: backends.Conflict}),
}

// space is about what is used up.
var space = []word{
	say(`not enough (free )?space|no space left|insufficient (free )?space|out of space|free space in thin pool|free (data|metadata) space|disk quota exceeded|thin pool .*(full|threshold)`,
		verdict{code: backends.Exhausted, remedy: makeRoom}),
	say(`cannot allocate memory|not enough (free )?memory|hugepage allocation failed|unable to allocate memory`,
		verdict{code: backends.Exhausted, remedy: "Name another node, ask for less memory, or free some there."}),
	say(`MAX \d+ vcpus allowed per VM on this node`, verdict{code: backends.Exhausted, remedy: "Name another node, or give the VM fewer CPUs."}),
	say(`unable to find free port|unable to get any free VMID|no free (port|VMID)`, verdict{code: backends.Exhausted}),
}

// states are about what a state forbids.
var states = []word{
	say(`\bVM \d+ already running|\bVM \d+ (is )?not running|\bVM \d+ is running\b|if VM is running|VM is running|CT \d+ (is )?(not )?running`, verdict{code: backends.Precondition}),
	say(`protection mode enabled|\bis protected\b`, verdict{code: backends.Precondition, remedy: "Turn off the VM's protection first."}),
	say(`snapshot feature is not available`, verdict{code: backends.Precondition, remedy: snapshots}),
	say(`linked clone feature is not supported|full clone feature is not supported`, verdict{
		code: backends.Precondition, remedy: "Make a full clone, or clone a template whose disks are on a storage and in a format with linked clones.",
	}),
	say(`feature is not available`, verdict{code: backends.Precondition}),
	say(`can't rollback, '.*' is not most recent snapshot`, verdict{
		code: backends.Precondition, remedy: "ZFS goes back to the latest snapshot only. Delete the later ones first.",
	}),
	say(`can't migrate VM - check log`, verdict{code: backends.Precondition, vague: true}),
	say(`convert a template to a template|because VM contains snapshots|start a vm if it's a template|is a template|can't (migrate|clone|start|move|delete|remove)`, verdict{code: backends.Precondition}),
	say(`still in use|is used by|is not empty|used in HA resources|cannot be deleted`, verdict{code: backends.Precondition}),
	say(`storage '.*' is (disabled|not online|not active)|is not available on (node|storage)|in error state|not allowed on storage|does not support (content|vm images|images)`, verdict{code: backends.Precondition}),
	say(`no spice port`, verdict{code: backends.Precondition, remedy: "Give the VM a display of type qxl for spice."}),
	say(`hotplug problem`, verdict{code: backends.Precondition, remedy: "The change stays pending until the VM is stopped and started."}),
	say(`KVM virtualisation configured, but not available`, verdict{
		code: backends.Precondition, remedy: "Enable virtualisation in the host's firmware, or set kvm to off for the VM, which is slow.",
	}),
}

// missing are about what does not exist.
var missing = []word{
	say(`Configuration file '[^']*\.conf' does not exist|unable to find configuration file for (VM|CT)|resource '(vm|ct):\d+' does not exist`, verdict{code: backends.NotFound, kind: "VM"}),
	say(`snapshot '.*' does not exist`, verdict{code: backends.NotFound, kind: "snapshot"}),
	say(`storage '.*' does not exist|no such storage`, verdict{code: backends.NotFound, kind: "storage"}),
	say(`pool '.*' does not exist`, verdict{code: backends.NotFound, kind: "pool"}),
	say(`bridge '.*' does not exist|no such (bridge|interface)|interface does not exist`, verdict{code: backends.NotFound, kind: "network"}),
	say(`no such cluster node|hostname lookup '.*' failed|^target '.*' does not exist`, verdict{code: backends.NotFound, kind: "node"}),
	say(`no such task`, verdict{code: backends.NotFound, kind: "task"}),
	say(`mapping '?.*'? (not found|does not exist)|mapping not found`, verdict{code: backends.NotFound, kind: "mapping"}),
	say(`^disk '.*' does not exist`, verdict{code: backends.NotFound, kind: "disk"}),
	say(`volume '.*' does not exist|failed to stat '|volume_size_info on '.*' failed|no such (logical )?volume`, verdict{code: backends.NotFound, kind: "volume"}),
	say(`no such (resource|ha group)|HA group '.*' does not exist|not HA managed`, verdict{code: backends.NotFound, kind: "HA"}),
	say(`no rule at position`, verdict{code: backends.NotFound, kind: "rule"}),
	say(`no such (user|token|role|group|alias|job|security group|ipset)|'.*' does not exist`, verdict{code: backends.NotFound, kind: "entry"}),
}

// wrong are about values.
var wrong = []word{
	say(`checksum mismatch: got`, verdict{code: backends.Invalid, remedy: "Check the checksum and its algorithm, and the file that they are about."}),
	say(`shrinking disks is not supported`, verdict{code: backends.Invalid, remedy: "Disks can grow only."}),
	say(`download failed: exit code 8`, verdict{code: backends.Invalid, text: "the server of the URL answered with an error", remedy: "Check the URL. The node fetches it itself."}),
	say(`download failed: exit code 5`, verdict{code: backends.Invalid, text: "the node does not trust the certificate of the URL's server"}),
	say(`invalid server response: '[1-4]`, verdict{code: backends.Invalid, remedy: "Check the URL. The node fetches it itself."}),
	say(`can't resize a cdrom|unsupported format|reserved name|no options specified|SSH public key validation error|is too short|does not look like|`+
		`missing value for required|unknown section type|invalid (VMID|format)|unable to parse|image is not in|no prune-backups options|not a valid|unknown option`,
		verdict{code: backends.Invalid}),
}

// passing are about trouble that passes by itself.
var passing = []word{
	say(`ipcc_send_rec|connection (refused|reset|timed out|was lost)|broken pipe|unexpected (EOF|end of file)|exit code 4$|temporarily unavailable|temporary failure|transport endpoint|can't connect to|got no worker upid|start worker failed|no route to host`,
		verdict{code: backends.Transient}),
	say(`unexpected status|unable to read tail`, verdict{
		code: backends.Transient, text: "the task was broken off (unexpected status)", remedy: "Check whether the node was restarted meanwhile.",
	}),
	say(`got timeout|timeout while waiting|timed out|qmp socket - timeout|timeout after`, verdict{code: backends.Timeout}),
}

// last are texts that say that something failed and not why.
var last = []word{
	say(`qmp command '.*' failed|no such file or directory|could not open`, verdict{code: backends.Precondition}),
	say(`start failed|QEMU exited with code|command '.*' failed|clone failed|unable to create image|download failed`, verdict{code: backends.Precondition, vague: true}),
}
