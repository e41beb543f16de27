package proxmox_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"testing"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/pvesim"
)

// errSum is what a source says at its end whose content is not what it should be.
var errSum = errors.New("the checksum is another")

type wrongSum struct{ from io.Reader }

func (w wrongSum) Read(p []byte) (int, error) {
	n, err := w.from.Read(p)
	if errors.Is(err, io.EOF) {
		err = errSum
	}
	return n, err
}

// TestWrongContentIsNoFile: content that turns out wrong at its end never becomes a file, whose name would tell that it is right.
func TestWrongContentIsNoFile(t *testing.T) {
	iso := make([]byte, 1<<20)
	copy(iso[16*2048:], "\x01CD001\x01")
	for name, test := range map[string]struct {
		from io.Reader
		says string
	}{
		"wrong":  {wrongSum{bytes.NewReader(iso)}, errSum.Error()},
		"longer": {bytes.NewReader(append(bytes.Clone(iso), 0)), "longer"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, pvesim.Options{Nodes: []string{"pve1"}})
			before := r.volumes()
			_, err := r.ImportImage(t.Context(), backends.ImageSpec{Name: "debian", Kind: "iso", Fingerprint: "etag:1"}, backends.ImageSource{
				Open: func(context.Context) (*backends.Content, error) {
					return &backends.Content{Reader: io.NopCloser(test.from), Format: "iso", Size: int64(len(iso)), VirtualSize: int64(len(iso))}, nil
				},
			})
			if err == nil || !contains(err.Error(), test.says) {
				t.Errorf("ImportImage: %v", err)
			}
			r.nothingLeft(before)
			tasks, err := r.Tasks(t.Context(), backends.TaskFilter{})
			if err != nil {
				t.Fatal(err)
			}
			for _, task := range tasks {
				if task.Op == "imgcopy" {
					t.Errorf("the file was put in its place: %+v", task)
				}
			}
		})
	}
}
