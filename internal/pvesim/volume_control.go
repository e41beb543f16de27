package pvesim

import (
	"fmt"
	"io"
	"slices"
)

// onVolume calls f with a volume as a node sees it; "" is the first node.
func (s *Server) onVolume(node, volid string, f func(v *volume) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if node == "" {
		node = s.nodes[0].name
	}
	v := s.volume(node, volid)
	if v == nil {
		return fmt.Errorf("node %s has no volume %q", node, volid)
	}
	return f(v)
}

// ReadVolume reads n bytes at an offset of a volume as its guest would, through what it shares with others; of a file,
// such as an image for import, its own bytes. An empty node is the first one.
func (s *Server) ReadVolume(node, volid string, at int64, n int) ([]byte, error) {
	b := make([]byte, n)
	err := s.onVolume(node, volid, func(v *volume) error {
		_, err := v.data.ReadAt(b, at)
		if err == io.EOF {
			return fmt.Errorf("%d bytes at %d are behind the end of %s, which has %d", n, at, volid, v.data.length())
		}
		return err
	})
	return b, err
}

// WriteVolume writes to an image as its guest would.
func (s *Server) WriteVolume(node, volid string, at int64, data []byte) error {
	return s.onVolume(node, volid, func(v *volume) error {
		if at < 0 || at+int64(len(data)) > v.size {
			return fmt.Errorf("%d bytes at %d are behind the end of %s, which has %d", len(data), at, volid, v.size)
		}
		_, err := v.data.WriteAt(data, at)
		return err
	})
}

// PutFile puts a file on a storage of files, by the volume id that it will have: "local:iso/a.iso",
// "local:snippets/user.yaml", which the API cannot upload. It replaces what has that name.
func (s *Server) PutFile(node, volid string, data []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if node == "" {
		node = s.nodes[0].name
	}
	id, name, _ := cutVolid(volid)
	st, err := s.usable(node, id)
	if err != nil {
		return err
	}
	n, err := st.parse(name)
	if err != nil {
		return err
	}
	if n.content == "images" || !st.of().files {
		return fmt.Errorf("%s is no file: images are made by the API", volid)
	}
	f := &newFile{storage: st, node: node, content: n.content, name: n.name, format: n.format}
	if n.content == "iso" {
		f.format = "iso"
	}
	bytes := newContent(s.volumes.spool, 0)
	if _, err := bytes.WriteAt(data, 0); err != nil {
		return err
	}
	s.put(f, bytes).vmid = n.vmid
	return nil
}

// Volumes are the ids of all volumes and files of a storage as a node sees them, sorted.
func (s *Server) Volumes(node, storage string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if node == "" {
		node = s.nodes[0].name
	}
	var ids []string
	if st := s.storage(storage); st != nil {
		for _, v := range s.volumesOf(st, node) {
			ids = append(ids, v.volid)
		}
	}
	slices.Sort(ids)
	return ids
}

// SetStorageSpace sets how many bytes a storage has in all, at each node where it is not shared.
func (s *Server) SetStorageSpace(storage string, bytes int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.storage(storage)
	if st == nil {
		panic("pvesim: no storage to set the space of: " + storage)
	}
	st.capacity = bytes
}
