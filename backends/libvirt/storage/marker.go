package storage

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"strings"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// markerSuffix names the marker of an image: a small volume beside it, because libvirt's
// volumes carry no metadata. It tells a complete image from an upload that was cut
// short, and the content of one from another.
const markerSuffix = ".virtrigaud"

// markerBlock is what a marker's length is a multiple of, so that it is replaced in
// one write.
const markerBlock = 4096

type marker struct {
	Version     int    `json:"version"`
	Complete    bool   `json:"complete"`
	Fingerprint string `json:"fingerprint"`
	// Source is the format that the content came in, "" where that is not known.
	Source string `json:"source,omitempty"`
	// Upload tells one upload from another, so that nobody declares complete what
	// somebody else has replaced.
	Upload string `json:"upload"`
}

func newMarker(fingerprint string) marker {
	return marker{Version: 1, Fingerprint: fingerprint, Upload: rand.Text()}
}

func markerOf(image Ref) Ref { return Ref{image.Pool, image.Name + markerSuffix} }

func isMarker(name string) bool { return strings.HasSuffix(name, markerSuffix) }

func (s *Store) writeMarker(ctx context.Context, image Ref, m marker) error {
	text, err := json.Marshal(m)
	if err != nil {
		return err
	}
	// "false" and "true" differ in length: the padding keeps the volume's.
	pad := markerBlock - len(text)%markerBlock
	if !m.Complete {
		pad = markerBlock - (len(text)-1)%markerBlock - 1
	}
	text = append(text, bytes.Repeat([]byte{' '}, pad)...)
	_, err = s.writeSmall(ctx, markerOf(image), text)
	return err
}

// readMarker reports false where an image has none.
func (s *Store) readMarker(ctx context.Context, image Ref) (marker, bool, error) {
	text, err := s.ReadSmall(ctx, markerOf(image))
	if isNoVolume(err) {
		return marker{}, false, nil
	}
	if err != nil {
		return marker{}, false, err
	}
	return parseMarker(text), true, nil
}

// parseMarker takes a marker that cannot be read for one of an incomplete image: it was cut
// short when it was made.
func parseMarker(text []byte) marker {
	var m marker
	if err := json.Unmarshal(bytes.TrimRight(text, " \x00"), &m); err != nil || m.Version < 1 {
		return marker{}
	}
	return m
}

// complete declares an upload complete, if it is still there.
func (s *Store) complete(ctx context.Context, image Ref, m marker) error {
	now, ok, err := s.readMarker(ctx, image)
	if err != nil {
		return err
	}
	if !ok || now.Upload != m.Upload {
		return &backends.Error{Code: backends.Conflict, Err: errGone}
	}
	m.Complete = true
	return s.writeMarker(ctx, image, m)
}

var errGone = errors.New("it was removed or replaced by somebody else meanwhile")

// isGone reports whether an image is not, or no longer, ours to remove.
func isGone(err error) bool { return errors.Is(err, errGone) }
