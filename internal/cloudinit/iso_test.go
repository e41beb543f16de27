package cloudinit

import (
	"bytes"
	"encoding/binary"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/kdomanski/iso9660"
	"pgregory.net/rapid"
)

func image(t *testing.T, s Seed) []byte {
	t.Helper()
	b, err := ISO(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// needTool finds a program, or skips; where CI is set, the set-up installs it and its
// absence is a failure.
func needTool(t *testing.T, name string) string {
	t.Helper()
	for _, dir := range append(filepath.SplitList(os.Getenv("PATH")), "/usr/sbin", "/sbin") {
		if path, err := exec.LookPath(filepath.Join(dir, name)); err == nil {
			return path
		}
	}
	if os.Getenv("CI") != "" {
		t.Fatalf("%s is not installed", name)
	}
	t.Skipf("%s is not installed", name)
	return ""
}

func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %v: %v\n%s", name, args, err, out)
	}
	return string(out)
}

func writeImage(t *testing.T, s Seed) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "seed.iso")
	if err := os.WriteFile(path, image(t, s), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func fullSeed(t *testing.T) Seed {
	s := render(t, full())
	s.VendorData = "#cloud-config\n" + strings.Repeat("# several sectors\n", 500)
	return s
}

func contents(s Seed) map[string]string {
	m := map[string]string{}
	for _, f := range s.files() {
		m[f.name] = string(f.data)
	}
	return m
}

// xorriso is the reference implementation of Rock Ridge for Linux.
func TestISO_readByXorriso(t *testing.T) {
	xorriso := needTool(t, "xorriso")
	s := fullSeed(t)
	path := writeImage(t, s)
	info := run(t, xorriso, "-indev", path, "-pvd_info", "-toc")
	if !strings.Contains(info, "Volume Id    : cidata\n") {
		t.Errorf("label:\n%s", info)
	}
	for _, ext := range []string{"rockridge", "joliet"} {
		args := []string{"-read_fs", "norock", "-osirrox", "on"}
		if ext == "rockridge" {
			args = []string{"-read_fs", "nojoliet", "-osirrox", "on"}
		}
		dir := filepath.Join(t.TempDir(), "out")
		out := run(t, xorriso, append(args, "-indev", path, "-extract", "/", dir)...)
		if strings.Contains(out, "WARNING") || strings.Contains(out, "FAILURE") {
			t.Errorf("%s:\n%s", ext, out)
		}
		got := map[string]string{}
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			data, err := os.ReadFile(filepath.Join(dir, e.Name()))
			if err != nil {
				t.Fatal(err)
			}
			got[e.Name()] = string(data)
		}
		if diff := cmp.Diff(contents(s), got); diff != "" {
			t.Errorf("%s (-written +read):\n%s", ext, diff)
		}
	}
}

func TestISO_label(t *testing.T) {
	blkid := needTool(t, "blkid")
	out := run(t, blkid, "-p", "-o", "export", writeImage(t, fullSeed(t)))
	for _, want := range []string{"LABEL=cidata\n", "TYPE=iso9660\n"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
}

func TestISO_readByLibrary(t *testing.T) {
	s := fullSeed(t)
	img, err := iso9660.OpenImage(bytes.NewReader(image(t, s)))
	if err != nil {
		t.Fatal(err)
	}
	if label, err := img.Label(); err != nil || label != "cidata" {
		t.Errorf("label %q, %v", label, err)
	}
	root, err := img.RootDir()
	if err != nil {
		t.Fatal(err)
	}
	children, err := root.GetChildren()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, c := range children {
		data, err := io.ReadAll(c.Reader())
		if err != nil {
			t.Fatal(err)
		}
		got[c.Name()] = string(data)
		if c.Mode().Perm() != 0o400 {
			t.Errorf("%s has mode %v: a seed holds secrets", c.Name(), c.Mode())
		}
	}
	if diff := cmp.Diff(contents(s), got); diff != "" {
		t.Errorf("-written +read:\n%s", diff)
	}
}

func TestReadISO_otherTools(t *testing.T) {
	xorriso := needTool(t, "xorriso")
	dir := t.TempDir()
	want := Seed{UserData: "#!/bin/sh\n", MetaData: "instance-id: x\n", NetworkConfig: "version: 2\n"}
	for name, text := range contents(want) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, flags := range [][]string{{"-rock"}, {"-joliet"}, {"-joliet", "-rock"}} {
		out := filepath.Join(t.TempDir(), "seed.iso")
		// xorriso writes Rock Ridge unless told not to.
		args := []string{"-as", "mkisofs", "-o", out, "-V", "CIDATA"}
		if !slices.Contains(flags, "-rock") {
			args = append([]string{"-rockridge", "off"}, args...)
		}
		run(t, xorriso, append(append(args, flags...), dir)...)
		b, err := os.ReadFile(out)
		if err != nil {
			t.Fatal(err)
		}
		got, err := ReadISO(b)
		if err != nil {
			t.Errorf("%v: %v", flags, err)
			continue
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%v: %s", flags, diff)
		}
	}
}

func TestISO_isDeterministic(t *testing.T) {
	if !bytes.Equal(image(t, fullSeed(t)), image(t, fullSeed(t))) {
		t.Error("equal seeds, different bytes")
	}
}

func TestISO_tooLarge(t *testing.T) {
	if _, err := ISO(Seed{UserData: strings.Repeat("x", maxFile+1)}); err == nil {
		t.Error("no error")
	}
}

func TestReadISO_joliet(t *testing.T) {
	s := fullSeed(t)
	b := image(t, s)
	for i := range b[sectorRoot*sector : (sectorRoot+1)*sector] { // no Rock Ridge names
		if at := sectorRoot*sector + i; string(b[at:at+2]) == "NM" {
			b[at] = 'X'
		}
	}
	got, err := ReadISO(b)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(s, got); diff != "" {
		t.Error(diff)
	}
}

func TestReadISO_roundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.OneOf(rapid.String(), rapid.StringN(2040, 2060, -1))
		s := Seed{
			UserData: text.Draw(t, "user"), VendorData: text.Draw(t, "vendor"),
			MetaData: text.Draw(t, "meta"), NetworkConfig: text.Draw(t, "network"),
		}
		if in := text.Draw(t, "inputs"); in != "" {
			s.Inputs = []byte(in)
		}
		b, err := ISO(s)
		if err != nil {
			t.Fatal(err)
		}
		got, err := ReadISO(b)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(s, got); diff != "" {
			t.Fatal(diff)
		}
	})
}

func TestReadISO_errors(t *testing.T) {
	good := image(t, Seed{UserData: "u", MetaData: "m"})
	edit := func(at int, with ...byte) []byte {
		b := bytes.Clone(good)
		copy(b[at:], with)
		return b
	}
	far := binary.LittleEndian.AppendUint32(nil, 1<<31)
	record := sectorRoot*sector + int(good[sectorRoot*sector]) + int(good[sectorRoot*sector+int(good[sectorRoot*sector])])
	for name, b := range map[string][]byte{
		"nothing":             nil,
		"zeros":               make([]byte, 1<<16),
		"cut":                 good[:20*sector],
		"label":               edit(sectorPrimary*sector+40, []byte("config")...),
		"directory elsewhere": edit(sectorPrimary*sector+156+2, far...),
		"file elsewhere":      edit(record+2, far...),
		"file without end":    edit(record+10, 0xff, 0xff, 0xff, 0xff),
		"record shorter":      edit(record, 33),
		"name longer":         edit(record+32, 255),
	} {
		if s, err := ReadISO(b); err == nil {
			t.Errorf("%s: read as %+v", name, s)
		}
	}
}

func FuzzReadISO(f *testing.F) {
	b, err := ISO(Seed{UserData: "u", MetaData: "m", VendorData: "v", NetworkConfig: "n", Inputs: []byte("{}")})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b[sectorPrimary*sector:])
	f.Fuzz(func(t *testing.T, tail []byte) {
		// The system area, which nothing reads, is left to the test, so that the fuzzer does not spend itself on it.
		image := append(make([]byte, sectorPrimary*sector), tail...)
		s, err := ReadISO(image)
		if total := len(s.UserData) + len(s.MetaData) + len(s.VendorData) + len(s.NetworkConfig) + len(s.Inputs); err == nil && total > 5*len(image) {
			t.Errorf("%d bytes from an image of %d", total, len(image))
		}
	})
}
