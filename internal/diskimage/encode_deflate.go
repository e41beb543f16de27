package diskimage

import (
	"bytes"
	"encoding/binary"
	"runtime"
	"sync"

	"github.com/klauspost/compress/zlib"
)

// deflateBatch is how many grains are compressed side by side at most.
const deflateBatch = 16

// deflater compresses grains, on several processors where there are.
type deflater struct {
	writers []*zlib.Writer
	out     [deflateBatch]bytes.Buffer
}

func newDeflater() *deflater {
	d := &deflater{writers: make([]*zlib.Writer, min(runtime.GOMAXPROCS(0), 4))}
	for i := range d.writers {
		d.writers[i], _ = zlib.NewWriterLevel(nil, zlib.BestSpeed) // the level is one that there is
	}
	return d
}

// all compresses grains, each behind its marker. What it returns is valid until the next call.
func (d *deflater) all(batch []grain) ([][]byte, error) {
	errs := make([]error, len(d.writers))
	var wg sync.WaitGroup
	for w := range d.writers {
		if w >= len(batch) {
			break
		}
		wg.Go(func() {
			for i := w; i < len(batch) && errs[w] == nil; i += len(d.writers) {
				errs[w] = d.one(d.writers[w], &d.out[i], batch[i])
			}
		})
	}
	wg.Wait()
	packed := make([][]byte, len(batch))
	for i := range batch {
		packed[i] = d.out[i].Bytes()
	}
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	return packed, nil
}

func (d *deflater) one(z *zlib.Writer, out *bytes.Buffer, g grain) error {
	var marker [12]byte
	binary.LittleEndian.PutUint64(marker[:], uint64(g.number*grainBytes/sector)) //nolint:gosec // positive
	out.Reset()
	out.Write(marker[:])
	z.Reset(out)
	if _, err := z.Write(g.data); err != nil {
		return err
	}
	if err := z.Close(); err != nil {
		return err
	}
	binary.LittleEndian.PutUint32(out.Bytes()[8:], uint32(out.Len()-len(marker))) //nolint:gosec // about as long as the grain
	return nil
}
