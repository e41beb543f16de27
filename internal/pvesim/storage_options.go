package pvesim

import (
	"maps"
	"slices"
	"strings"
)

// storageOptions are the options of each type of storage that it can do without. With a star: they cannot be changed.
var storageOptions = map[string]string{
	"dir":         "content-dirs shared prune-backups max-protected-backups maxfiles format mkdir create-base-path create-subdirs is_mountpoint preallocation snapshot-as-volume-chain*",
	"nfs":         "path* content-dirs prune-backups max-protected-backups maxfiles options format mkdir create-base-path create-subdirs preallocation snapshot-as-volume-chain*",
	"cifs":        "path* content-dirs subdir prune-backups max-protected-backups maxfiles format username password domain smbversion mkdir create-base-path create-subdirs preallocation options snapshot-as-volume-chain*",
	"glusterfs":   "path* server server2 transport prune-backups max-protected-backups maxfiles format mkdir create-base-path create-subdirs content-dirs preallocation",
	"cephfs":      "path* content-dirs monhost subdir options username format mkdir create-base-path create-subdirs fuse keyring prune-backups max-protected-backups maxfiles fs-name",
	"btrfs":       "shared prune-backups max-protected-backups maxfiles format is_mountpoint nocow mkdir create-base-path create-subdirs preallocation",
	"lvm":         "shared saferemove saferemove-stepsize saferemove_throughput base* tagged_only snapshot-as-volume-chain",
	"lvmthin":     "",
	"zfspool":     "blocksize sparse mountpoint",
	"zfs":         "nowritecache sparse comstar_hg comstar_tg lio_tpg zfs-base-path",
	"rbd":         "monhost pool data-pool namespace username krbd keyring authsupported",
	"iscsi":       "",
	"iscsidirect": "",
	"pbs":         "namespace port username password encryption-key master-pubkey prune-backups max-protected-backups maxfiles fingerprint",
	"esxi":        "shared skip-cert-verification port",
}

// numeric are the options that answers show as numbers.
var numeric = map[string]bool{
	"disable": true, "shared": true, "mkdir": true, "create-base-path": true, "create-subdirs": true, "sparse": true, "krbd": true,
	"nocow": true, "saferemove": true, "saferemove-stepsize": true, "tagged_only": true, "fuse": true, "nowritecache": true, "port": true,
	"snapshot-as-volume-chain": true, "skip-cert-verification": true, "max-protected-backups": true, "maxfiles": true,
}

// secret are the options that go to files of their own and are never shown.
var secret = map[string]bool{"password": true, "encryption-key": true, "keyring": true, "master-pubkey": true}

// storageOption is what is known of an option of a type of storage.
type storageOption struct{ optional, fixed bool }

// optionsOf are the options of a type of storage.
func optionsOf(kind string) map[string]storageOption {
	known := map[string]storageOption{}
	for _, k := range strings.Fields("nodes disable content bwlimit " + storageOptions[kind]) {
		name, fixed := strings.CutSuffix(k, "*")
		known[name] = storageOption{optional: true, fixed: fixed}
	}
	for _, k := range storageKinds[kind].required {
		known[k] = storageOption{fixed: kind != "esxi"}
	}
	return known
}

// checkStorage looks at options as Proxmox VE does when it writes storage.cfg: no other options than the type
// knows, nothing of what it needs lacking, and values that it can have.
func checkStorage(kind string, options section, create bool) error {
	known := optionsOf(kind)
	for _, k := range slices.Sorted(maps.Keys(options)) {
		o, ok := known[k]
		switch {
		case !create && o.fixed:
			return die("can't change value of fixed parameter '%s'", k)
		case !ok:
			return die("unexpected property '%s'", k)
		}
	}
	if create {
		for _, k := range storageKinds[kind].required {
			if options[k] == "" {
				return die("missing value for required option '%s'", k)
			}
		}
	}
	return checkContents(kind, options)
}

// checkContents drops the types of content that the type of storage cannot have, as Proxmox VE does, which warns.
func checkContents(kind string, options section) error {
	if _, ok := options["content"]; !ok {
		return nil
	}
	valid := storageKinds[kind].contents
	list := slices.DeleteFunc(splitList(options["content"]), func(s string) bool { return !slices.Contains(valid, s) })
	switch {
	case slices.Contains(list, "none") && len(list) > 1:
		return die("unable to combine 'none' with other content types")
	case len(list) == 0 && !slices.Contains(valid, "none"):
		return die("storage does not support content type 'none'")
	}
	options["content"] = strings.Join(list, ",")
	return nil
}
