package pvesim

import (
	"os"
	"sync"
)

// memoryLimit is how many bytes of volumes stay in memory; what comes after goes
// to a file.
const memoryLimit = 64 << 20

// spool keeps the bytes of volumes: the first in memory, the others in one temporary
// file, which is never named and goes away with the server.
type spool struct {
	mu       sync.Mutex
	inMemory int64
	file     *os.File
	end      int64
}

// keep takes a chunk. The spool of nil keeps all in memory.
func (s *spool) keep(data []byte) (*chunk, error) {
	if s == nil {
		return &chunk{data: data}, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.inMemory+int64(len(data)) <= memoryLimit {
		s.inMemory += int64(len(data))
		return &chunk{data: data}, nil
	}
	if s.file == nil {
		f, err := os.CreateTemp("", "pvesim-*")
		if err != nil {
			return nil, err
		}
		_ = os.Remove(f.Name()) // open, it is enough; where that cannot be, close does it
		s.file = f
	}
	at := s.end
	if _, err := s.file.WriteAt(data, at); err != nil {
		return nil, err
	}
	s.end += int64(len(data))
	return &chunk{at: at}, nil
}

func (s *spool) read(p []byte, at int64) error {
	_, err := s.file.ReadAt(p, at)
	return err
}

// close gives back the file.
func (s *spool) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.file != nil {
		_ = s.file.Close()
		_ = os.Remove(s.file.Name())
	}
}
