// Package diskimage reads disk images as streams: it fetches them from a URL or
// a local file, undoes their compression, finds out by content what they are,
// proves that they arrived whole, and hands them on without their holes.
//
// An image is never held in memory or in a temporary file. Apart from the
// window of a decompressor (which the image itself chooses, at most 128 MiB and
// 8 MiB for nearly all images), a transfer needs a few MiB whatever its size.
//
//	img, err := diskimage.Open(ctx, diskimage.Source{URL: url, Checksum: sum})
//	if err != nil { ... }
//	defer img.Close()
//	// img.Format and img.VirtualSize are known before the first byte is passed on.
//	res, err := diskimage.CopySparse(ctx, img, func(offset int64, extent io.Reader) error { ... })
//
// Read answers io.EOF only when the length and the checksum of the transfer
// were right, so whoever copies to io.EOF without an error has the whole image.
//
// Errors name the image (without credentials and query strings), the cause and,
// where there is one, the remedy. KindOf tells their class.
package diskimage
