package proxmox

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// seedPrefix begins the names of the seeds' files: "virtrigaud-seed-100-1b4e28ba-5d41402a.iso" is one of the VM 100 whose UUID begins so.
// Clusters that share a storage have the same VMIDs.
const seedPrefix = "virtrigaud-seed-"

// seedVolume is where a VM's seed goes: a file of a storage that takes ISO files, "" where the node has none.
func (b *Backend) seedVolume(w world, vmid int64, uuid string) string {
	storage := ""
	for _, name := range w.names() {
		if w.takes(name, "iso") && (storage == "" || name == b.cfg.ImageStorage) {
			storage = name
		}
	}
	if storage == "" {
		return ""
	}
	var tag [4]byte
	_, _ = rand.Read(tag[:]) // never fails
	return fmt.Sprintf("%s:iso/%s%x.iso", storage, seedsOf(vmid, uuid), tag)
}

// seedsOf begins the names of the seeds that are made for a VM.
func seedsOf(vmid int64, uuid string) string {
	first, _, ok := strings.Cut(uuid, "-")
	if !ok {
		return fmt.Sprintf("%s%d-", seedPrefix, vmid)
	}
	return fmt.Sprintf("%s%d-%s-", seedPrefix, vmid, strings.ToLower(first))
}

// isSeed reports whether a volume is a seed that was made here.
func isSeed(volume string) bool { return strings.Contains(volume, ":iso/"+seedPrefix) }

// isOwnSeed reports whether a volume is a seed that was made for the VM: clones have that of the VM that they were made from in a drive.
func isOwnSeed(volume string, vmid int64) bool {
	return strings.Contains(volume, fmt.Sprintf(":iso/%s%d-", seedPrefix, vmid))
}

// sweepSeeds removes the seeds of a VM that is gone which were in no drive of it, for whoever brought or replaced them was killed: they hold the
// user's data. What cannot be looked for stays.
func (b *Backend) sweepSeeds(ctx context.Context, m *machine) {
	uuid := m.Config.UUID()
	if k := m.marked(); k.Seed == nil && !k.Partial || !strings.Contains(uuid, "-") {
		return
	}
	rows, err := b.storageRows(ctx, m.node)
	if err != nil {
		return
	}
	for _, r := range rows {
		if !bool(r.Active) || !slices.Contains(r.contents(), "iso") {
			continue
		}
		files, err := b.content(ctx, m.node, string(r.Storage), url.Values{"content": {"iso"}})
		if err != nil {
			continue
		}
		for _, f := range files {
			if !strings.Contains(string(f.VolID), ":iso/"+seedsOf(m.hardware.VMID, uuid)) {
				continue
			}
			if err := b.freeVolume(ctx, m.node, string(f.VolID)); backends.CodeOf(err) == backends.Canceled {
				return
			}
		}
	}
}
