//go:build unix && !solaris && !illumos && !aix

package mock

import (
	"errors"
	"os"
	"syscall"
)

// tryLock takes the lock of an open file, which ends when the file is closed.
// It reports false where another process has it.
func tryLock(f *os.File) (bool, error) {
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		switch {
		case err == nil:
			return true, nil
		case errors.Is(err, syscall.EWOULDBLOCK):
			return false, nil
		case !errors.Is(err, syscall.EINTR):
			return false, err
		}
	}
}
