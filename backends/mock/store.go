package mock

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// store guards the world, in memory or in a state file.
type store struct {
	path  string // "" is memory
	clock Clock
	fill  func(*world) // brings a world that was just made or read up to date

	mu    sync.RWMutex
	world *world
	seen  os.FileInfo // the file that world was read from; nil: none
	stale bool        // world is not what the file says
	enc   encoder
}

// view calls look with the world as it is now. Look must not change it.
func (s *store) view(look func(*world) error) error {
	if s.path != "" {
		if err := s.refresh(); err != nil {
			return err
		}
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	return look(s.world)
}

// update calls change, alone among all processes, and keeps what it did. When
// change fails it must have changed nothing.
func (s *store) update(ctx context.Context, change func(*world) error) error {
	if s.path == "" {
		s.mu.Lock()
		defer s.mu.Unlock()
		return change(s.world)
	}
	unlock, err := lockFile(ctx, s.clock, s.path+".lock")
	if err != nil {
		return err
	}
	defer unlock()
	if err := s.refresh(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := change(s.world); err != nil {
		return err
	}
	if err := s.write(); err != nil {
		s.stale = true // what is on disk counts
		return err
	}
	return nil
}

// refresh reads the state file again where another process wrote it.
func (s *store) refresh() error {
	info, err := os.Stat(s.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		info = nil
	case err != nil:
		return s.problem("read", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.world != nil && !s.stale && sameFile(info, s.seen) {
		return nil
	}
	w := newWorld(0)
	if info != nil {
		data, err := os.ReadFile(s.path)
		if err != nil {
			return s.problem("read", err)
		}
		if w, err = decode(s.path, data); err != nil {
			return err
		}
	}
	s.fill(w)
	s.world, s.seen, s.stale = w, info, false
	s.enc = encoder{}
	return nil
}

func sameFile(a, b os.FileInfo) bool {
	if a == nil || b == nil {
		return a == b
	}
	return os.SameFile(a, b) && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime())
}

// write puts the world in the place of the state file, whole or not at all.
func (s *store) write() (err error) {
	data, err := s.enc.encode(s.world)
	if err != nil {
		return s.problem("write", err)
	}
	f, err := os.CreateTemp(filepath.Dir(s.path), "."+filepath.Base(s.path)+".*")
	if err != nil {
		return s.problem("write", err)
	}
	defer func() {
		if err != nil {
			_ = f.Close()
			_ = os.Remove(f.Name())
		}
	}()
	if _, err := f.Write(data); err != nil {
		return s.problem("write", err)
	}
	if err := f.Sync(); err != nil {
		return s.problem("write", err)
	}
	if err := f.Close(); err != nil {
		return s.problem("write", err)
	}
	if err := os.Rename(f.Name(), s.path); err != nil {
		return s.problem("write", err)
	}
	info, err := os.Stat(s.path)
	if err != nil {
		return s.problem("read", err)
	}
	s.seen = info
	return nil
}

func (s *store) problem(verb string, err error) error {
	e := &backends.Error{Code: backends.Internal, Op: verb + " the state file", Object: s.path, Err: err}
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, fs.ErrNotExist) {
		e.Code = backends.Precondition
		e.Remedy = "Name a file in a directory that exists and that this user may write to."
	}
	return e
}
