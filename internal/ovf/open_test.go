package ovf_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/diskimage"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/ovf"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/ovf/ovftest"
)

const mib = 1 << 20

// pattern is a raw disk.
func pattern(seed byte, n int) []byte {
	p := make([]byte, n)
	for i := range p {
		p[i] = seed + byte(i/512) + byte(i)
	}
	return p
}

// web has three disks: two with files, and one that begins empty.
func web() ovftest.Package {
	return ovftest.Package{
		Name: "web", CPUs: 2, MemoryMiB: 512, Network: "VM Network", UEFI: true,
		Disks: []ovftest.Disk{
			{File: ovftest.File{Name: "web-1.raw", Content: pattern(1, 3*mib)}, Capacity: 3 * mib},
			{File: ovftest.File{Name: "web-2.raw", Content: pattern(2, 2*mib)}, Capacity: 1 << 30},
			{Capacity: 5 << 30},
		},
	}
}

func write(t testing.TB, name string, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

type disk struct {
	key, format string
	size        int64
	content     []byte
}

// drain reads a package to its end.
func drain(t testing.TB, a *backends.Appliance) (all []disk, err error) {
	t.Helper()
	for {
		key, c, err := a.Next(t.Context())
		if err == io.EOF {
			return all, nil
		}
		if err != nil {
			return all, err
		}
		content, err := io.ReadAll(c.Reader)
		if err == nil {
			err = c.Reader.Close()
		}
		if err != nil {
			return all, err
		}
		all = append(all, disk{key, c.Format, c.VirtualSize, content})
	}
}

func open(t testing.TB, s diskimage.Source) ([]disk, error) {
	t.Helper()
	a, err := ovf.Open(t.Context(), s)
	if err != nil {
		return nil, err
	}
	defer a.Close() //nolint:errcheck // nothing was written
	return drain(t, a)
}

func keys(all []disk) string {
	var names []string
	for _, d := range all {
		names = append(names, d.key)
	}
	return strings.Join(names, " ")
}

func TestArchive(t *testing.T) {
	p := web()
	files := p.Files()
	mf := ovftest.Manifest("web", files...)
	var lines strings.Builder
	fmt.Fprintf(&lines, "SHA1(%s)= %x\r\n", files[0].Name, sha1.Sum(files[0].Content))
	fmt.Fprintf(&lines, "SHA512 (%s) = %X\r\n", files[1].Name, sha512.Sum512(files[1].Content))
	fmt.Fprintf(&lines, "%x *%s\r\n", sha256.Sum256(files[2].Content), files[2].Name)
	mixed := ovftest.File{Name: "web.mf", Content: []byte(lines.String())}
	cert, extra := ovftest.File{Name: "web.cert", Content: []byte("-----BEGIN CERTIFICATE-----")}, ovftest.File{Name: "web.nvram", Content: pattern(9, 9000)}
	dotted := slices.Clone(files)
	for i := range dotted {
		dotted[i].Name = "./" + dotted[i].Name
	}
	for name, tt := range map[string]struct {
		files []ovftest.File
		order string
	}{
		"as VMware's tools write it": {[]ovftest.File{files[0], mf, files[1], files[2]}, "root disk2 disk3"},
		"as VirtualBox writes it":    {[]ovftest.File{files[0], files[1], files[2], mf}, "root disk2 disk3"},
		"disks in another order":     {[]ovftest.File{files[0], files[2], mf, files[1]}, "disk2 root disk3"},
		"all kinds of digests":       {[]ovftest.File{files[0], files[1], mixed, files[2]}, "root disk2 disk3"},
		"no manifest":                {files, "root disk2 disk3"},
		"certificate and other files": {
			[]ovftest.File{files[0], ovftest.Manifest("web", append(slices.Clone(files), extra)...), cert, extra, files[1], files[2]}, "root disk2 disk3",
		},
		"names with a dot": {append(slices.Clone(dotted), mf), "root disk2 disk3"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := open(t, diskimage.Source{Path: write(t, "web.ova", ovftest.Archive(tt.files...))})
			if err != nil {
				t.Fatal(err)
			}
			if keys(got) != tt.order {
				t.Errorf("the disks came as %s", keys(got))
			}
			for _, d := range got {
				switch d.key {
				case "root":
					if d.format != "raw" || d.size != 3*mib || !bytes.Equal(d.content, p.Disks[0].Content) {
						t.Errorf("root is a %s of %d bytes", d.format, d.size)
					}
				case "disk2":
					if d.format != "raw" || d.size != 2*mib || !bytes.Equal(d.content, p.Disks[1].Content) {
						t.Errorf("disk2 is a %s of %d bytes", d.format, d.size)
					}
				case "disk3":
					if d.format != "qcow2" || d.size != 5<<30 {
						t.Errorf("disk3 is a %s of %d bytes", d.format, d.size)
					}
				}
			}
		})
	}
}

// QEMU takes the image of a disk that begins empty for what it is.
func TestEmptyDisk(t *testing.T) {
	if _, err := exec.LookPath("qemu-img"); err != nil && os.Getenv("CI") == "" {
		t.Skip("qemu-img is not installed")
	}
	for _, size := range []int64{1 << 20, 5<<30 + 512, 3 << 40} {
		p := ovftest.Package{Name: "empty", Disks: []ovftest.Disk{{Capacity: size}}}
		got, err := open(t, diskimage.Source{Path: write(t, "empty.ova", p.OVA())})
		if err != nil || len(got) != 1 {
			t.Fatalf("%v, %v", got, err)
		}
		path := write(t, "empty.qcow2", got[0].content)
		if out, err := exec.CommandContext(t.Context(), "qemu-img", "check", path).CombinedOutput(); err != nil || !strings.Contains(string(out), "No errors") {
			t.Errorf("%d bytes: %v\n%s", size, err, out)
		}
		out, err := exec.CommandContext(t.Context(), "qemu-img", "map", "--output=json", path).CombinedOutput()
		if err != nil || !strings.Contains(string(out), fmt.Sprintf(`"length": %d`, size)) || !strings.Contains(string(out), `"zero": true`) {
			t.Errorf("%d bytes: %v\n%s", size, err, out)
		}
	}
}

func TestCompressedArchiveWithChecksum(t *testing.T) {
	var zipped bytes.Buffer
	w := gzip.NewWriter(&zipped)
	if _, err := w.Write(web().OVA()); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	path := write(t, "web.ova.gz", zipped.Bytes())
	sum := fmt.Sprintf("%x", sha256.Sum256(zipped.Bytes()))
	if got, err := open(t, diskimage.Source{Path: path, Checksum: diskimage.Checksum{Algorithm: "sha256", Hex: sum}}); err != nil || len(got) != 3 {
		t.Errorf("%d disks, %v", len(got), err)
	}
	_, err := open(t, diskimage.Source{Path: path, Checksum: diskimage.Checksum{Algorithm: "sha256", Hex: strings.Repeat("0", 64)}})
	if diskimage.KindOf(err) != diskimage.Mismatch {
		t.Errorf("a wrong checksum: %v", err)
	}
}

func TestBrokenArchives(t *testing.T) {
	p := web()
	files := p.Files()
	whole := p.OVA()
	bad := ovftest.File{Name: files[2].Name, Content: append([]byte{0xff}, files[2].Content[1:]...)}
	short := ovftest.File{Name: files[2].Name, Content: files[2].Content[:mib]}
	var link bytes.Buffer
	w := tar.NewWriter(&link)
	for _, h := range []*tar.Header{
		{Name: files[0].Name, Size: int64(len(files[0].Content)), Typeflag: tar.TypeReg},
		{Name: files[1].Name, Linkname: "/etc/shadow", Typeflag: tar.TypeSymlink},
	} {
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if h.Size > 0 {
			w.Write(files[0].Content)
		}
	}
	w.Close()
	for name, tt := range map[string]struct {
		archive []byte
		kind    diskimage.Kind
		says    []string
	}{
		"another disk than the manifest says, before it": {ovftest.Archive(files[0], files[1], bad, ovftest.Manifest("web", files...)), diskimage.Damaged, []string{"web-2.raw", "manifest", "sha256"}},
		"another disk than the manifest says, behind it": {ovftest.Archive(files[0], ovftest.Manifest("web", files...), files[1], bad), diskimage.Damaged, []string{"web-2.raw", "manifest", "sha256"}},
		"another descriptor than the manifest says":      {ovftest.Archive(files[0], files[1], files[2], ovftest.Manifest("web", ovftest.File{Name: "web.ovf", Content: []byte("x")})), diskimage.Damaged, []string{"web.ovf", "manifest"}},
		"a file that only the manifest names":            {ovftest.Archive(files[0], files[1], files[2], ovftest.Manifest("web", ovftest.File{Name: "gone.vmdk"})), diskimage.Damaged, []string{"gone.vmdk", "lacks"}},
		"no readable manifest":                           {ovftest.Archive(files[0], ovftest.File{Name: "web.mf", Content: []byte("trust me")}, files[1], files[2]), diskimage.Damaged, []string{"trust me"}},
		"two manifests":                                  {ovftest.Archive(files[0], ovftest.Manifest("a", files[1]), ovftest.Manifest("b", files[1]), files[1]), diskimage.Damaged, []string{"two manifests"}},
		"missing disk":                                   {ovftest.Archive(files[0], files[1]), diskimage.Damaged, []string{`lacks the file "web-2.raw"`, `"disk2"`}},
		"disk that is twice":                             {ovftest.Archive(files[0], files[1], files[1], files[2]), diskimage.Damaged, []string{"web-1.raw", "twice"}},
		"disk of another length":                         {ovftest.Archive(files[0], files[1], short), diskimage.Damaged, []string{"web-2.raw", "1048576", "2097152"}},
		"cut short in a disk":                            {whole[:len(whole)-mib], diskimage.Incomplete, []string{"cut short"}},
		"cut short in the descriptor":                    {whole[:700], diskimage.Incomplete, []string{"cut short"}},
		"symbolic link":                                  {link.Bytes(), diskimage.Unsupported, []string{"web-1.raw", "no regular file"}},
		"huge descriptor":                                {ovftest.Archive(ovftest.File{Name: "web.ovf", Content: make([]byte, 5*mib)}), diskimage.TooLarge, []string{"web.ovf"}},
		"descriptor that is none":                        {ovftest.Archive(ovftest.File{Name: "web.ovf", Content: []byte("<a/>")}), diskimage.Damaged, []string{"descriptor cannot be read"}},
		"a descriptor where a disk should be":            {ovftest.Archive(files[0], ovftest.File{Name: files[1].Name, Content: append([]byte("# Disk DescriptorFile\n"), make([]byte, 3*mib-22)...)}, files[2]), diskimage.Unsupported, []string{"web-1.raw", "only the descriptor"}},
	} {
		t.Run(name, func(t *testing.T) {
			path := write(t, "web.ova", tt.archive)
			_, err := open(t, diskimage.Source{Path: path})
			if diskimage.KindOf(err) != tt.kind {
				t.Errorf("kind %d: %v", diskimage.KindOf(err), err)
			}
			for _, word := range append(tt.says, "web.ova") {
				if err != nil && !strings.Contains(err.Error(), word) {
					t.Errorf("%q is not in %v", word, err)
				}
			}
		})
	}
	_, err := open(t, diskimage.Source{Path: write(t, "web.ova", pattern(1, 100_000))})
	if diskimage.KindOf(err) != diskimage.Unsupported || !strings.Contains(err.Error(), "raw image, not an OVA") {
		t.Errorf("a disk: %v", err)
	}
}

// layOut writes a package as files side by side.
func layOut(t *testing.T, files ...ovftest.File) string {
	t.Helper()
	dir := t.TempDir()
	for _, f := range files {
		if err := os.WriteFile(filepath.Join(dir, f.Name), f.Content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestDescriptorWithFilesBesideIt(t *testing.T) {
	p := web()
	files := p.Files()
	mf := ovftest.Manifest("web", files...)
	bad := ovftest.File{Name: files[2].Name, Content: append([]byte{0xff}, files[2].Content[1:]...)}
	for name, tt := range map[string]struct {
		files []ovftest.File
		kind  diskimage.Kind
		says  string
	}{
		"whole":                     {append(files, mf), 0, ""},
		"no manifest":               {files, 0, ""},
		"missing disk":              {[]ovftest.File{files[0], mf, files[1]}, diskimage.Damaged, `lacks the file "web-2.raw"`},
		"manifest says otherwise":   {[]ovftest.File{files[0], mf, files[1], bad}, diskimage.Damaged, `"web-2.raw" is not what the manifest`},
		"of another length":         {[]ovftest.File{files[0], files[1], {Name: files[2].Name, Content: files[2].Content[:mib]}}, diskimage.Damaged, "the descriptor says 2097152"},
		"descriptor says otherwise": {[]ovftest.File{files[0], ovftest.Manifest("web", ovftest.File{Name: "web.ovf"}), files[1], files[2]}, diskimage.Damaged, `"web.ovf"`},
	} {
		dir := layOut(t, tt.files...)
		var asked []string
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			asked = append(asked, r.Host+r.URL.Path)
			http.ServeFile(w, r, filepath.Join(dir, filepath.Base(r.URL.Path)))
		}))
		for where, s := range map[string]diskimage.Source{
			"local":  {Path: filepath.Join(dir, "web.ovf")},
			"remote": {URL: server.URL + "/images/web.ovf", Limits: diskimage.Limits{MaxTries: 1}},
		} {
			t.Run(name+", "+where, func(t *testing.T) {
				got, err := open(t, s)
				if tt.kind != 0 {
					if diskimage.KindOf(err) != tt.kind || !strings.Contains(err.Error(), tt.says) {
						t.Errorf("got %v", err)
					}
					return
				}
				if err != nil || keys(got) != "root disk2 disk3" || !bytes.Equal(got[0].content, p.Disks[0].Content) || !bytes.Equal(got[1].content, p.Disks[1].Content) {
					t.Errorf("disks %s, %v", keys(got), err)
				}
			})
		}
		server.Close()
		for _, url := range asked {
			if !strings.Contains(url, "/images/web") {
				t.Errorf("asked for %s", url)
			}
		}
	}
}

// A package that nobody reads to its end can be closed, and says what it asks for all the same.
func TestCloseEarly(t *testing.T) {
	a, err := ovf.Open(t.Context(), diskimage.Source{Path: write(t, "web.ova", web().OVA())})
	if err != nil {
		t.Fatal(err)
	}
	if *a.Hardware.Memory.SizeMiB != 512 || *a.Hardware.Firmware != "uefi" || len(a.Hardware.Disks) != 3 {
		t.Errorf("the hardware is %+v", a.Hardware)
	}
	if _, c, err := a.Next(t.Context()); err != nil {
		t.Error(err)
	} else if _, err := io.ReadFull(c.Reader, make([]byte, 1000)); err != nil {
		t.Error(err)
	}
	if err := a.Close(); err != nil {
		t.Error(err)
	}
	if _, _, err := a.Next(t.Context()); err == nil || errors.Is(err, io.EOF) {
		t.Errorf("a closed package answered %v", err)
	}
}
