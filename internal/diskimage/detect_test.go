package diskimage

import (
	"archive/tar"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestDetect(t *testing.T) {
	with := func(p []byte, edit func([]byte)) []byte {
		p = bytes.Clone(p)
		edit(p)
		return p
	}
	be, le := binary.BigEndian, binary.LittleEndian
	q := qcow2Header(20 << 30)
	backed := with(q, func(p []byte) {
		be.PutUint64(p[8:], 200)
		be.PutUint32(p[16:], 9)
		copy(p[200:], "base.img!")
	})
	descriptor := "# Disk DescriptorFile\nversion=1\nCID=123a654e\nparentCID=ffffffff\ncreateType=\"streamOptimized\"\n"
	vdi := make([]byte, 512)
	copy(vdi[64:], "\x7f\x10\xda\xbe")
	le.PutUint32(vdi[0x4c:], 1)
	le.PutUint64(vdi[0x170:], 5<<30)
	vhd := make([]byte, 1536)
	copy(vhd, "conectix")
	be.PutUint64(vhd[48:], 7<<30)
	be.PutUint32(vhd[60:], 3)
	iso := make([]byte, 40<<10)
	copy(iso[32768:], "\x01CD001\x01")
	le.PutUint32(iso[32768+80:], 1000)
	le.PutUint16(iso[32768+128:], 2048)
	cut := make([]byte, 300<<10) // a VHDX without a region table
	copy(cut, "vhdxfile")

	for _, tc := range []struct {
		name string
		head []byte
		want Header
		kind Kind
		err  string
	}{
		{name: "raw", head: noise(1, 4096), want: Header{Format: Raw, VirtualSize: -1}},
		{name: "raw of zeros", head: make([]byte, 4096), want: Header{Format: Raw, VirtualSize: -1}},
		{name: "one byte", head: []byte{'Q'}, want: Header{Format: Raw, VirtualSize: -1}},
		{name: "luks", head: []byte("LUKS\xba\xbe\x00\x02"), want: Header{Format: Raw, VirtualSize: -1, Encrypted: true}},
		{name: "qcow2", head: q, want: Header{Format: QCOW2, VirtualSize: 20 << 30}},
		{name: "qcow2 version 2", head: with(q, func(p []byte) { p[7] = 2 }), want: Header{Format: QCOW2, VirtualSize: 20 << 30}},
		{name: "qcow2 encrypted", head: with(q, func(p []byte) { p[35] = 2 }), want: Header{Format: QCOW2, VirtualSize: 20 << 30, Encrypted: true}},
		{name: "qcow1", head: with(q, func(p []byte) { p[7] = 1 }), kind: Unsupported, err: "old qcow format"},
		{name: "qcow2 version 9", head: with(q, func(p []byte) { p[7] = 9 }), kind: Unsupported, err: "version 9"},
		{name: "qcow2 with a backing file", head: backed, kind: Unsupported, err: `backing file "base.img!"; make it complete with: qemu-img convert`},
		{name: "qcow2 with its backing file name out of sight", head: with(backed, func(p []byte) { be.PutUint64(p[8:], 1<<63) }), kind: Unsupported, err: "backing file another file"},
		{name: "qcow2 with an absurd name length", head: with(backed, func(p []byte) { be.PutUint32(p[16:], 1<<32-1) }), kind: Unsupported, err: "backing file another file"},
		{name: "qcow2 corrupt", head: with(q, func(p []byte) { p[79] = 2 }), kind: Damaged, err: "marked as corrupt"},
		{name: "qcow2 with a data file", head: with(q, func(p []byte) { p[79] = 4 }), kind: Unsupported, err: "lies in another file"},
		{name: "qcow2 cut off", head: q[:50], kind: Damaged, err: "cut off"},
		{name: "qcow2 of absurd size", head: with(q, func(p []byte) { p[24] = 0xff }), kind: Damaged, err: "impossible"},
		{name: "qcow2 of absurd clusters", head: with(q, func(p []byte) { p[23] = 99 }), kind: Damaged, err: "cluster size"},
		{name: "vmdk stream", head: vmdkHeader(2048, 3<<16, descriptor), want: Header{Format: VMDK, Subformat: "streamOptimized", VirtualSize: 1 << 20}},
		{name: "vmdk sparse", head: vmdkHeader(2048, 3, strings.ReplaceAll(descriptor, "streamOptimized", "monolithicSparse")), want: Header{Format: VMDK, Subformat: "monolithicSparse", VirtualSize: 1 << 20}},
		{name: "vmdk delta", head: vmdkHeader(2048, 3, strings.ReplaceAll(descriptor, "ffffffff", "0123abcd")), kind: Unsupported, err: "differences to its parent"},
		{name: "vmdk of pieces", head: vmdkHeader(2048, 3, strings.ReplaceAll(descriptor, "streamOptimized", "twoGbMaxExtentSparse")), kind: Unsupported, err: `"twoGbMaxExtentSparse"`},
		{name: "vmdk piece", head: vmdkHeader(2048, 3, ""), kind: Unsupported, err: "one piece"},
		{name: "vmdk of absurd capacity", head: vmdkHeader(1<<60, 3, descriptor), kind: Damaged, err: "capacity is impossible"},
		{name: "vmdk descriptor alone", head: []byte(descriptor), kind: Unsupported, err: "only the descriptor of a disk"},
		{name: "vmdk old", head: []byte("COWD\x01"), kind: Unsupported, err: "COWD"},
		{name: "vdi", head: vdi, want: Header{Format: VDI, VirtualSize: 5 << 30}},
		{name: "vdi difference", head: with(vdi, func(p []byte) { p[0x4c] = 4 }), kind: Unsupported, err: "differences to its parent"},
		{name: "vhd", head: vhd, want: Header{Format: VHD, VirtualSize: 7 << 30}},
		{name: "vhd difference", head: with(vhd, func(p []byte) { p[63] = 4 }), kind: Unsupported, err: "differences to its parent"},
		{name: "vhdx, too little seen", head: []byte("vhdxfile"), want: Header{Format: VHDX, VirtualSize: -1}},
		{name: "vhdx without tables", head: cut, kind: Damaged, err: "region table"},
		{name: "iso", head: iso, want: Header{Format: ISO, VirtualSize: 2048000}},
		{name: "ova", head: tarOf(t, "vm.ovf", "vm.vmdk"), want: Header{Format: OVA, VirtualSize: -1}},
		{name: "tar", head: tarOf(t, "disk.raw"), kind: Unsupported, err: "tar archive that does not begin with an OVF"},
		{name: "zip", head: []byte("PK\x03\x04xx"), kind: Unsupported, err: "ZIP archive; unpack it"},
		{name: "web page", head: []byte("\xef\xbb\xbf\n <!DocType HTML>"), kind: Unsupported, err: "web page"},
		{name: "ovf", head: []byte("<?xml version='1.0'?><Envelope>"), kind: Unsupported, err: "OVF descriptor"},
		{name: "json", head: []byte(`{"error":"no"}`), kind: Unsupported, err: "JSON"},
		{name: "nothing", head: nil, kind: Damaged, err: "empty"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := Detect(tc.head)
			if tc.kind != 0 {
				wantError(t, err, tc.kind, tc.err)
			} else if err != nil || got != tc.want {
				t.Errorf("got %+v, %v, want %+v", got, err, tc.want)
			}
		})
	}
}

func tarOf(t testing.TB, names ...string) []byte {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, n := range names {
		// An access time makes it the extended format, with a header before the header.
		if err := w.WriteHeader(&tar.Header{Name: n, Size: 3, Mode: 0o644, Format: tar.FormatPAX, PAXRecords: map[string]string{"X.y": "z"}}); err != nil {
			t.Fatal(err)
		}
		w.Write([]byte("abc"))
	}
	w.Close()
	return b.Bytes()
}

// What qemu-img makes is recognised, with the size that qemu-img itself reads.
func TestDetectMatchesQEMU(t *testing.T) {
	img := tool(t, "qemu-img")
	dir := t.TempDir()
	run := func(t *testing.T, args ...string) []byte {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), img, args...)
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("qemu-img %s: %v\n%s", strings.Join(args, " "), err, out)
		}
		return out
	}
	disk := make([]byte, 40<<20)
	copy(disk[3<<20:], noise(1, 2<<20))
	if err := os.WriteFile(filepath.Join(dir, "base.raw"), disk, 0o600); err != nil {
		t.Fatal(err)
	}

	for _, tc := range []struct {
		name, file string
		args       []string
		format     Format
		subformat  string
		encrypted  bool
		err        string
	}{
		{name: "raw", args: []string{"convert", "-O", "raw", "base.raw"}, format: Raw},
		{name: "qcow2", args: []string{"convert", "-O", "qcow2", "base.raw"}, format: QCOW2},
		{name: "qcow2 0.10", args: []string{"convert", "-O", "qcow2", "-o", "compat=0.10", "base.raw"}, format: QCOW2},
		{name: "qcow2 compressed", args: []string{"convert", "-c", "-O", "qcow2", "base.raw"}, format: QCOW2},
		{name: "qcow2 huge", args: []string{"create", "-f", "qcow2"}, format: QCOW2},
		{name: "qcow2 luks", args: []string{"create", "--object", "secret,id=s,data=abc", "-f", "qcow2", "-o", "encrypt.format=luks,encrypt.key-secret=s,encrypt.iter-time=10"}, format: QCOW2, encrypted: true},
		{name: "qcow2 backed", args: []string{"create", "-f", "qcow2", "-b", "base.raw", "-F", "raw"}, err: `backing file "base.raw"`},
		{name: "qcow2 data file", args: []string{"create", "-f", "qcow2", "-o", "data_file=data"}, err: "lies in another file"},
		{name: "luks", args: []string{"create", "--object", "secret,id=s,data=abc", "-f", "luks", "-o", "key-secret=s,iter-time=10"}, format: Raw, encrypted: true},
		{name: "vmdk", args: []string{"convert", "-O", "vmdk", "base.raw"}, format: VMDK, subformat: "monolithicSparse"},
		{name: "vmdk stream", args: []string{"convert", "-O", "vmdk", "-o", "subformat=streamOptimized", "base.raw"}, format: VMDK, subformat: "streamOptimized"},
		{name: "vmdk flat", args: []string{"convert", "-O", "vmdk", "-o", "subformat=monolithicFlat", "base.raw"}, err: "only the descriptor"},
		{name: "vmdk split", args: []string{"convert", "-O", "vmdk", "-o", "subformat=twoGbMaxExtentSparse", "base.raw"}, err: "only the descriptor"},
		{name: "vmdk extent", file: "vmdk-split-s001.img", err: "one piece of a disk"},
		{name: "vdi", args: []string{"convert", "-O", "vdi", "base.raw"}, format: VDI},
		{name: "vdi static", args: []string{"convert", "-O", "vdi", "-o", "static=on", "base.raw"}, format: VDI},
		{name: "vpc", args: []string{"convert", "-O", "vpc", "base.raw"}, format: VHD},
		{name: "vpc fixed", args: []string{"convert", "-O", "vpc", "-o", "subformat=fixed,force_size=on", "base.raw"}, format: VHD},
		{name: "vhdx", args: []string{"convert", "-O", "vhdx", "base.raw"}, format: VHDX},
		{name: "vhdx fixed", args: []string{"convert", "-O", "vhdx", "-o", "subformat=fixed", "base.raw"}, format: VHDX},
		{name: "vhdx huge", args: []string{"create", "-f", "vhdx"}, format: VHDX},
		{name: "qed", args: []string{"create", "-f", "qed"}, err: "QED"},
		{name: "parallels", args: []string{"create", "-f", "parallels"}, err: "Parallels"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			file := tc.file
			if file == "" {
				file = strings.ReplaceAll(tc.name, " ", "-") + ".img"
				args := append(tc.args, file)
				if args[0] == "create" {
					args = append(args, "5G")
				}
				if strings.Contains(tc.name, "huge") {
					args[len(args)-1] = "2T"
				}
				run(t, args...)
			}
			im, err := Open(t.Context(), Source{Path: filepath.Join(dir, file)})
			if tc.err != "" {
				wantError(t, err, Unsupported, tc.err)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			defer im.Close()
			var info struct {
				Format      string `json:"format"`
				VirtualSize int64  `json:"virtual-size"`
			}
			if err := json.Unmarshal(run(t, "info", "--output=json", file), &info); err != nil {
				t.Fatal(err)
			}
			// A fixed VHD is raw to qemu-img unless it is told otherwise, and an
			// encrypted disk is larger than what it holds.
			if info.Format != string(Raw) && info.Format != "luks" && im.VirtualSize != info.VirtualSize {
				t.Errorf("virtual size %d, qemu-img says %d", im.VirtualSize, info.VirtualSize)
			}
			if im.Format != tc.format || im.Subformat != tc.subformat || im.Encrypted != tc.encrypted {
				t.Errorf("got %+v", im.Header)
			}
			if err := im.Verify(); err != nil {
				t.Errorf("Verify: %v", err)
			}
			// The same as a stream, and compressed: the size of a header stays
			// known, that of the content does not.
			if im.Format == Raw || tc.name == "vpc fixed" {
				return
			}
			p, err := os.ReadFile(filepath.Join(dir, file))
			if err != nil {
				t.Fatal(err)
			}
			z, err := Open(t.Context(), Source{Path: writeFile(t, "z", compressWith(t, Zstd, p))})
			if err != nil {
				t.Fatal(err)
			}
			defer z.Close()
			if z.Size != -1 || z.Format != im.Format || z.VirtualSize != im.VirtualSize {
				t.Errorf("compressed: %+v, size %d", z.Header, z.Size)
			}
		})
	}
}

// A qcow2 whose end is missing is found out by its header, even where nobody
// gave a length or a checksum.
func TestTruncatedImage(t *testing.T) {
	img := tool(t, "qemu-img")
	path := filepath.Join(t.TempDir(), "a.qcow2")
	if out, err := exec.CommandContext(t.Context(), img, "create", "-f", "qcow2", path, "1G").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	p, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	_, err = Open(t.Context(), Source{Path: writeFile(t, "cut.qcow2", p[:100<<10])}) // at once
	wantError(t, err, Incomplete, "cut short", "102400 bytes")
	_, _, err = readAll(t, Source{Path: writeFile(t, "cut.qcow2.gz", compressWith(t, Gzip, p[:100<<10]))})
	wantError(t, err, Incomplete, "cut short", "102400 bytes")
}

func FuzzDetect(f *testing.F) {
	f.Add(qcow2Header(1 << 30))
	f.Add(vmdkHeader(2048, 3<<16, "# Disk DescriptorFile\ncreateType=\"streamOptimized\"\n"))
	f.Add(tarOf(f, "a.ovf"))
	x := make([]byte, 2<<20+70<<10)
	copy(x, "vhdxfile")
	copy(x[192<<10:], "regi")
	x[192<<10+8] = 2
	copy(x[192<<10+16:], vhdxMetadataRegion)
	x[192<<10+16+18] = 0x20 // 2 MiB
	copy(x[2<<20:], "metadata\x00\x00\x02\x00")
	copy(x[2<<20+32:], vhdxVirtualSize)
	f.Add(x)
	for _, at := range []int{0, 64, 257, 32769} {
		for _, magic := range []string{"conectix", "\x7f\x10\xda\xbe", "ustar", "CD001", "vhdxfile"} {
			p := make([]byte, at+600)
			copy(p[at:], magic)
			f.Add(p)
		}
	}
	f.Fuzz(func(t *testing.T, p []byte) {
		h, err := detect(p)
		if err != nil {
			if KindOf(err) == 0 || len(err.Error()) > 2500 {
				t.Errorf("error %q", err)
			}
			return
		}
		if h.Format == "" || h.VirtualSize < -1 || h.end < 0 {
			t.Errorf("impossible header %+v", h)
		}
		if h.need > maxHeadBytes {
			t.Errorf("wants to see %d bytes", h.need)
		}
	})
}
