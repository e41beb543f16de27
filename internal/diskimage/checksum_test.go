package diskimage

import (
	"net/http"
	"strings"
	"testing"
)

func TestParseChecksum(t *testing.T) {
	a64, a128 := strings.Repeat("aB", 32), strings.Repeat("0f", 64)
	for _, tc := range []struct {
		in, want string // want: the canonical text
		err      string
	}{
		{"", "", ""},
		{"sha256:" + a64, "sha256:" + strings.ToLower(a64), ""},
		{"SHA512:" + a128, "sha512:" + a128, ""},
		{"sha384:" + a128[:96], "sha384:" + a128[:96], ""},
		{"sha1:" + a128[:40], "sha1:" + a128[:40], ""},
		{"md5:" + a128[:32], "md5:" + a128[:32], ""},
		{"file:/srv/SHA256SUMS", "file:/srv/SHA256SUMS", ""},
		{"file:https://u:secret@h/SHA256SUMS?sig=secret", "file:https://h/SHA256SUMS?(hidden)", ""},
		{"file:", "", "needs the URL or path"},
		{"file:ftp://h/SUMS", "", `"ftp" is not supported`},
		{a64, "", `write "sha256:" in front`},
		{"nonsense", "", "ALGORITHM:DIGEST"},
		{"crc32:00", "", `"crc32" is not known`},
		{"sha256:xyz", "", "hexadecimal"},
		{"sha256:abcd", "", "has 64 hexadecimal digits, this one has 4"},
	} {
		got, err := ParseChecksum(tc.in)
		if tc.err != "" {
			wantError(t, err, Invalid, tc.err)
			continue
		}
		if err != nil {
			t.Errorf("ParseChecksum(%q): %v", tc.in, err)
		} else if got.String() != tc.want {
			t.Errorf("ParseChecksum(%q) = %q, want %q", tc.in, got, tc.want)
		}
	}
}

func TestFindInList(t *testing.T) {
	a, b, c := strings.Repeat("aa", 32), strings.Repeat("bb", 32), strings.Repeat("cc", 64)
	for _, tc := range []struct{ name, list, want, err string }{
		{"GNU text", b + "  other.img\n" + a + "  disk.img\n", "sha256:" + a, ""},
		{"GNU binary", a + " *disk.img\r\n", "sha256:" + a, ""},
		{"GNU with ./", a + "  ./disk.img\n", "sha256:" + a, ""},
		{"below a directory", b + "  old/disk.img.asc\n" + a + "  new/disk.img\n", "sha256:" + a, ""},
		{"exact beats below", b + "  old/disk.img\n" + a + "  disk.img\n", "sha256:" + a, ""},
		{"BSD", "SHA256 (disk.img) = " + a + "\nSHA256 (x) = " + b + "\n", "sha256:" + a, ""},
		{"BSD in a signed list", "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\n# disk.img: 5 bytes\nSHA256 (disk.img) = " + a + "\n", "sha256:" + a, ""},
		{"strongest wins", a + "  disk.img\n" + c + "  disk.img\n", "sha512:" + c, ""},
		{"a digest alone", a + "\n", "sha256:" + a, ""},
		{"upper case", strings.ToUpper(a) + "  disk.img\n", "sha256:" + a, ""},
		{"another file's", a + "  other.img\n", "", `no line names "disk.img"`},
		{"a name that only ends alike", a + "  mydisk.img\n", "", `no line names "disk.img"`},
		{"contradiction", a + "  disk.img\n" + b + "  disk.img\n", "", "two different sha256 digests"},
		{"a web page", "<html>hello</html>", "", "no line names"},
		{"wrong length for the name", "SHA512 (disk.img) = " + a + "\n", "", "no line names"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := findInList(tc.list, "disk.img")
			if tc.err != "" {
				wantError(t, err, Invalid, tc.err)
			} else if err != nil || got.String() != tc.want {
				t.Errorf("got %q, %v, want %q", got, err, tc.want)
			}
		})
	}
}

// A list is fetched like an image, its digest is applied, and its faults are
// told apart from those of the image.
func TestChecksumList(t *testing.T) {
	body := noise(1, 300<<10)
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/disk.img":
			serveContent(w, r, body)
		case "/GOOD":
			w.Write([]byte(sum256(body).Hex + "  disk.img\n"))
		case "/BAD":
			w.Write([]byte(sum256(nil).Hex + "  disk.img\n"))
		case "/HUGE":
			w.Write(make([]byte, maxListBytes+1))
		default:
			http.NotFound(w, r)
		}
	})
	src := func(list string) Source {
		return Source{URL: s.URL + "/disk.img?sig=secret", Checksum: Checksum{List: list}, Limits: fast}
	}
	im, got, err := readAll(t, src(s.URL+"/GOOD"))
	if err != nil || len(got) != len(body) || im.Checksum != sum256(body) {
		t.Errorf("good list: %d bytes, %v", len(got), err)
	}
	local := writeFile(t, "SUMS", []byte(sum256(body).Hex+"  disk.img\n"))
	if _, _, err = readAll(t, src(local)); err != nil {
		t.Errorf("local list: %v", err)
	}
	_, _, err = readAll(t, src(s.URL+"/BAD"))
	wantError(t, err, Mismatch, "expected "+sum256(nil).Hex, "got "+sum256(body).Hex)
	_, _, err = readAll(t, src(s.URL+"/NONE"))
	wantError(t, err, NotFound, "checksum list "+s.URL+"/NONE", "404")
	_, _, err = readAll(t, src(s.URL+"/HUGE"))
	wantError(t, err, TooLarge, "checksum list")
	_, _, err = readAll(t, src("/no/such/list"))
	wantError(t, err, NotFound, "/no/such/list", "no such file")
}
