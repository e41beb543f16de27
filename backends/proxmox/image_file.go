package proxmox

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"net/url"
	"path"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/proxmox/vmconf"
)

// Of a file Proxmox VE keeps nothing but its name, which therefore holds the fingerprint of the content: "debian.f-c2hh....iso". The
// usual digest is shorter: "debian.s-4tOx....iso". A fingerprint that is too long for a name is not kept, and matches nothing.
const (
	textMark       = ".f-"
	digestMark     = ".s-"
	digestPrefix   = "sha256:"
	maxFingerprint = 130
)

// fileFor is the name of the file of an image, without its ending.
func fileFor(name, fingerprint string) string {
	digits, ok := strings.CutPrefix(fingerprint, digestPrefix)
	if sum, err := hex.DecodeString(digits); ok && err == nil && len(sum) == 32 && digits == strings.ToLower(digits) {
		return name + digestMark + base64.RawURLEncoding.EncodeToString(sum)
	}
	if fingerprint == "" || len(fingerprint) > maxFingerprint {
		return name
	}
	return name + textMark + base64.RawURLEncoding.EncodeToString([]byte(fingerprint))
}

// readFile takes the name of a file, without its ending, apart.
func readFile(file string) (name, fingerprint string) {
	if at := strings.LastIndex(file, digestMark); at > 0 {
		if sum, err := base64.RawURLEncoding.DecodeString(file[at+len(digestMark):]); err == nil && len(sum) == 32 {
			return file[:at], digestPrefix + hex.EncodeToString(sum)
		}
	}
	if at := strings.LastIndex(file, textMark); at > 0 {
		if text, err := base64.RawURLEncoding.DecodeString(file[at+len(textMark):]); err == nil {
			return file[:at], string(text)
		}
	}
	return file, ""
}

// imageOf is what a file is as an image; ok is false where it is none: a seed, a file on its way to a VM, a package.
func imageOf(row volumeRow) (img backends.Image, ok bool) {
	v := vmconf.ParseVolume(string(row.VolID))
	content, file, found := strings.Cut(v.Name, "/")
	ending := path.Ext(file)
	if !found || strings.HasPrefix(file, seedPrefix) || strings.HasPrefix(file, stagePrefix) {
		return img, false
	}
	img = backends.Image{ID: v.String(), Path: v.String(), Storage: v.Storage, SizeBytes: int64(row.Size), Allocated: int64(row.Size)}
	img.Name, img.Fingerprint = readFile(strings.TrimSuffix(file, ending))
	switch {
	case content == "iso":
		img.Kind, img.Format = "iso", "iso"
	case content == "import" && (ending == ".qcow2" || ending == ".raw" || ending == ".vmdk"):
		img.Kind, img.Format = "disk", ending[1:]
	default:
		return img, false
	}
	return img, true
}

// file imports an ISO.
func (a *arrival) file(ctx context.Context) (backends.Image, error) {
	place, err := a.land(ctx, a.spec.Storage, "iso", nil)
	if err != nil {
		return backends.Image{}, err
	}
	there, err := a.imageFiles(ctx, place.storage)
	if err != nil {
		return backends.Image{}, err
	}
	for _, img := range there {
		if img.Kind != "iso" || img.Name != a.spec.Name {
			continue
		}
		if a.spec.Fingerprint != "" && img.Fingerprint == a.spec.Fingerprint {
			img.Cached = true
			return img, nil
		}
		return backends.Image{}, backends.Errorf(backends.Conflict, "", "", "the storage %q has an ISO of the name with other content: %s", place.storage, img.ID).At("name").
			Advise("Choose another name, delete that image, or bring it under management with: terraform import ADDRESS %s", img.ID)
	}
	volume := place.storage + ":iso/" + fileFor(a.spec.Name, a.spec.Fingerprint) + ".iso"
	if _, err := a.bring(ctx, place, volume); err != nil {
		return backends.Image{}, err
	}
	return a.fileImage(ctx, volume)
}

// fileImage reads an image that is a file.
func (b *Backend) fileImage(ctx context.Context, id string) (backends.Image, error) {
	l, err := b.locate(ctx, id)
	if err != nil {
		return backends.Image{}, err
	}
	img, ok := imageOf(l.volumeRow)
	if !ok {
		return backends.Image{}, backends.Errorf(backends.NotFound, "", "", "the volume %q is no image", id)
	}
	return img, b.measure(ctx, l.node, &img)
}

// measure fills in what a guest sees of a disk in a file.
func (b *Backend) measure(ctx context.Context, node string, img *backends.Image) error {
	if img.Kind != "disk" || img.Format == "raw" {
		return nil
	}
	info, err := b.volumeInfo(ctx, node, img.ID)
	if err == nil {
		img.SizeBytes = int64(info.Size)
	}
	return err
}

// imageFiles lists the images that are files, of one storage or, where storage is "", of all that can be looked into.
func (b *Backend) imageFiles(ctx context.Context, storage string) ([]backends.Image, error) {
	nodes, _, err := b.onlineNodes(ctx)
	if err != nil {
		return nil, err
	}
	var all []backends.Image
	var at []string // nodes of all
	known, seen, listed := false, map[string]bool{}, map[string]bool{}
	for _, node := range nodes {
		rows, err := b.storageRows(ctx, node)
		if err != nil {
			return nil, err
		}
		for _, r := range rows {
			name := string(r.Storage)
			if storage != "" && name != storage || bool(r.Shared) && seen[name] {
				continue
			}
			known, seen[name] = true, true
			for _, content := range []string{"iso", "import"} {
				if !bool(r.Active) || !slices.Contains(r.contents(), content) {
					continue
				}
				files, err := b.content(ctx, node, name, url.Values{"content": {content}})
				if backends.CodeOf(err) == backends.Auth && storage == "" {
					continue // what cannot be looked at has nothing that could be used
				}
				if err != nil {
					return nil, err
				}
				for _, f := range files {
					if img, ok := imageOf(f); ok && !listed[img.ID] { // nodes can have the same on storages of one name
						listed[img.ID] = true
						all, at = append(all, img), append(at, node)
					}
				}
			}
		}
	}
	if storage != "" && !known {
		return nil, backends.Errorf(backends.NotFound, "", "", "no node has a storage %q", storage).At("storage")
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(parallel)
	for i := range all {
		g.Go(func() error {
			_ = b.measure(ctx, at[i], &all[i]) // a file that cannot be read is listed with the size that it has
			return ctx.Err()
		})
	}
	return all, g.Wait()
}

// deleteFile removes a file that no VM has in a drive.
func (b *Backend) deleteFile(ctx context.Context, id string) error {
	l, err := b.locate(ctx, id)
	if err != nil {
		return err
	}
	if _, ok := imageOf(l.volumeRow); !ok {
		return backends.Errorf(backends.NotFound, "", "", "the volume %q is no image", id)
	}
	users, err := b.mentions(ctx, id, l.nodes(), true)
	if err != nil {
		return err
	}
	if err := needed(users, "in a drive of", "Take it out of there first."); err != nil {
		return err
	}
	return b.freeVolume(ctx, l.node, id)
}
