package conn

import (
	"errors"
	"testing"

	"github.com/digitalocean/go-libvirt"
)

func frameOf(n int) []byte {
	b := make([]byte, headerBytes+n)
	header{program: remoteProgram}.put(b, n)
	return b
}

func TestFramesAreFollowedHoweverTheyArrive(t *testing.T) {
	stream := append(append(frameOf(0), frameOf(5)...), ping...)
	for size := 1; size <= len(stream); size++ {
		var f frames
		for at := 0; at < len(stream); at += size {
			if err := f.pass(stream[at:min(at+size, len(stream))]); err != nil {
				t.Fatalf("in pieces of %d: %v", size, err)
			}
		}
		if !f.between() {
			t.Errorf("in pieces of %d: not at the end of a frame", size)
		}
	}
	for _, bad := range [][]byte{{0, 0, 0, headerBytes - 1}, {0, 0, 0, 0}, {0xff, 0xff, 0xff, 0xff}, []byte("HTTP/1.1")} {
		var f frames
		if err := f.pass(bad); !errors.As(err, &protocolError{}) {
			t.Errorf("%q passes for a frame: %v", bad, err)
		}
	}
}

func TestParseErrorOfAnyLength(t *testing.T) {
	whole := []byte{0, 0, 0, 42, 0, 0, 0, 10, 0, 0, 0, 1, 0, 0, 0, 3, 'w', 'e', 'b', 0}
	if err := parseError(whole); !libvirt.IsNotFound(err) || err.Error() != "web" {
		t.Errorf("got %v", err)
	}
	for n := range whole {
		if err := parseError(whole[:n]); err == nil || libvirt.IsNotFound(err) {
			t.Errorf("%d bytes were read as %v", n, err)
		}
	}
	huge := append(whole[:12:12], 0xff, 0xff, 0xff, 0xff)
	if err := parseError(huge); err == nil {
		t.Error("a length that is a lie was believed")
	}
}
