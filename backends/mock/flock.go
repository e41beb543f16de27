package mock

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"time"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// lockFile waits until no other process holds the lock file. The file stays:
// removing it would let two processes lock two files of one name.
func lockFile(ctx context.Context, clock Clock, path string) (unlock func(), err error) {
	const op = "lock the state file"
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		e := backends.Errorf(backends.Internal, op, path, "%w", err)
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
			e.Code = backends.Precondition
			e.Remedy = "Name a file in a directory that exists and that this user may write to."
		}
		return nil, e
	}
	pause := time.Millisecond
	for {
		locked, err := tryLock(f)
		if err != nil {
			_ = f.Close()
			return nil, backends.Errorf(backends.Internal, op, path, "%w", err)
		}
		if locked {
			return func() { _ = f.Close() }, nil
		}
		if err := sleep(ctx, clock, pause); err != nil {
			_ = f.Close()
			return nil, backends.Errorf(backends.CodeOf(err), op, path, "another process holds it: %w", err)
		}
		pause = min(2*pause, 50*time.Millisecond)
	}
}
