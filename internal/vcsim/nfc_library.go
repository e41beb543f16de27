package vcsim

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/types"
)

// deployItem lets the simulator deploy an OVF item of a content library, and
// gives the machine's disks what the item's files hold.
func (s *Server) deployItem(w http.ResponseWriter, r *http.Request) {
	item := strings.TrimPrefix(r.PathValue("item"), "id:") // before another mux sets its own
	root := "/" + strings.SplitN(r.URL.Path, "/", 3)[1] + "/"
	inner, _ := s.service.ServeMux.Handler(&http.Request{Method: r.Method, URL: &url.URL{Path: root}})
	answer := httptest.NewRecorder()
	inner.ServeHTTP(answer, r)

	if answer.Code/100 == 2 {
		if err := s.fillDeployed(r.Context(), answer.Body.Bytes(), item); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
	}
	for k, v := range answer.Header() {
		w.Header()[k] = v
	}
	w.WriteHeader(answer.Code)
	_, _ = w.Write(answer.Body.Bytes())
}

// fillDeployed fills the disks of the machine that the answer names, if it does.
func (s *Server) fillDeployed(c context.Context, answer []byte, item string) error {
	type deployed struct {
		Resource struct {
			Type string `json:"type"`
			ID   string `json:"id"`
		} `json:"resource_id"`
	}
	var d struct {
		deployed

		Value deployed `json:"value"`
	}
	_ = json.Unmarshal(answer, &d) // what is no deployment names no machine
	ref := types.ManagedObjectReference{Type: d.Resource.Type, Value: d.Resource.ID}
	if ref.Value == "" {
		ref = types.ManagedObjectReference{Type: d.Value.Resource.Type, Value: d.Value.Resource.ID}
	}
	ctx := s.Context()
	vm, ok := ctx.Map.Get(ref).(*simulator.VirtualMachine)
	if !ok {
		return nil
	}
	files := s.itemDisks(ctx, item)
	var err error
	ctx.WithLock(vm, func() {
		for i, disk := range disksOf(vm.Config.Hardware.Device) {
			if i >= len(files) {
				break
			}
			f := s.diskFile(ctx, vm, fileName(disk))
			err = errors.Join(err, f.uploadItem(c, files[i]))
		}
		s.settle(ctx, vm)
	})
	return err
}

var vmdkReference = regexp.MustCompile(`href="([^"]+\.vmdk)"`)

// itemDisks returns the files with the disks of an item, as its OVF lists them.
func (s *Server) itemDisks(ctx *simulator.Context, item string) []string {
	for _, ref := range allDatastores(ctx) {
		ds, ok := ctx.Map.Get(ref).(*simulator.Datastore)
		if !ok {
			continue
		}
		found, _ := filepath.Glob(filepath.Join(ds.Summary.Url, "contentlib-*", item, "*.ovf"))
		if len(found) == 0 {
			continue
		}
		ovf, err := os.ReadFile(found[0])
		if err != nil {
			continue
		}
		var files []string
		for _, m := range vmdkReference.FindAllSubmatch(ovf, -1) {
			files = append(files, filepath.Join(filepath.Dir(found[0]), string(m[1])))
		}
		return files
	}
	return nil
}

// uploadItem fills the disk from a file of a library, of which the simulator
// keeps the descriptor, and the stream without its first two sectors.
func (d diskFile) uploadItem(ctx context.Context, file string) error {
	stream, err := os.Open(diskFile(file).extent())
	if err != nil {
		return err
	}
	defer stream.Close()
	rest, err := io.ReadAll(io.LimitReader(stream, 1<<20))
	if err != nil {
		return err
	}
	head := streamHeader(diskFile(file).capacity(), rest)
	return d.upload(ctx, io.MultiReader(bytes.NewReader(head), bytes.NewReader(rest), stream))
}

// streamHeader makes the two sectors anew that a stream begins with.
func streamHeader(capacity int64, rest []byte) []byte {
	const sectors, descriptor = 512, 20
	first := int64(descriptor + 1) // where the first grain may be
	for at := (first - 2) * sectors; at+sectors <= int64(len(rest)); at += sectors {
		if len(bytes.TrimRight(rest[at:at+sectors], "\x00")) > 0 {
			break
		}
		first++
	}
	head := make([]byte, 2*sectors)
	copy(head, "KDMV")
	le := binary.LittleEndian
	le.PutUint32(head[4:], 3)                     // version
	le.PutUint32(head[8:], 3<<16|1)               // compressed, with markers
	le.PutUint64(head[12:], uint64(capacity/512)) //nolint:gosec // A size.
	le.PutUint64(head[20:], 128)                  // sectors in a grain
	le.PutUint64(head[28:], 1)                    // the descriptor
	le.PutUint64(head[36:], 1)
	le.PutUint32(head[44:], 512) // grains in a table
	le.PutUint64(head[56:], ^uint64(0))
	le.PutUint64(head[64:], uint64(first)) //nolint:gosec // A number of sectors.
	copy(head[73:], "\n \r\n")
	le.PutUint16(head[77:], 1) // deflate
	copy(head[sectors:], "# Disk DescriptorFile\nversion=1\nCID=fffffffe\nparentCID=ffffffff\ncreateType=\"streamOptimized\"\n")
	return head
}
