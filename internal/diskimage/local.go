package diskimage

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// localFile is the stream of a regular file. It notices when the file is
// changed while it is read.
type localFile struct {
	ctx     context.Context
	f       *os.File
	info    fs.FileInfo // as it was opened
	pos     int64
	dataEnd int64 // up to here skipHole knows that there is no hole
}

func openLocal(ctx context.Context, path string) (*localFile, error) {
	// A named pipe would block the open, so look first.
	info, err := os.Stat(path)
	if err == nil && !info.Mode().IsRegular() {
		what := "a special file"
		if info.IsDir() {
			what = "a directory"
		}
		return nil, errorf(Invalid, "it is %s, not a regular file", what)
	}
	var f *os.File
	if err == nil {
		f, err = os.Open(path)
	}
	if err != nil {
		return nil, localError(err)
	}
	if info, err = f.Stat(); err != nil {
		f.Close()
		return nil, localError(err)
	}
	return &localFile{ctx: ctx, f: f, info: info}, nil
}

func localError(err error) error {
	kind, msg := Invalid, err.Error()
	var p *fs.PathError
	if errors.As(err, &p) {
		msg = p.Err.Error()
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		kind, msg = NotFound, "there is no such file on the machine that runs the provider"
	case errors.Is(err, fs.ErrPermission):
		kind, msg = Denied, "the user that runs the provider may not read the file"
	}
	return &Error{Kind: kind, Msg: msg, Err: err}
}

func (l *localFile) size() int64 { return l.info.Size() }

func (l *localFile) Close() error { return l.f.Close() }

func (l *localFile) Read(p []byte) (int, error) {
	if err := l.ctx.Err(); err != nil {
		return 0, fmt.Errorf("reading stopped: %w", err)
	}
	left := l.size() - l.pos
	if left <= 0 {
		return 0, l.end()
	}
	if int64(len(p)) > left {
		p = p[:left]
	}
	n, err := l.f.ReadAt(p, l.pos)
	l.pos += int64(n)
	if err == io.EOF {
		err = nil
		if l.pos < l.size() {
			return n, errorf(Incomplete, "the file shrank while it was read: %d of %d bytes", l.pos, l.size())
		}
	}
	if err != nil {
		return n, localError(err)
	}
	return n, nil
}

// end is io.EOF, unless the file is not the one any more that was opened.
func (l *localFile) end() error {
	now, err := l.f.Stat()
	if err != nil {
		return localError(err)
	}
	if now.Size() != l.info.Size() || !now.ModTime().Equal(l.info.ModTime()) {
		return errorf(Changed, "the file was written to while it was read")
	}
	return io.EOF
}

// skipHole moves over the hole at the current position, in whole blocks except
// at the end of the file, and returns how far.
func (l *localFile) skipHole() (int64, error) {
	if err := l.ctx.Err(); err != nil {
		return 0, fmt.Errorf("reading stopped: %w", err)
	}
	if l.pos < l.dataEnd || l.pos >= l.size() {
		return 0, nil
	}
	data, hole := nextData(l.f, l.pos, l.size())
	if data == l.pos {
		l.dataEnd = hole
		return 0, nil
	}
	if data < l.size() {
		data -= data % blockSize
	}
	n := max(data-l.pos, 0)
	l.pos += n
	if n == 0 {
		l.dataEnd = l.pos + blockSize
	}
	return n, nil
}
