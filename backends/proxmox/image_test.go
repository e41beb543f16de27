package proxmox_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/pvesim"
)

// nothingLeft fails where an import left a file or a VM.
func (r *rig) nothingLeft(before []string) {
	r.Helper()
	for _, storage := range []string{"local", "local-lvm"} {
		for _, v := range r.sim.Volumes("pve1", storage) {
			if !slices.Contains(before, v) {
				r.Errorf("the volume %s was left", v)
			}
		}
	}
}

func (r *rig) volumes() []string {
	return append(r.sim.Volumes("pve1", "local"), r.sim.Volumes("pve1", "local-lvm")...)
}

// served is a source that has a URL.
func served(t *testing.T, content []byte, format string, h http.HandlerFunc) backends.ImageSource {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	src := rawDisk(content)
	open := src.Open
	src.Open = func(ctx context.Context) (*backends.Content, error) {
		c, err := open(ctx)
		c.Format = format
		return c, err
	}
	src.URL = s.URL + "/disk." + format
	return src
}

// TestFetch: the node gets what has a URL by itself; what it cannot get comes through the provider.
func TestFetch(t *testing.T) {
	disk := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
	sum := sha256.Sum256(disk)
	for name, test := range map[string]struct {
		serve   http.HandlerFunc
		sum     string
		uploads int
	}{
		"fetched":                 {func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(disk) }, "", 0},
		"checked":                 {func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(disk) }, "sha256:" + hex.EncodeToString(sum[:]), 0},
		"out of the node's reach": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) }, "", 1},
		"another content":         {func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(disk[:1<<19]) }, "", 1},
		"wrong for the node":      {func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, len(disk))) }, "sha256:" + hex.EncodeToString(sum[:]), 1},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, pvesim.Options{})
			src := served(t, disk, "raw", test.serve)
			src.Checksum = test.sum
			img, err := r.ImportImage(t.Context(), backends.ImageSpec{Name: "debian", Kind: "disk"}, src)
			if err != nil || img.SizeBytes != int64(len(disk)) {
				t.Fatalf("ImportImage: %+v, %v", img, err)
			}
			if n := r.sim.Requests()["POST /nodes/{node}/storage/{storage}/upload"]; n != test.uploads {
				t.Errorf("%d uploads, want %d", n, test.uploads)
			}
			if got, err := r.sim.ReadVolume("pve1", img.Path, 0, 32); err != nil || img.Format == "raw" && !bytes.Equal(got, disk[:32]) {
				t.Errorf("the image holds %q (%v)", got, err)
			}
		})
	}
}

// TestFetchStalls: a download that stands still ends with its context, and nothing is left of it.
func TestFetchStalls(t *testing.T) {
	r := newRig(t, pvesim.Options{})
	before := r.volumes()
	ctx, cancel := context.WithCancel(t.Context())
	src := served(t, make([]byte, 1<<20), "raw", func(w http.ResponseWriter, req *http.Request) {
		w.Header().Set("Content-Length", "1048576")
		_, _ = w.Write(make([]byte, 4096))
		_ = http.NewResponseController(w).Flush()
		cancel()
		<-req.Context().Done()
	})
	_, err := r.ImportImage(ctx, backends.ImageSpec{Name: "debian", Kind: "disk"}, src)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("ImportImage: %v, want that it was cancelled", err)
	}
	r.nothingLeft(before)
}

// TestImportFails: whatever goes wrong, nothing is left.
func TestImportFails(t *testing.T) {
	unknown := func(content []byte) backends.ImageSource {
		src := rawDisk(content)
		open := src.Open
		src.Open = func(ctx context.Context) (*backends.Content, error) {
			c, err := open(ctx)
			c.Size, c.VirtualSize = -1, -1
			return c, err
		}
		return src
	}
	for name, test := range map[string]struct {
		prepare func(*rig)
		source  backends.ImageSource
		code    backends.Code
	}{
		"storage full":       {func(r *rig) { r.sim.SetStorageSpace("local", 1<<19) }, rawDisk(make([]byte, 1<<20)), backends.Exhausted},
		"full, size unknown": {func(r *rig) { r.sim.SetStorageSpace("local", 1<<19) }, unknown(make([]byte, 1<<20)), backends.Exhausted},
		"upload refused": {func(r *rig) {
			r.sim.Fault(pvesim.Fault{Route: "POST /nodes/{node}/storage/{storage}/upload", Status: 403, Reason: "Permission check failed (/storage/local, Datastore.AllocateTemplate)"})
		}, rawDisk(make([]byte, 1<<20)), backends.Auth},
		"upload broken off": {func(r *rig) {
			r.sim.Fault(pvesim.Fault{Route: "POST /nodes/{node}/storage/{storage}/upload", Drop: true})
		}, rawDisk(make([]byte, 1<<20)), backends.Transient},
		"template refused": {func(r *rig) {
			r.sim.Fault(pvesim.Fault{Route: "POST /nodes/{node}/qemu/{vmid}/template", Status: 500, Reason: "no space left on device"})
		}, rawDisk(make([]byte, 1<<20)), backends.Exhausted},
		"no import content": {func(r *rig) {
			if err := r.hands.Put(r.Context(), "/storage/local", map[string]any{"content": "images,iso"}, nil); err != nil {
				r.Fatal(err)
			}
		}, rawDisk(make([]byte, 1<<20)), backends.Precondition},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, pvesim.Options{Nodes: []string{"pve1"}})
			test.prepare(r)
			before := r.volumes()
			_, err := r.ImportImage(t.Context(), backends.ImageSpec{Name: "debian", Kind: "disk", Storage: new("local")}, test.source)
			if backends.CodeOf(err) != test.code {
				t.Errorf("ImportImage: %v, want code %s", err, test.code)
			}
			r.sim.ClearFaults()
			r.nothingLeft(before)
			if left, err := r.ListVMs(t.Context(), backends.VMFilter{Names: []string{"debian"}}); err != nil || len(left) > 0 {
				t.Errorf("left: %v (%v)", left, err)
			}
		})
	}
}

// TestImportSizeUnknown: a source that does not tell its size is read twice.
func TestImportSizeUnknown(t *testing.T) {
	r := newRig(t, pvesim.Options{})
	opened := 0
	img, err := r.ImportImage(t.Context(), backends.ImageSpec{Name: "debian", Kind: "disk"}, backends.ImageSource{
		Open: func(context.Context) (*backends.Content, error) {
			opened++
			return &backends.Content{Reader: io.NopCloser(strings.NewReader(strings.Repeat("x", 1<<20))), Format: "raw", Size: -1, VirtualSize: -1}, nil
		},
	})
	if err != nil || img.SizeBytes != 1<<20 || opened != 2 {
		t.Errorf("%+v, %v after %d readings", img, err, opened)
	}
}

// TestISOFingerprint: the name of a file tells what it holds.
func TestISOFingerprint(t *testing.T) {
	iso := make([]byte, 40*2048)
	copy(iso[16*2048:], "\x01CD001\x01")
	sum := sha256.Sum256(iso)
	for _, fingerprint := range []string{"sha256:" + hex.EncodeToString(sum[:]), "etag:\"a/b\" 12", ""} {
		r := newRig(t, pvesim.Options{})
		opened := 0
		src := backends.ImageSource{Open: func(context.Context) (*backends.Content, error) {
			opened++
			return &backends.Content{Reader: io.NopCloser(bytes.NewReader(iso)), Format: "iso", Size: int64(len(iso)), VirtualSize: int64(len(iso))}, nil
		}}
		spec := backends.ImageSpec{Name: "debian.12", Kind: "iso", Fingerprint: fingerprint}
		img, err := r.ImportImage(t.Context(), spec, src)
		if err != nil || img.Name != spec.Name || img.Fingerprint != fingerprint || img.Kind != "iso" {
			t.Fatalf("%q: %+v, %v", fingerprint, img, err)
		}
		again, err := r.ImportImage(t.Context(), spec, src)
		if fingerprint == "" {
			if backends.CodeOf(err) != backends.Conflict {
				t.Errorf("without a fingerprint: %+v, %v", again, err)
			}
			continue
		}
		if err != nil || !again.Cached || again.ID != img.ID || opened != 1 {
			t.Errorf("%q: again %+v, %v after %d readings", fingerprint, again, err, opened)
		}
	}
}

// TestImportedFile: a file of the content type import that somebody else put there is an image.
func TestImportedFile(t *testing.T) {
	r := newRig(t, pvesim.Options{Nodes: []string{"pve1"}})
	if err := r.sim.PutFile("pve1", "local:import/theirs.raw", make([]byte, 1<<20)); err != nil {
		t.Fatal(err)
	}
	img, err := r.GetImage(t.Context(), "local:import/theirs.raw")
	if err != nil || img.Kind != "disk" || img.SizeBytes != 1<<20 {
		t.Fatalf("%+v, %v", img, err)
	}
	r.vm("web", func(s *backends.VMSpec) { s.Image = img.ID })
	_, err = r.CreateVM(t.Context(), &backends.VMSpec{Name: "gone", Image: "local:import/gone.raw", Disks: map[string]backends.Disk{"root": {}}})
	var e *backends.Error
	if !errors.As(err, &e) || e.Code != backends.NotFound || e.Path != "image" {
		t.Errorf("a missing image: %v", err)
	}
}

// TestFetchBeside: an ISO that another run has put there meanwhile stays.
func TestFetchBeside(t *testing.T) {
	r := newRig(t, pvesim.Options{Nodes: []string{"pve1"}})
	iso := make([]byte, 40*2048)
	copy(iso[16*2048:], "\x01CD001\x01")
	src := served(t, iso, "iso", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(iso) })
	volume := "local:iso/debian.f-" + base64.RawURLEncoding.EncodeToString([]byte("etag:1")) + ".iso"
	r.sim.Fault(pvesim.Fault{Route: "POST /nodes/{node}/storage/{storage}/download-url", Match: func(*http.Request) bool {
		r.putFile(volume)
		return false
	}})
	_, err := r.ImportImage(t.Context(), backends.ImageSpec{Name: "debian", Kind: "iso", Fingerprint: "etag:1"}, src)
	r.refused(err, backends.Conflict, "debian")
	if n := r.sim.Requests()["POST /nodes/{node}/storage/{storage}/upload"]; n > 0 || !slices.Contains(r.volumes(), volume) {
		t.Errorf("%d uploads, volumes %v", n, r.volumes())
	}
}
