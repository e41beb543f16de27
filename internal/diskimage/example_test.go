package diskimage_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/diskimage"
)

// An image with a hole is copied into a file without writing the hole.
func ExampleCopySparse() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	from := filepath.Join(dir, "disk.raw")
	disk := make([]byte, 8<<20)
	copy(disk, "boot")
	copy(disk[5<<20:], "data")
	if err := os.WriteFile(from, disk, 0o600); err != nil {
		fmt.Println(err)
		return
	}

	ctx := context.Background()
	img, err := diskimage.Open(ctx, diskimage.Source{Path: from})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer img.Close()
	to, err := os.Create(filepath.Join(dir, "copy.raw"))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer to.Close()
	copied, err := diskimage.CopySparse(ctx, img, func(offset int64, extent io.Reader) error {
		fmt.Println("extent at", offset)
		_, err := io.Copy(io.NewOffsetWriter(to, offset), extent)
		return err
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(img.Format, copied.Size, copied.Data)
	got, err := os.ReadFile(to.Name())
	fmt.Println(bytes.Equal(got, disk), err)
	// Output:
	// extent at 0
	// extent at 5242880
	// extent at 8323072
	// raw 8388608 196608
	// true <nil>
}
