package diskimage

import (
	"encoding/hex"
	"hash"
	"io"
)

// progressStep is how many bytes lie between two calls of Progress.
const progressStep = 1 << 20

// transfer counts and hashes the bytes of a stream as they pass. It answers
// io.EOF only when they have the expected checksum; any other end is an error, and
// it stays. That all of them came is for the stream to say: it knows why not.
type transfer struct {
	in       stream
	sum      Checksum  // expected; zero: any
	hash     hash.Hash // of the bytes so far; nil: not wanted
	max      int64
	progress func(done, total int64)

	n        int64
	reported int64
	err      error
}

func (t *transfer) Read(p []byte) (int, error) {
	if t.err != nil {
		return 0, t.err
	}
	n, err := t.in.Read(p)
	t.account(p[:n])
	if t.n > t.max {
		err = errorf(TooLarge, "it is larger than the limit of %d bytes", t.max)
	}
	if err == io.EOF {
		err = t.verify()
	}
	t.err = err
	return n, err
}

func (t *transfer) account(p []byte) {
	t.n += int64(len(p))
	if t.hash != nil {
		t.hash.Write(p)
	}
	if t.progress != nil && t.n-t.reported >= progressStep {
		t.report()
	}
}

func (t *transfer) report() {
	t.reported = t.n
	t.progress(t.n, t.in.size())
}

// verify returns io.EOF when the transfer is right.
func (t *transfer) verify() error {
	if t.progress != nil {
		t.report()
	}
	if t.sum.IsZero() {
		return io.EOF
	}
	if got := hex.EncodeToString(t.hash.Sum(nil)); got != t.sum.Hex {
		return errorf(Mismatch, "the %s checksum does not match: expected %s, got %s over %d bytes; either the image was replaced since the checksum was written down, or it was damaged on the way",
			t.sum.Algorithm, t.sum.Hex, got, t.n)
	}
	return io.EOF
}

// drain reads what is left and returns how the transfer ended; nil is well.
func (t *transfer) drain() error {
	var buf []byte
	for t.err == nil {
		if n, _ := t.skipHole(); n > 0 {
			continue
		}
		if buf == nil {
			buf = make([]byte, 256<<10)
		}
		t.Read(buf) //nolint:errcheck // kept in t.err
	}
	if t.err == io.EOF {
		return nil
	}
	return t.err
}

// skipHole passes a hole of a local file without reading it and returns its
// length; 0 where the next byte may be data. The hole counts for progress,
// limit and checksum like the zeros that it stands for.
func (t *transfer) skipHole() (int64, error) {
	f, ok := t.in.(*localFile)
	if !ok || t.err != nil {
		return 0, nil //nolint:nilerr // no hole to skip; the next Read tells the error
	}
	n, err := f.skipHole()
	if err != nil {
		t.err = err
		return 0, err
	}
	if t.hash == nil {
		t.n += n
		if t.progress != nil && t.n-t.reported >= progressStep {
			t.report()
		}
	} else {
		for left := n; left > 0; {
			if err := f.ctx.Err(); err != nil {
				t.err = err
				return 0, err
			}
			k := min(left, int64(len(zeros)))
			t.account(zeros[:k])
			left -= k
		}
	}
	if t.n > t.max {
		t.err = errorf(TooLarge, "it is larger than the limit of %d bytes", t.max)
		return 0, t.err
	}
	return n, nil
}
