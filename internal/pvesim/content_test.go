package pvesim

import (
	"bytes"
	"io"
	"math/rand/v2"
	"testing"
)

// The bytes of a volume and of its copies are as those of plain slices.
func TestContentIsLikeBytes(t *testing.T) {
	const size = 5 * chunkSize
	s := &spool{inMemory: memoryLimit - 3*chunkSize} // so that the file is used as well
	defer s.close()
	d, want := newContent(s, size), make([]byte, size)
	rnd := rand.New(rand.NewPCG(1, 2))
	var kept []*content
	var were [][]byte
	for range 60 {
		at := rnd.IntN(size)
		p := make([]byte, rnd.IntN(min(2*chunkSize, size-at)+1))
		if rnd.IntN(3) > 0 {
			for i := range p {
				p[i] = byte(rnd.Uint32())
			}
		}
		if _, err := d.WriteAt(p, int64(at)); err != nil {
			t.Fatal(err)
		}
		copy(want[at:], p)
		if rnd.IntN(5) == 0 {
			kept, were = append(kept, d.copy()), append(were, bytes.Clone(want))
		}
	}
	kept, were = append(kept, d), append(were, want)
	for i, d := range kept {
		got, err := io.ReadAll(d.reader())
		if err != nil || !bytes.Equal(got, were[i]) {
			t.Errorf("copy %d of %d: other bytes than were written (%v)", i, len(kept), err)
		}
	}
}

// What was cut off does not come back when the content grows again, and holes take no space.
func TestContentResize(t *testing.T) {
	d := newContent(nil, 4*chunkSize)
	if _, err := d.WriteAt(bytes.Repeat([]byte{7}, 4*chunkSize), 0); err != nil {
		t.Fatal(err)
	}
	d.resize(chunkSize + 10)
	d.resize(4 * chunkSize)
	got, _ := io.ReadAll(d.reader())
	want := append(bytes.Repeat([]byte{7}, chunkSize+10), make([]byte, 3*chunkSize-10)...)
	if !bytes.Equal(got, want) {
		t.Error("bytes behind the cut are there again")
	}
	if d.used() != 2*chunkSize {
		t.Errorf("it takes %d bytes, want two chunks", d.used())
	}
	if _, err := d.WriteAt(make([]byte, 4*chunkSize), 0); err != nil {
		t.Fatal(err)
	}
	if d.used() != 0 {
		t.Errorf("zeros take %d bytes", d.used())
	}
}
