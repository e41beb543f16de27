package storage

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/diskimage"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/libvirtlab"
)

func TestCreateKinds(t *testing.T) {
	l := libvirtlab.Shared(t)
	s := store(t, l)
	raw := diskFile(t, 32)
	source, _ := from(asQCOW2(t, raw), diskimage.Checksum{})
	img, err := s.ImportImage(t.Context(), spec("origin", "sha256:aa"), source)
	if err != nil {
		t.Fatal(err)
	}
	origin := Ref{"default", "origin"}
	for _, c := range []struct {
		name   string
		spec   Spec
		format string
		size   int64
		full   bool // takes all its space at once
		copied bool
	}{
		{"qcow2, thin", Spec{CapacityBytes: 64 * mib}, "qcow2", 64 * mib, false, false},
		{"qcow2, thick", Spec{CapacityBytes: 64 * mib, Provisioning: "thick"}, "qcow2", 64 * mib, true, false},
		{"raw, thin", Spec{CapacityBytes: 64 * mib, Format: "raw"}, "raw", 64 * mib, false, false},
		{"raw, thick", Spec{CapacityBytes: 64 * mib, Format: "raw", Provisioning: "eager_zeroed"}, "raw", 64 * mib, true, false},
		{"copy", Spec{From: &origin}, "qcow2", 32 * mib, false, true},
		{"copy, larger", Spec{From: &origin, CapacityBytes: 64 * mib}, "qcow2", 64 * mib, false, true},
		{"copy, raw", Spec{From: &origin, Format: "raw"}, "raw", 32 * mib, false, true},
		{"copy, raw, larger", Spec{From: &origin, Format: "raw", CapacityBytes: 64 * mib}, "raw", 64 * mib, false, true},
		{"copy, qcow2, thick", Spec{From: &origin, Format: "qcow2", Provisioning: "thick"}, "qcow2", 32 * mib, true, true},
		{"copy, thick, larger", Spec{From: &origin, CapacityBytes: 64 * mib, Provisioning: "thick"}, "raw", 64 * mib, true, true},
		{"copy, raw, thick, larger", Spec{From: &origin, CapacityBytes: 64 * mib, Format: "raw", Provisioning: "thick"}, "raw", 64 * mib, true, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.spec.Ref = Ref{"default", "made"}
			v, err := s.Create(t.Context(), c.spec)
			if err != nil {
				t.Fatal(err)
			}
			if v.Format != c.format || v.CapacityBytes != c.size || v.Backing != "" {
				t.Errorf("made %+v", v)
			}
			info := qemuImg(t, "info", v.Path)
			if want := fmt.Sprintf("(%d bytes)", c.size); !strings.Contains(info, want) {
				t.Errorf("%s is missing from:\n%s", want, info)
			}
			if c.format == "qcow2" && !strings.Contains(info, "compat: 1.1") {
				t.Errorf("not compat 1.1:\n%s", info)
			}
			if got, err := s.Get(t.Context(), v.Ref); err != nil || c.full != (got.AllocationBytes >= c.size) {
				t.Errorf("it takes %d of %d bytes, %v", got.AllocationBytes, c.size, err)
			}
			if c.copied && c.size == 32*mib {
				qemuImg(t, "compare", "-F", c.format, raw, v.Path)
			}
			if err := s.Delete(t.Context(), v.Ref); err != nil {
				t.Error(err)
			}
		})
	}
	if err := s.DeleteImage(t.Context(), img.ID); err != nil {
		t.Error(err)
	}
	l.AssertEmpty(t)
}

// A volume that shares another one's content shows it, whatever the formats, and grows apart from it.
func TestBacking(t *testing.T) {
	l := libvirtlab.Shared(t)
	s := store(t, l)
	raw := diskFile(t, 32)
	source, _ := from(asQCOW2(t, raw), diskimage.Checksum{})
	img, err := s.ImportImage(t.Context(), spec("origin", "sha256:aa"), source)
	if err != nil {
		t.Fatal(err)
	}
	origin, copied := Ref{"default", "origin"}, Ref{"default", "raw"}
	if _, err := s.Create(t.Context(), Spec{Ref: copied, From: &origin, Format: "raw"}); err != nil {
		t.Fatal(err)
	}
	for _, base := range []Ref{origin, copied} {
		for _, size := range []int64{0, 64 * mib} {
			v, err := s.Create(t.Context(), Spec{Ref: Ref{"default", "layer"}, Backing: &base, CapacityBytes: size})
			if err != nil {
				t.Fatal(err)
			}
			if v.Format != "qcow2" || v.CapacityBytes != max(size, 32*mib) || !strings.HasSuffix(v.Backing, "/"+base.Name) || v.AllocationBytes > mib {
				t.Errorf("made %+v", v)
			}
			qemuImg(t, "compare", raw, v.Path)
			if err := s.Delete(t.Context(), v.Ref); err != nil {
				t.Error(err)
			}
		}
	}
	if err := s.Delete(t.Context(), copied); err != nil {
		t.Error(err)
	}
	if err := s.DeleteImage(t.Context(), img.ID); err != nil {
		t.Error(err)
	}
	l.AssertEmpty(t)
}

func TestRefusedCreates(t *testing.T) {
	l := libvirtlab.Shared(t)
	s := store(t, l)
	origin := Ref{"default", "origin"}
	if _, err := s.Create(t.Context(), Spec{Ref: origin, CapacityBytes: 32 * mib}); err != nil {
		t.Fatal(err)
	}
	missing := Ref{"default", "missing"}
	made := Ref{"default", "made"}
	for name, c := range map[string]struct {
		spec Spec
		code backends.Code
		path backends.Path
	}{
		"no such pool":      {Spec{Ref: Ref{"fast", "a"}, CapacityBytes: mib}, backends.NotFound, "storage"},
		"smaller than copy": {Spec{Ref: made, From: &origin, CapacityBytes: 16 * mib}, backends.Invalid, "size_gib"},
		"no size":           {Spec{Ref: made}, backends.Invalid, "size_gib"},
		"format":            {Spec{Ref: made, CapacityBytes: mib, Format: "vmdk"}, backends.Invalid, "format"},
		"provisioning":      {Spec{Ref: made, CapacityBytes: mib, Provisioning: "fat"}, backends.Invalid, "provisioning"},
		"thick and larger":  {Spec{Ref: made, From: &origin, Format: "qcow2", Provisioning: "thick", CapacityBytes: 64 * mib}, backends.Unsupported, "provisioning"},
		"shared and copied": {Spec{Ref: made, From: &origin, Backing: &origin}, backends.Invalid, ""},
		"shared, raw":       {Spec{Ref: made, Backing: &origin, Format: "raw"}, backends.Invalid, "format"},
		"shared, thick":     {Spec{Ref: made, Backing: &origin, Provisioning: "thick"}, backends.Invalid, "provisioning"},
		"shared, smaller":   {Spec{Ref: made, Backing: &origin, CapacityBytes: 16 * mib}, backends.Invalid, "size_gib"},
		"nothing to share":  {Spec{Ref: made, Backing: &missing}, backends.NotFound, ""},
		"no such origin":    {Spec{Ref: made, From: &missing}, backends.NotFound, ""},
		"no space":          {Spec{Ref: made, CapacityBytes: 1 << 43, Format: "raw", Provisioning: "thick"}, backends.Exhausted, ""},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := s.Create(t.Context(), c.spec)
			var e *backends.Error
			if !errors.As(err, &e) || e.Code != c.code || e.Path != c.path {
				t.Errorf("got %v (%+v)", err, e)
			}
		})
	}
	if err := s.Delete(t.Context(), origin); err != nil {
		t.Error(err)
	}
	l.AssertEmpty(t)
}

func TestManyCreatesAtOnce(t *testing.T) {
	l := libvirtlab.Shared(t)
	s := store(t, l)
	origin := Ref{"default", "origin"}
	source, _ := from(asQCOW2(t, diskFile(t, 32)), diskimage.Checksum{})
	if _, err := s.ImportImage(t.Context(), spec("origin", "sha256:aa"), source); err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for i := range 12 {
		all.Go(func() {
			ref := Ref{"default", fmt.Sprintf("copy-%d", i)}
			if _, err := s.Create(t.Context(), Spec{Ref: ref, From: &origin, CapacityBytes: 48 * mib}); err != nil {
				t.Error(err)
			}
			// A pool that is being written to cannot be refreshed, and is asked for it all the same.
			if err := s.refresh(t.Context(), "default"); err != nil {
				t.Error(err)
			}
			if _, err := s.WriteSmall(t.Context(), Ref{"default", fmt.Sprintf("seed-%d", i)}, []byte("seed")); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	volumes, err := s.List(t.Context(), "default")
	if err != nil || len(volumes) != 26 {
		t.Errorf("%d volumes, %v", len(volumes), err)
	}
	for _, v := range volumes {
		if err := s.Delete(t.Context(), v.Ref); err != nil {
			t.Error(err)
		}
	}
	l.AssertEmpty(t)
}

func TestOneNameForManyCreates(t *testing.T) {
	l := libvirtlab.Shared(t)
	s := store(t, l)
	ref := Ref{"default", "same"}
	errs := make(chan error, 6)
	for range cap(errs) {
		go func() {
			_, err := s.Create(t.Context(), Spec{Ref: ref, CapacityBytes: mib})
			errs <- err
		}()
	}
	made := 0
	for range cap(errs) {
		if err := <-errs; err == nil {
			made++
		} else {
			wantCode(t, err, backends.Conflict)
		}
	}
	if made != 1 {
		t.Errorf("%d of %d creates succeeded", made, cap(errs))
	}
	if err := s.Delete(t.Context(), ref); err != nil {
		t.Error(err)
	}
	l.AssertEmpty(t)
}

func TestPools(t *testing.T) {
	l := libvirtlab.Shared(t)
	s := store(t, l)
	l.DirPool(t, "another")
	pools, err := s.Pools(t.Context())
	if err != nil || len(pools) != 2 || pools[0].Name != "another" || pools[1].Name != "default" {
		t.Fatalf("pools are %+v, %v", pools, err)
	}
	p := pools[1]
	if p.Kind != "dir" || !p.Active || p.Shared || p.FreeBytes <= 0 || p.CapacityBytes < p.FreeBytes {
		t.Errorf("pool is %+v", p)
	}
	l.Virsh(t, "pool-destroy", "another")
	pools, err = s.Pools(t.Context())
	if err != nil || len(pools) != 2 || pools[0].Active {
		t.Errorf("pools are %+v, %v", pools, err)
	}
}

func TestParseRef(t *testing.T) {
	if ref, err := ParseRef("default/web.qcow2"); err != nil || ref != (Ref{"default", "web.qcow2"}) || ref.String() != "default/web.qcow2" {
		t.Errorf("%+v, %v", ref, err)
	}
	for _, bad := range []string{"", "web", "/web", "default/", "a/b/c"} {
		_, err := ParseRef(bad)
		wantCode(t, err, backends.Invalid)
	}
}
