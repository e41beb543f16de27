package mock

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
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

	turn    chan struct{} // full while somebody writes the file
	waiting struct {
		mu    sync.Mutex
		queue []*request
	}
}

// request is a change that waits to be made and kept.
type request struct {
	ctx    context.Context // of the caller, who waits
	change func(*world) error
	done   chan error // gets one answer, once the request was taken from the queue
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
	// The file is written whole, so that changes which come while it is being
	// written wait, and whoever is next writes them all at once.
	r := &request{ctx: ctx, change: change, done: make(chan error, 1)}
	s.waiting.mu.Lock()
	s.waiting.queue = append(s.waiting.queue, r)
	s.waiting.mu.Unlock()
	select {
	case err := <-r.done:
		return err
	case s.turn <- struct{}{}:
		err := s.keep(ctx)
		<-s.turn
		if err != nil && s.withdraw(r) {
			return err
		}
	case <-ctx.Done():
		if s.withdraw(r) {
			return ctx.Err()
		}
	}
	return <-r.done // somebody took it, and answers when the file is written
}

// withdraw takes a request back; false means that it was taken.
func (s *store) withdraw(r *request) bool {
	s.waiting.mu.Lock()
	defer s.waiting.mu.Unlock()
	i := slices.Index(s.waiting.queue, r)
	if i < 0 {
		return false
	}
	s.waiting.queue = slices.Delete(s.waiting.queue, i, i+1)
	return true
}

// keep makes all changes that wait, writes the file once, and answers. An error
// means that it took none.
func (s *store) keep(ctx context.Context) error {
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
	s.waiting.mu.Lock()
	batch := s.waiting.queue
	s.waiting.queue = nil
	s.waiting.mu.Unlock()
	errs, changed := make([]error, len(batch)), false
	for i, r := range batch {
		if errs[i] = r.ctx.Err(); errs[i] == nil {
			errs[i] = r.change(s.world)
		}
		changed = changed || errs[i] == nil
	}
	if changed {
		err = s.write()
	}
	s.stale = err != nil // then what is on disk counts
	for i, r := range batch {
		r.done <- cmp.Or(errs[i], err)
	}
	return nil
}

// refresh reads the state file again where another process wrote it. It looks at
// the file with the lock held, so that what this process writes meanwhile is not
// taken for another's.
func (s *store) refresh() error {
	s.mu.RLock()
	_, fresh, err := s.look()
	s.mu.RUnlock()
	if err != nil || fresh {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	info, fresh, err := s.look()
	if err != nil || fresh {
		return err
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

// look reports whether the world is what the file says.
func (s *store) look() (info os.FileInfo, fresh bool, err error) {
	info, err = os.Stat(s.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		info = nil
	case err != nil:
		return nil, false, s.problem("read", err)
	}
	return info, s.world != nil && !s.stale && sameFile(info, s.seen), nil
}

func sameFile(a, b os.FileInfo) bool {
	if a == nil || b == nil {
		return a == b
	}
	return os.SameFile(a, b) && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime())
}

// write puts the world in the place of the state file, whole or not at all. It
// does not wait for the disk: a process that dies loses nothing, and a machine
// that does loses a world that was only pretended.
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
